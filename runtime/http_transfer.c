/* http_transfer.c -- walk 5: the time and the end of a transfer. See http_transfer.h. */
#include "http_transfer.h"

#include "http_error.h"

#include <stdlib.h>

enum {
    WORTH_FREEING = 4 << 10, /* bytes of a body, to look for the moment when it is sent */
    LOOK_MS = 20,            /* before a look at a body that is being sent */
    LINGER_MS = 50           /* for the server to close a response that its owner has all of */
};

static const long UPLOAD_BUFFER = 64 << 10; /* bytes; libcurl's own choice */

static const struct rl_err no_trouble = {0};


/* ------------------------------------------------------------------ the end */

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}


/* The owner learns the end, once. */
static void tell(struct rl_http *http, const struct rl_err *err)
{
    const struct rl_http_events *events = http->events;
    if (events == NULL)
        return;
    http->events = NULL;
    http->pool->untold--;
    events->on_done(http->owner, err);
}


void rl_http_set_paused(struct rl_http *http, bool paused)
{
    if (http->clock.paused != paused)
        rl_multi_count_paused(http->pool->multi, paused ? 1 : -1);
    http->clock.paused = paused;
}


/* An easy handle counts for all its life how often libcurl repeated a request because its
 * connection had died, and gives up at the sixth time: only one that surely repeated nothing is
 * used again. */
static void give_back(struct rl_http *http)
{
    if (http->sendings == 1 && http->clock.phase >= RL_HTTP_RECEIVING)
        rl_http_spares_keep(&http->pool->spares, http->easy);
    else
        curl_easy_cleanup(http->easy);
}


/* The only end of a transfer, whatever the cause. */
void rl_http_finish(struct rl_http *http, const struct rl_err *err)
{
    rl_http_set_paused(http, false);
    rl_multi_remove(http->shard, http->easy);
    if (http->prev != NULL)
        http->prev->next = http->next;
    else
        http->pool->running = http->next;
    if (http->next != NULL)
        http->next->prev = http->prev;
    give_back(http);
    rl_http_template_unref(http->template);
    rl_http_body_free(&http->body);
    uv_close((uv_handle_t *)&http->timer, on_closed);
    tell(http, err);
}


void rl_http_fail(struct rl_http *http, CURLcode result)
{
    struct rl_err err = http->err;
    bool in_head = http->clock.phase == RL_HTTP_WAITING;
    if (err.code == RL_OK)
        rl_http_explain(&err, http->easy, result, in_head, http->err.message, http->received);
    rl_http_finish(http, &err);
}


/* libcurl says that a transfer is over. */
void rl_http_on_end(CURL *easy, CURLcode result)
{
    struct rl_http *http;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &http);
    if (result == CURLE_OK && http->clock.phase < RL_HTTP_RECEIVING)
        result = CURLE_GOT_NOTHING; /* half a head is fine to libcurl */
    if (result == CURLE_OK)
        rl_multi_trust(http->pool->multi, easy);
    if (http->clock.phase == RL_HTTP_LINGERING || (result == CURLE_OK && http->err.code == RL_OK))
        rl_http_finish(http, &no_trouble);
    else
        rl_http_fail(http, result);
}


/* ------------------------------------------------------------------ timers */

static void time_out(struct rl_http *http, enum rl_http_limit limit)
{
    char shown[RL_HTTP_SHOWN_MAX];
    struct rl_err err;
    rl_http_shown_easy(shown, http->easy);
    rl_http_clock_explain(&http->clock, limit, shown, &err);
    rl_http_finish(http, &err);
}


/* Is all of the request out? The wait for the first byte of the response begins when its last one
 * is. */
static bool is_sent(struct rl_http *http)
{
    curl_off_t sent = 0;
    if (http->body.len == 0)
        return true;
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent > http->uploaded && http->body.len > RL_HTTP_LONG_BODY &&
        http->clock.phase == RL_HTTP_WAITING)
        http->clock.sent_at = uv_now(http->pool->loop);
    http->uploaded = sent;
    return (size_t)sent >= http->body.len;
}


/* Frees what was sent, libcurl's own copy of a long body too (setting the size does that). libcurl
 * repeats a request on a fresh connection only as long as no byte of an answer came. */
void rl_http_drop_body(struct rl_http *http)
{
    const struct rl_http_body *body = &http->body;
    bool is_needed = http->clock.phase < RL_HTTP_RECEIVING && body->remake == NULL;
    if (body->read == NULL && (body->bytes == NULL || is_needed))
        return;
    if (!is_sent(http))
        return;
    rl_http_body_free(&http->body);
    if (body->len > RL_HTTP_LONG_BODY)
        curl_easy_setopt(http->easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
}


static void on_timer(uv_timer_t *timer);


/* When the request may be out, to free its bytes and to know when the wait for an answer began. */
static uint64_t next_look(const struct rl_http *http, uint64_t now)
{
    const struct rl_http_body *body = &http->body;
    bool is_kept = body->bytes != NULL || body->read != NULL;
    bool is_worth_it =
        body->len > RL_HTTP_LONG_BODY || (body->remake != NULL && body->len > WORTH_FREEING);
    if (http->clock.phase != RL_HTTP_WAITING || !is_kept || !is_worth_it ||
        (http->uploaded > 0 && (size_t)http->uploaded >= body->len))
        return UINT64_MAX;
    return now + LOOK_MS;
}


/* Deadlines move outwards with every byte; the timer is moved only when one came nearer, and looks
 * anew when it fires. */
void rl_http_arm(struct rl_http *http)
{
    uint64_t now = uv_now(http->pool->loop);
    uint64_t at = rl_http_clock_due(&http->clock).at;
    uint64_t look_at = next_look(http, now);
    if (look_at < at)
        at = look_at;
    if (at == UINT64_MAX || (http->armed_for != 0 && http->armed_for <= at))
        return;
    http->armed_for = at;
    uv_timer_start(&http->timer, on_timer, at > now ? at - now : 0, 0);
}


/* The owner has all it wants; the connection is kept if the server ends the response soon. */
static void linger(struct rl_http *http)
{
    if (!is_sent(http)) {
        rl_http_finish(http, &no_trouble);
        return;
    }
    rl_http_body_free(&http->body);
    uv_timer_start(&http->timer, on_timer, LINGER_MS, 0);
    tell(http, &no_trouble);
}


static void on_timer(uv_timer_t *timer)
{
    struct rl_http *http = timer->data;
    if (http->clock.phase == RL_HTTP_LINGERING) {
        if (http->events != NULL)
            linger(http);
        else
            rl_http_finish(http, &no_trouble);
        return;
    }
    http->armed_for = 0;
    rl_http_drop_body(http);
    struct rl_http_due due = rl_http_clock_due(&http->clock);
    if (due.at <= uv_now(http->pool->loop))
        time_out(http, due.limit);
    else
        rl_http_arm(http);
}


void rl_http_enough(struct rl_http *http)
{
    http->clock.phase = RL_HTTP_LINGERING;
    uv_timer_start(&http->timer, on_timer, 0, 0);
}
