/* tree.h -- beside the walk: building cJSON trees without losing anything when memory is missing. */
#ifndef RL_TREE_H
#define RL_TREE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Makes <item> the member <name> of <object>, in the place of an old one. Takes <item> in every
 * case; false when it is NULL, that is when memory was missing where it was made, or is missing
 * now. */
bool rl_tree_put(cJSON *object, const char *name, cJSON *item);

#endif
