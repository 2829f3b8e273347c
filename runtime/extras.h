/* extras.h -- walk 7: members that no specification names, kept and joined as they come.
 *
 * Servers put reasoning, signatures and citations under names of their own, and some want them back
 * in the next request. In a delta, strings whose name speaks of text are joined, other scalars
 * replaced, objects merged, arrays appended; array items with an `index` are merged with the item
 * of the same index. The wire contract (section 2.4, delta level) is the source of these rules.
 */
#ifndef RL_EXTRAS_H
#define RL_EXTRAS_H

#include "text.h"

#include <cjson/cJSON.h>

/* All take the detached, named <item> in every case and return 0, RL_ENOMEM (also for NULL, which
 * is what taking one gives without memory) or RL_ETOOBIG. The first two drop nulls. */

/* Adds <item> to <object> as the next fragment of its member. */
int rl_extras_merge(cJSON *object, cJSON *item, struct rl_room *room);

/* Makes <item> the value of its member: the last one wins. */
int rl_extras_set(cJSON *object, cJSON *item, struct rl_room *room);

/* Adds <item> as it is, null or not; the member must be new. */
int rl_extras_keep(cJSON *object, cJSON *item);

#endif
