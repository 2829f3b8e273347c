/* http.c -- walk 5: one HTTP request and its response, on libcurl. See http.h and http_transfer.h.
 */
#include "http.h"

#include "http_multi.h"
#include "http_request.h"
#include "http_transfer.h"

#include <stdlib.h>

enum { DEFAULT_MAX_BYTES = 64 << 20 };


static CURL *new_easy(struct rl_http_pool *pool)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    rl_multi_adopt(pool->multi, easy);
    rl_http_set_house_rules(easy);
    rl_http_set_callbacks(easy);
    return easy;
}


/* Bytes that one read takes, and that a transfer holds while it waits. What comes in a burst comes
 * cheapest in large reads, and what thousands hold is small. */
static long receive_buffer(size_t transfers)
{
    return transfers < 8 ? 16384 : transfers < 64 ? 4096 : 1024;
}


/* Everything that differs between transfers; easy handles are used again without a reset. */
static CURLcode dress(struct rl_http *http, const struct rl_http_request *request)
{
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, http);
    curl_easy_setopt(easy, CURLOPT_READDATA, http);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, http);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, http);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->err.message);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, receive_buffer(http->pool->untold));
    return rl_http_set_request(easy, request, http->template);
}


/* One that libuv does not know yet; NULL is fine. */
static void free_http(struct rl_http *http)
{
    if (http == NULL)
        return;
    curl_easy_cleanup(http->easy);
    rl_http_template_unref(http->template);
    free(http);
}


static struct rl_http *new_http(struct rl_http_pool *pool, const struct rl_http_request *request)
{
    struct rl_http *http = calloc(1, sizeof(*http));
    if (http == NULL)
        return NULL;
    http->easy = rl_http_spares_take(&pool->spares);
    if (http->easy == NULL)
        http->easy = new_easy(pool);
    http->template =
        request->template != NULL
            ? rl_http_template_share(request->template)
            : rl_http_template_new(request->url, request->headers, request->header_count);
    http->pool = pool;
    if (http->easy != NULL && http->template != NULL && dress(http, request) == CURLE_OK)
        return http;
    free_http(http);
    return NULL;
}


static void start_clock(struct rl_http *http, const struct rl_http_limits *limits)
{
    http->clock.limits = *limits;
    http->clock.started_at = uv_now(http->pool->loop);
    uv_timer_init(http->pool->loop, &http->timer);
    http->timer.data = http;
    rl_http_arm(http);
}


/* The transfer is on its way: it belongs to the owner's business and the pool's list. */
static void launch(struct rl_http *http, const struct rl_http_request *request)
{
    struct rl_http_pool *pool = http->pool;
    http->body = request->body;
    http->max_bytes = request->max_bytes >= 0 ? request->max_bytes : DEFAULT_MAX_BYTES;
    http->next = pool->running;
    if (pool->running != NULL)
        pool->running->prev = http;
    pool->running = http;
    pool->untold++;
    start_clock(http, &request->limits);
}


struct rl_http *rl_http_start(struct rl_http_pool *pool, const struct rl_http_request *request,
                              struct rl_http_head *head, const struct rl_http_events *events,
                              void *owner, struct rl_err *err)
{
    struct rl_http *http = new_http(pool, request);
    if (http == NULL)
        rl_err_set(err, RL_ENOMEM, "not enough memory for a request");
    else
        http->shard = rl_multi_add(pool->multi, http->easy, err);
    if (http == NULL || http->shard == NULL) {
        struct rl_http_body body = request->body;
        rl_http_body_free(&body);
        free_http(http);
        return NULL;
    }
    http->head = head;
    http->events = events;
    http->owner = owner;
    launch(http, request);
    return http;
}


void rl_http_cancel(struct rl_http *http)
{
    struct rl_err err;
    rl_err_set(&err, RL_ECANCELLED, "the request was cancelled");
    rl_http_finish(http, &err);
}


void rl_http_resume(struct rl_http *http)
{
    if (!http->clock.paused)
        return;
    rl_http_set_paused(http, false);
    http->clock.byte_at = http->clock.data_at = uv_now(http->pool->loop);
    CURLcode result = rl_multi_resume(http->shard, http->easy);
    if (result != CURLE_OK)
        rl_http_fail(http, result);
    else
        rl_http_arm(http);
}


/* ------------------------------------------------------------------ the pool */

struct rl_http_pool *rl_http_pool_open(uv_loop_t *loop, struct rl_err *err)
{
    struct rl_http_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        rl_err_set(err, RL_ENOMEM, "not enough memory for HTTP");
        return NULL;
    }
    pool->loop = loop;
    pool->multi = rl_multi_open(loop, rl_http_on_end, err);
    if (pool->multi == NULL) {
        free(pool);
        return NULL;
    }
    return pool;
}


void rl_http_pool_close(struct rl_http_pool *pool)
{
    while (pool->running != NULL)
        rl_http_cancel(pool->running);
    rl_http_spares_free(&pool->spares);
    rl_multi_close(pool->multi);
    free(pool);
}


size_t rl_http_pool_count(const struct rl_http_pool *pool)
{
    return pool->untold;
}
