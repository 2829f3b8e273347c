/* tree.h -- beside the walk: building cJSON trees without a loss when memory is missing. */
#ifndef RL_TREE_H
#define RL_TREE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Makes <item> the member <name> of <object>, in the place of an old one. Takes <item> in every
 * case; false when it is NULL, that is when memory was missing where it was made, or is missing
 * now. */
bool rl_tree_put(cJSON *object, const char *name, cJSON *item);

/* Looks for several members in one pass: <found>[i] gets the last one named <names>[i], or NULL:
 * of a name that stands there twice, every JSON reader takes the last. <object> may be NULL or no
 * object. */
void rl_tree_pick(const cJSON *object, const char *const *names, size_t count, cJSON **found);

#endif
