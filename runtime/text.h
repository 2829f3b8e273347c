/* text.h -- beside the walk: string items that grow at their end in amortised constant time.
 *
 * A reply arrives in thousands of fragments, and a cJSON string knows neither length nor capacity.
 * cJSON leaves valueint and valuedouble of a string unused: here they hold both. A copy
 * (tree.h) has neither, so only the original grows; everything else treats it as any string. What
 * is kept is paid from a `struct rl_room`, so that endless fragments end.
 */
#ifndef RL_TEXT_H
#define RL_TEXT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* What may still be kept of one reply. */
struct rl_room {
    size_t bytes;
    size_t nodes;
};

/* Takes bytes and nodes from <room>. Returns 0, or RL_ETOOBIG and takes nothing. */
int rl_room_take(struct rl_room *room, size_t bytes, size_t nodes);

/* Appends carried text to <*text>, which is made when NULL. Any string item made by cJSON may be
 * handed in. Returns 0, RL_ENOMEM or RL_ETOOBIG. */
int rl_text_append(cJSON **text, const char *carried, size_t len, struct rl_room *room);

/* The same with the text of <item>, a string and a child of <parent>, which is moved where nothing
 * came before: most texts come whole. */
int rl_text_take(cJSON **text, cJSON *parent, cJSON *item, struct rl_room *room);

/* Bytes of carried text; 0 for NULL. */
size_t rl_text_len(const cJSON *text);

/* The carried text; "" for NULL. */
const char *rl_text_of(const cJSON *text);

/* NULL-safe: is there at least one byte? */
bool rl_text_any(const cJSON *text);

#endif
