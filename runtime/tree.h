/* tree.h -- beside the walk: building cJSON trees without a loss when memory is missing, also from
 * items that lie in a block (json.h, RL_JSON_ONE_BLOCK).
 *
 * Invariant: a tree that may hold such items is freed, copied and changed by the functions below;
 * cJSON's own would give back what is not theirs.
 */
#ifndef RL_TREE_H
#define RL_TREE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* In an item's type, of which cJSON looks at less: it lies in a block; and that goes soon. */
enum { RL_TREE_LENT = 1 << 10, RL_TREE_PASSING = 1 << 11 };

/* Frees <item>, which may be NULL, with all beneath it, but for what lies in a block. */
void rl_tree_free(cJSON *item);

/* Takes <item> out of its <parent>, which may be NULL, to keep it: it or, where its block goes
 * soon, a copy. NULL without memory. */
cJSON *rl_tree_take(cJSON *parent, cJSON *item);

/* An object with the name and the members of <object>, which loses them; its block stays now as
 * long as they do. NULL without memory. */
cJSON *rl_tree_empty(cJSON *object);

/* A copy without anything that lies in a block. NULL without memory, and for NULL. */
cJSON *rl_tree_copy(const cJSON *item);

/* Puts <item> in the place of <old>, a child of <parent>, which is freed. */
void rl_tree_replace(cJSON *parent, cJSON *old, cJSON *item);

/* Frees the member <name> of <object>, if there is one. */
void rl_tree_remove(cJSON *object, const char *name);

/* Makes <item> the member <name> of <object>, in the place of an old one. Takes <item> in every
 * case; false when it is NULL, that is when memory was missing where it was made, or is missing
 * now. */
bool rl_tree_put(cJSON *object, const char *name, cJSON *item);

/* Looks for several members in one pass: <found>[i] gets the last one named <names>[i], or NULL:
 * of a name that stands there twice, every JSON reader takes the last. <object> may be NULL or no
 * object. */
void rl_tree_pick(const cJSON *object, const char *const *names, size_t count, cJSON **found);

#endif
