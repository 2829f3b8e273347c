/* names.h -- beside the walk: the member names that nearly every reply has, once for all trees.
 *
 * An item that is called so shares the name (cJSON_StringIsConst), and a seam that made a value of
 * each name once finds it again by the name's number.
 */
#ifndef RL_NAMES_H
#define RL_NAMES_H

#include <stddef.h>

enum { RL_NAMES = 35 };

/* The shared name of these bytes; NULL when they are none. */
const char *rl_name_find(const char *bytes, size_t len);

/* The number of a shared name, from 0; -1 for any other text. */
int rl_name_number(const char *name);

/* Name number <n>, below RL_NAMES. */
const char *rl_name_at(int n);

#endif
