/* http.c -- walk 5: one HTTP request and its response, on libcurl. See http.h.
 *
 * The way of a transfer: connecting -> waiting (request sent) -> receiving (head complete), and
 * lingering when its owner had enough before the server closed the response. Every end passes
 * finish(), and tell() speaks to the owner once.
 */
#include "http.h"

#include "http_error.h"
#include "http_multi.h"
#include "http_request.h"

#include <stdlib.h>
#include <string.h>

enum {
    EASY_SPARE = 64,        /* easy handles kept for the next transfer; 5 KB each */
    LONG_UPLOAD = 64 << 10, /* bytes: up to here libcurl sends a body along with the head */
    LINGER_MS = 50,         /* for the server to close a response that its owner has all of */
    DEFAULT_MAX_BYTES = 64 << 20
};

struct rl_http_pool {
    uv_loop_t *loop;
    struct rl_multi *multi;
    struct rl_http *running;
    size_t untold; /* transfers whose owner still waits */
    CURL *spare[EASY_SPARE];
    size_t spares;
};

struct rl_http {
    uv_timer_t timer; /* for the nearest deadline; closing it frees the transfer */
    struct rl_http_pool *pool;
    struct rl_http *next, *prev; /* in pool->running */
    CURL *easy;
    struct rl_shard *shard;
    struct curl_slist *headers; /* one block */
    char *body;
    size_t body_len;
    curl_off_t uploaded; /* of a long body, when the timer looked last */
    bool plain;          /* can another transfer have the easy handle? */

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


static void keep_easy(struct rl_http *http)
{
    struct rl_http_pool *pool = http->pool;
    if (!http->plain || pool->spares == EASY_SPARE) {
        curl_easy_cleanup(http->easy);
        return;
    }
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
    pool->spare[pool->spares++] = http->easy;
}


/* The only end of a transfer, whatever the cause. */
static void finish(struct rl_http *http, const struct rl_err *err)
{
    if (http->shard != NULL)
        rl_multi_remove(http->shard, http->easy);
    if (http->prev != NULL)
        http->prev->next = http->next;
    else
        http->pool->running = http->next;
    if (http->next != NULL)
        http->next->prev = http->prev;
    keep_easy(http);
    free(http->headers);
    free(http->body);
    uv_close((uv_handle_t *)&http->timer, on_closed);
    tell(http, err);
}


static void fail(struct rl_http *http, CURLcode result)
{
    struct rl_err err = http->err;
    bool in_head = http->clock.phase == RL_HTTP_WAITING;
    if (err.code == RL_OK)
        rl_http_explain(&err, http->easy, result, in_head, http->err.message, http->received);
    finish(http, &err);
}


/* libcurl says that a transfer is over. */
static void on_end(CURL *easy, CURLcode result)
{
    static const struct rl_err none = {0};
    struct rl_http *http;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &http);
    if (result == CURLE_OK && http->clock.phase < RL_HTTP_RECEIVING)
        result = CURLE_GOT_NOTHING; /* half a head is fine to libcurl */
    if (result == CURLE_OK)
        rl_multi_trust(http->pool->multi, easy);
    if (http->clock.phase == RL_HTTP_LINGERING || (result == CURLE_OK && http->err.code == RL_OK))
        finish(http, &none);
    else
        fail(http, result);
}


/* ------------------------------------------------------------------ timers */

static void time_out(struct rl_http *http, enum rl_http_limit limit)
{
    char shown[RL_HTTP_SHOWN_MAX];
    struct rl_err err;
    rl_http_shown_easy(shown, http->easy);
    rl_http_clock_explain(&http->clock, limit, shown, &err);
    finish(http, &err);
}


/* The wait for the first byte of the response begins when the last byte of the body is out. Returns
 * whether there is more to send. */
static bool look_at_upload(struct rl_http *http)
{
    if (http->clock.phase != RL_HTTP_WAITING || http->body_len <= LONG_UPLOAD)
        return false;
    curl_off_t sent = 0;
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent > http->uploaded) {
        http->uploaded = sent;
        http->clock.sent_at = uv_now(http->pool->loop);
    }
    return (size_t)sent < http->body_len;
}


