/* http_transfer.h -- walk 5: what the files of http.c share: a running transfer and its one end.
 *
 * The way of a transfer: connecting -> waiting (request sent) -> receiving (head complete), and
 * lingering when its owner had enough before the server closed the response. http.c starts it,
 * http_receive.c is called by libcurl, http_transfer.c keeps its time and ends it.
 */
#ifndef RL_HTTP_TRANSFER_H
#define RL_HTTP_TRANSFER_H

#include "http.h"
#include "http_multi.h"
#include "http_request.h"

struct rl_http_pool {
    uv_loop_t *loop;
    struct rl_multi *multi;
    struct rl_http *running;
    size_t untold;                /* transfers whose owner still waits */
    struct rl_http_spares spares; /* easy handles without a transfer */
};

struct rl_http {
    uv_timer_t timer; /* for the nearest deadline; closing it frees the transfer */
    struct rl_http_pool *pool;
    struct rl_http *next, *prev; /* in pool->running */
    CURL *easy;
    struct rl_shard *shard;
    struct rl_http_template *template;
    struct rl_http_body body; /* bytes NULL: none, or sent and freed */
    size_t read_at;           /* bytes that body.read gave */
    curl_off_t uploaded;      /* of the body, when we looked last */
    int sendings;             /* how often libcurl was about to send the request */

    struct rl_http_head *head; /* these three are the owner's; events NULL: it knows the end */
    const struct rl_http_events *events;
    void *owner;

    struct rl_http_clock clock;
    uint64_t armed_for; /* uv_now; 0: the timer is not set */
    int64_t received;   /* bytes of the decoded body */
    int64_t max_bytes;
    struct rl_err err; /* set by a callback that made libcurl stop; until then, with code RL_OK, its
                          message is where libcurl writes its own */
};

_Static_assert(sizeof(((struct rl_err *)0)->message) >= CURL_ERROR_SIZE, "libcurl writes there");

/* The only end of a transfer, whatever the cause; its owner is told unless it knows. <err> may not
 * be a part of <http>. */
void rl_http_finish(struct rl_http *http, const struct rl_err *err);

/* Ends it with what a callback left in <http>, else with the sentence for libcurl's <result>. */
void rl_http_fail(struct rl_http *http, CURLcode result);

/* libcurl says that a transfer is over (rl_multi_on_end). */
void rl_http_on_end(CURL *easy, CURLcode result);

void rl_http_set_paused(struct rl_http *http, bool paused);

/* Frees the bytes of the request when they are sent and not needed again. */
void rl_http_drop_body(struct rl_http *http);

/* Sets the timer for the nearest deadline, if that is nearer than what it is set for. */
void rl_http_arm(struct rl_http *http);

/* The owner has all it wants: it is told in the next turn of the loop, unless the response ends
 * before. */
void rl_http_enough(struct rl_http *http);

/* Gives a new easy handle its callbacks, for all transfers. */
void rl_http_set_callbacks(CURL *easy);

#endif
