/* reply_head.h -- beside the walk: what the head of an HTTP response says about failing and trying
 * again.
 *
 * How headers are kept is the transport's affair: it lends a lookup. Pure; nothing is allocated.
 * Source: RFC 9110 10.2.3 (Retry-After) and 5.6.7 (dates); header names of the providers as
 * observed.
 */
#ifndef RL_REPLY_HEAD_H
#define RL_REPLY_HEAD_H

#include <stdbool.h>

/* The value of the header <name> (given in lower case), or NULL. */
typedef const char *rl_header_lookup(const void *headers, const char *name);

struct rl_reply_head {
    int status;               /* HTTP status; 0 counts as 200 */
    rl_header_lookup *lookup; /* may be NULL: no headers */
    const void *headers;      /* handed to lookup */
};

/* The value of one header, or NULL. <name> in lower case. */
const char *rl_reply_header(const struct rl_reply_head *head, const char *name);

/* The id by which the provider's support finds this request; NULL when the server gave none. */
const char *rl_request_id(const struct rl_reply_head *head);

/* How long the server asks to wait, from retry-after-ms or retry-after (seconds or a date). <now>
 * is the wall clock in seconds since 1970; where the server sent its own clock, dates are read by
 * that. False when there is no usable value: none, garbage, negative, past. */
bool rl_retry_after(const struct rl_reply_head *head, double now, double *seconds);

/* May the same request succeed later? By status, unless x-should-retry decides; a 429 that needs
 * its owner to act (quota, billing) is not retried. <code> and <type> are the error's, or NULL. */
bool rl_is_retryable(const struct rl_reply_head *head, const char *code, const char *type);

#endif