static void on_timer(uv_timer_t *timer);


/* Deadlines move outwards with every byte; the timer is moved only when one came nearer, and looks
 * anew when it fires. */
static void arm(struct rl_http *http)
{
    uint64_t now = uv_now(http->pool->loop);
    struct rl_http_due due = rl_http_clock_due(&http->clock);
    if (due.limit == RL_HTTP_FIRST_BYTE && look_at_upload(http)) /* when was the last byte sent? */
        due.at = now + (uint64_t)http->clock.limits.first_byte_ms / 10;
    if (due.limit == RL_HTTP_NO_LIMIT || (http->armed_for != 0 && http->armed_for <= due.at))
        return;
    http->armed_for = due.at;
    uv_timer_start(&http->timer, on_timer, due.at > now ? due.at - now : 0, 0);
}


static void linger(struct rl_http *http)
{
    static const struct rl_err none = {0};
    uv_timer_start(&http->timer, on_timer, LINGER_MS, 0);
    tell(http, &none);
}


static void on_timer(uv_timer_t *timer)
{
    static const struct rl_err none = {0};
    struct rl_http *http = timer->data;
    if (http->clock.phase == RL_HTTP_LINGERING) {
        if (http->events != NULL)
            linger(http);
        else
            finish(http, &none);
        return;
    }
    http->armed_for = 0;
    look_at_upload(http);
    struct rl_http_due due = rl_http_clock_due(&http->clock);
    if (due.at <= uv_now(http->pool->loop))
        time_out(http, due.limit);
    else
        arm(http);
}


/* ------------------------------------------------------------------ callbacks of libcurl */

/* CURLOPT_PREREQFUNCTION: connected; the request goes out now. */
static int on_connected(void *owner, char *peer, char *local, int peer_port, int local_port)
{
    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    struct rl_http *http = owner;
    http->clock.phase = RL_HTTP_WAITING;
    http->clock.sent_at = uv_now(http->pool->loop);
    arm(http);
    return CURL_PREREQFUNC_OK;
}


/* The copy of the request is not needed when it is out and answered: libcurl repeats a request, on
 * a fresh connection, only as long as no byte of an answer came. */
static void drop_body(struct rl_http *http)
{
    curl_off_t sent = 0;
    if (http->body == NULL)
        return;
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if ((size_t)sent < http->body_len)
        return;
    free(http->body);
    http->body = NULL;
}


static void begin_receiving(struct rl_http *http)
{
    http->clock.phase = RL_HTTP_RECEIVING;
    http->clock.byte_at = http->clock.data_at = uv_now(http->pool->loop);
    drop_body(http);
    arm(http);
    if (http->events->on_head != NULL)
        http->events->on_head(http->owner);
}


/* CURLOPT_HEADERFUNCTION: one line at a time. */
static size_t on_header(char *line, size_t size, size_t count, void *owner)
{
    struct rl_http *http = owner;
    size_t len = size * count;
    if (http->events == NULL || http->clock.phase == RL_HTTP_RECEIVING ||
        http->clock.phase == RL_HTTP_LINGERING)
        return len; /* trailers */
    int rc = rl_http_head_line(http->head, line, len);
    if (rc != RL_OK) {
        char shown[RL_HTTP_SHOWN_MAX];
        rl_http_shown_easy(shown, http->easy);
        rl_err_set(&http->err, rc, "%s sent more than %d bytes of header fields", shown,
                   RL_HTTP_HEAD_MAX);
        return 0;
    }
    if (http->head->complete && http->head->status >= 200)
        begin_receiving(http);
    return len;
}


static void refuse_size(struct rl_http *http)
{
    char shown[RL_HTTP_SHOWN_MAX];
    rl_http_shown_easy(shown, http->easy);
    rl_err_set(&http->err, RL_ETOOBIG, "the response of %s is larger than %lld bytes (max_bytes)",
               shown, (long long)http->max_bytes);
}


