/* guard.h -- beside the walk: the one pass that every JSON text from outside takes before cJSON
 * sees it.
 *
 * Linear, without recursion, and without memory as long as nothing must be rewritten. What it
 * accepts is RFC 8259 to the letter; what it writes is carried text (json.h). A byte order mark
 * before the text is skipped.
 */
#ifndef RL_GUARD_H
#define RL_GUARD_H

#include "buf.h"
#include "err.h"

#include <stddef.h>
#include <stdint.h>

struct rl_json_limits;

enum { RL_GUARD_DEEPEST = 512 }; /* whatever the limits say; cJSON itself ends at 1000 */

struct rl_guard {
    const char *text;
    const char *end;
    const struct rl_json_limits *limits;
    struct rl_buf *out; /* the rewritten text; NULL to look only */
    const char
        *copied; /* <text> before it stands in <out>; still <text> when nothing was rewritten */
    unsigned depth;
    size_t nodes;
    uint64_t objects[RL_GUARD_DEEPEST / 64]; /* one bit per open container: is it an object? */
    int code;                                /* RL_OK, RL_ESYNTAX, RL_ETOOBIG or RL_ENOMEM */
    const char *why;                         /* what is wrong, for a person */
    const char *where;                       /* and the byte */
};

/* Scans the first value of <text>. Returns what follows it, or NULL and code, why and where. With
 * <out>, carried text is there afterwards if anything had to be rewritten (copied != text) and
 * rl_guard_flush was called. */
const char *rl_guard_first(struct rl_guard *guard, const char *text, size_t len,
                           const struct rl_json_limits *limits, struct rl_buf *out);

/* The same for a text that is one value and white space, nothing else. */
const char *rl_guard_whole(struct rl_guard *guard, const char *text, size_t len,
                           const struct rl_json_limits *limits, struct rl_buf *out);

#endif
