/* json_build.h -- beside the walk: the tree of a JSON text that has passed the guard.
 *
 * Builds what cJSON's parser would: the same items, for cJSON_Delete and all else of cJSON; only
 * the names that nearly every reply has are shared (cJSON_StringIsConst). It need not check
 * anything again (guard.h), reads plain integers by their digits, and asks the locale for none.
 */
#ifndef RL_JSON_BUILD_H
#define RL_JSON_BUILD_H

#include <cjson/cJSON.h>
#include <stddef.h>

/* The tree of a text that rl_guard_whole accepts and leaves as it is. NULL without memory. <nodes>:
 * how many values the guard has counted; then all of the tree lies in one block (json.h), and its
 * items have these <marks> (tree.h). 0: each item has memory of its own. */
cJSON *rl_json_build(const char *text, size_t len, size_t nodes, int marks);

#endif
