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
    LONG_BODY = 64 << 10,    /* bytes: up to here libcurl sends a body along with the head */
    WORTH_FREEING = 4 << 10, /* bytes of a body, to look for the moment when it is sent */
    LOOK_MS = 20,            /* between looks at a body that is being sent */
    LINGER_MS = 50,          /* for the server to close a response that its owner has all of */
    DEFAULT_MAX_BYTES = 64 << 20
};

static const long UPLOAD_BUFFER = 64 << 10; /* bytes; libcurl's own choice */

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
    struct curl_slist *headers; /* one block */
    struct rl_http_body body;   /* bytes NULL: none, or sent and freed */
    curl_off_t uploaded;        /* of the body, when we looked last */
    bool looked;
    bool plain; /* can another transfer have the easy handle? */

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
    if (http->plain)
        rl_http_spares_keep(&http->pool->spares, http->easy);
    else
        curl_easy_cleanup(http->easy);
    free(http->headers);
    rl_http_body_free(&http->body);
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
    struct rl_http *http;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &http);
    if (result == CURLE_OK && http->clock.phase < RL_HTTP_RECEIVING)
        result = CURLE_GOT_NOTHING; /* half a head is fine to libcurl */
    if (result == CURLE_OK)
        rl_multi_trust(http->pool->multi, easy);
    if (http->clock.phase == RL_HTTP_LINGERING || (result == CURLE_OK && http->err.code == RL_OK))
        finish(http, &no_trouble);
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


/* Is all of the request out? The wait for the first byte of the response begins when its last one
 * is. */
static bool is_sent(struct rl_http *http)
{
    curl_off_t sent = 0;
    if (http->body.len == 0)
        return true;
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent > http->uploaded && http->body.len > LONG_BODY && http->clock.phase == RL_HTTP_WAITING)
        http->clock.sent_at = uv_now(http->pool->loop);
    http->uploaded = sent;
    return (size_t)sent >= http->body.len;
}


/* Frees what was sent, libcurl's own copy of a long body too (setting the size does that). libcurl
 * repeats a request on a fresh connection only as long as no byte of an answer came. */
static void drop_body(struct rl_http *http)
{
    bool is_answered = http->clock.phase >= RL_HTTP_RECEIVING;
    if (http->body.bytes == NULL || !is_sent(http) || !(is_answered || http->body.remake != NULL))
        return;
    rl_http_body_free(&http->body);
    if (http->body.len > LONG_BODY)
        curl_easy_setopt(http->easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
}


static void on_timer(uv_timer_t *timer);


/* When the request may be out, to free its bytes and to know when the wait for an answer began. */
static uint64_t next_look(const struct rl_http *http, uint64_t now)
{
    bool is_worth_it =
        http->body.len > LONG_BODY || (http->body.remake != NULL && http->body.len > WORTH_FREEING);
    if (http->clock.phase != RL_HTTP_WAITING || http->body.bytes == NULL || !is_worth_it ||
        (http->uploaded > 0 && (size_t)http->uploaded >= http->body.len))
        return UINT64_MAX;
    return http->looked ? now + LOOK_MS : now;
}


/* Deadlines move outwards with every byte; the timer is moved only when one came nearer, and looks
 * anew when it fires. */
static void arm(struct rl_http *http)
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
        finish(http, &no_trouble);
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
            finish(http, &no_trouble);
        return;
    }
    http->armed_for = 0;
    http->looked = true;
    drop_body(http);
    struct rl_http_due due = rl_http_clock_due(&http->clock);
    if (due.at <= uv_now(http->pool->loop))
        time_out(http, due.limit);
    else
        arm(http);
}


/* ------------------------------------------------------------------ callbacks of libcurl */

/* Why libcurl is made to stop stands in err, and what it thinks of that is not to be written there.
 */
static size_t stop(struct rl_http *http)
{
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
    return 0;
}


/* libcurl repeats a request whose bytes were freed. */
static bool restore_body(struct rl_http *http)
{
    if (http->body.bytes != NULL || http->body.len == 0)
        return true;
    http->body.bytes = http->body.remake(http->owner, http->body.len);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, http->body.bytes);
    return http->body.bytes != NULL;
}


/* CURLOPT_PREREQFUNCTION: connected; the request goes out now. */
static int on_connected(void *owner, char *peer, char *local, int peer_port, int local_port)
{
    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    struct rl_http *http = owner;
    if (!restore_body(http)) {
        rl_err_set(&http->err, RL_ECONNECT, "the server closed a connection that was still in use");
        stop(http);
        return CURL_PREREQFUNC_ABORT;
    }
    http->clock.phase = RL_HTTP_WAITING;
    http->clock.sent_at = uv_now(http->pool->loop);
    http->looked = false;
    http->uploaded = 0;
    arm(http);
    return CURL_PREREQFUNC_OK;
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
        rl_http_explain_size(&http->err, http->easy, rc, "header fields", RL_HTTP_HEAD_MAX);
        return stop(http);
    }
    if (http->head->complete && http->head->status >= 200)
        begin_receiving(http);
    return len;
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
        rl_http_explain_size(&http->err, http->easy, RL_ETOOBIG, "its body (max_bytes)",
                             http->max_bytes);
        return stop(http);
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
    return verdict < 0 ? stop(http) : len;
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


/* One that libuv does not know yet; NULL is fine. */
static void free_http(struct rl_http *http)
{
    if (http == NULL)
        return;
    curl_easy_cleanup(http->easy);
    free(http->headers);
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
    http->headers = rl_http_header_list(request);
    http->pool = pool;
    http->plain = request->ca_file == NULL;
    if (http->easy != NULL && http->headers != NULL && dress(http, request) == CURLE_OK)
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
    arm(http);
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
    rl_http_spares_free(&pool->spares);
    rl_multi_close(pool->multi);
    free(pool);
}


size_t rl_http_pool_count(const struct rl_http_pool *pool)
{
    return pool->untold;
}