/* CURLOPT_WRITEFUNCTION: bytes of the body, decoded. */
static size_t on_body(char *bytes, size_t size, size_t count, void *owner)
{
    struct rl_http *http = owner;
    size_t len = size * count;
    uint64_t now = uv_now(http->pool->loop);
    if (http->clock.phase == RL_HTTP_LINGERING)
        return len;
    if ((int64_t)len > http->max_bytes - http->received) {
        refuse_size(http);
        return 0;
    }
    int verdict = http->events->on_bytes(http->owner, bytes, len, &http->err);
    if (verdict == RL_HTTP_PAUSE) {
        http->clock.paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    http->received += (int64_t)len;
    http->clock.byte_at = now;
    if (verdict == RL_HTTP_MORE)
        http->clock.data_at = now;
    if (verdict == RL_HTTP_STOP) { /* often the end is in the same packet; else the timer tells */
        http->clock.phase = RL_HTTP_LINGERING;
        uv_timer_start(&http->timer, on_timer, 0, 0);
    }
    return verdict < 0 ? 0 : len;
}


/* ------------------------------------------------------------------ the start */

static CURL *new_easy(struct rl_http_pool *pool)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    rl_multi_adopt(pool->multi, easy);
    rl_http_set_house_rules(easy);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    return easy;
}


/* Everything that differs between transfers; easy handles are used again without a reset. */
static CURLcode dress(struct rl_http *http, const struct rl_http_request *request)
{
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, http);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, http);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->err.message);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
    return rl_http_set_request(easy, request);
}


static struct rl_http *new_http(struct rl_http_pool *pool, const struct rl_http_request *request)
{
    struct rl_http *http = calloc(1, sizeof(*http));
    if (http == NULL)
        return NULL;
    http->easy = pool->spares > 0 ? pool->spare[--pool->spares] : new_easy(pool);
    http->headers = rl_http_header_list(request);
    http->pool = pool;
    http->plain = request->ca_file == NULL;
    if (http->easy != NULL && http->headers != NULL && dress(http, request) == CURLE_OK)
        return http;
    curl_easy_cleanup(http->easy);
    free(http->headers);
    free(http);
    return NULL;
}


static void start_clock(struct rl_http *http, const struct rl_http_limits *limits)
{
    http->clock.limits = *limits;
    http->clock.started_at = uv_now(http->pool->loop);
    uv_timer_init(http->pool->loop, &http->timer);
    http->timer.data = http;
    arm(http);
}


struct rl_http *rl_http_start(struct rl_http_pool *pool, const struct rl_http_request *request,
                              struct rl_http_head *head, const struct rl_http_events *events,
                              void *owner, struct rl_err *err)
{
    struct rl_http *http = new_http(pool, request);
    if (http == NULL) {
        free(request->body);
        rl_err_set(err, RL_ENOMEM, "not enough memory for a request");
        return NULL;
    }
    http->shard = rl_multi_add(pool->multi, http->easy, err);
    if (http->shard == NULL) {
        curl_easy_cleanup(http->easy);
        free(http->headers);
        free(http);
        free(request->body);
        return NULL;
    }
    http->body = request->body;
    http->body_len = request->body_len;
    http->max_bytes = request->max_bytes >= 0 ? request->max_bytes : DEFAULT_MAX_BYTES;
    http->head = head;
    http->events = events;
    http->owner = owner;
    http->next = pool->running;
    if (pool->running != NULL)
        pool->running->prev = http;
    pool->running = http;
    pool->untold++;
    start_clock(http, &request->limits);
    return http;
}


void rl_http_cancel(struct rl_http *http)
{
    struct rl_err err;
    rl_err_set(&err, RL_ECANCELLED, "the request was cancelled");
    finish(http, &err);
}


void rl_http_resume(struct rl_http *http)
{
    if (!http->clock.paused)
        return;
    http->clock.paused = false;
    http->clock.byte_at = http->clock.data_at = uv_now(http->pool->loop);
    CURLcode result = rl_multi_resume(http->shard, http->easy);
    if (result != CURLE_OK)
        fail(http, result);
    else
        arm(http);
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
    pool->multi = rl_multi_open(loop, on_end, err);
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
    while (pool->spares > 0)
        curl_easy_cleanup(pool->spare[--pool->spares]);
    rl_multi_close(pool->multi);
    free(pool);
}


size_t rl_http_pool_count(const struct rl_http_pool *pool)
{
    return pool->untold;
}
