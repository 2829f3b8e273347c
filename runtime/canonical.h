/* canonical.h -- beside the walk: a decoded reply in the one form that tests and people compare.
 *
 * What `rille decode` prints: the completion without what a server may add at will, and with what
 * we made of it.
 */
#ifndef RL_CANONICAL_H
#define RL_CANONICAL_H

#include "message.h"

#include <cjson/cJSON.h>

/* A new object {error, complete, done, id, model, created, choices, usage} from a finished message,
 * whose completion and error are copied. The caller frees it; NULL without memory. */
cJSON *rl_canonical(const struct rl_message *message);

#endif
