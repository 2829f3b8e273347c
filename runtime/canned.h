/* canned.h -- walk 5, without a network: a response whose bytes are known, told as http.h tells it.
 *
 * Scripted models answer through this, so that what tests see went the same way as bytes from a
 * wire: asynchronously, one piece per turn of the loop, pausable, cancellable, ended once.
 */
#ifndef RL_CANNED_H
#define RL_CANNED_H

#include "http.h"

struct rl_canned;

struct rl_canned_response {
    int status;
    const char *const *headers; /* lines "Name: value" */
    size_t header_count;
    const char *body;
    size_t body_len;
    const size_t *cuts; /* ascending offsets into the body: where a new piece begins */
    size_t cut_count;
};

/* Starts telling a copy of <response>. Returns NULL and <err> without memory. */
struct rl_canned *rl_canned_start(uv_loop_t *loop, const struct rl_canned_response *response,
                                  struct rl_http_head *head, const struct rl_http_events *events,
                                  void *owner, struct rl_err *err);

/* As rl_http_cancel and rl_http_resume. */
void rl_canned_cancel(struct rl_canned *canned);
void rl_canned_resume(struct rl_canned *canned);

#endif
