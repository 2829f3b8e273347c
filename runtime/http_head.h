/* http_head.h -- walk 5: the head of a response: its status, and its header fields as they came.
 *
 * Pure: bytes in, fields out. Names are kept in lower case, white space around values is gone, an
 * interim response (1xx) is forgotten when the next one begins. Source: RFC 9110 §5, RFC 9112 §4.
 */
#ifndef RL_HTTP_HEAD_H
#define RL_HTTP_HEAD_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { RL_HTTP_HEAD_MAX = 64 << 10 }; /* bytes of all lines together */

struct rl_http_head {
    int status;           /* 0 until a status line came */
    int version;          /* of HTTP: 1 or 2 */
    bool complete;        /* was the empty line seen? */
    size_t bytes;         /* received, of all heads of this response: capped by RL_HTTP_HEAD_MAX */
    struct rl_buf fields; /* "name\0value\0" … */
};

void rl_http_head_init(struct rl_http_head *head);
void rl_http_head_free(struct rl_http_head *head);

/* Takes one line, its line end included. Returns 0, RL_ETOOBIG or RL_ENOMEM. */
int rl_http_head_line(struct rl_http_head *head, const char *line, size_t len);

/* The value of the first field <name> (any case), or NULL. */
const char *rl_http_head_get(const struct rl_http_head *head, const char *name);

/* Walks the fields: <position> starts at 0. Returns false after the last one. */
bool rl_http_head_next(const struct rl_http_head *head, size_t *position, const char **name,
                       const char **value);

#endif
