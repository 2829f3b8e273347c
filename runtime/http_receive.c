/* http_receive.c -- walk 5: what libcurl calls while a transfer runs. See http_transfer.h.
 *
 * Nothing here ends a transfer or calls a curl_multi function: that is forbidden inside libcurl. To
 * stop it the reason is left in the transfer, and libcurl's own end is awaited.
 */
#include "http_error.h"
#include "http_transfer.h"


/* Why libcurl is made to stop stands in err: what it thinks of that is not to be written there. */
static size_t stop(struct rl_http *http)
{
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
    return 0;
}


/* libcurl repeats a request whose bytes were freed. */
static bool restore_body(struct rl_http *http)
{
    if (http->body.bytes != NULL || http->body.read != NULL || http->body.len == 0)
        return true;
    if (http->body.remake != NULL)
        http->body.bytes = http->body.remake(http->owner, http->body.len);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, http->body.bytes);
    return http->body.bytes != NULL;
}


/* CURLOPT_READFUNCTION: the next bytes of a long body. */
static size_t on_read(char *to, size_t size, size_t count, void *owner)
{
    struct rl_http *http = owner;
    size_t len = http->body.read(http->owner, http->read_at, to, size * count);
    http->read_at += len;
    return len;
}


/* CURLOPT_SEEKFUNCTION: libcurl repeats a request. */
static int on_seek(void *owner, curl_off_t offset, int origin)
{
    struct rl_http *http = owner;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    http->read_at = 0;
    return CURL_SEEKFUNC_OK;
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
    http->sendings++;
    http->clock.phase = RL_HTTP_WAITING;
    http->clock.sent_at = uv_now(http->pool->loop);
    http->uploaded = 0;
    rl_http_arm(http);
    return CURL_PREREQFUNC_OK;
}


static void begin_receiving(struct rl_http *http)
{
    http->clock.phase = RL_HTTP_RECEIVING;
    http->clock.byte_at = http->clock.data_at = uv_now(http->pool->loop);
    rl_http_drop_body(http);
    rl_http_arm(http);
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
        rl_http_set_paused(http, true);
        return CURL_WRITEFUNC_PAUSE;
    }
    http->received += (int64_t)len;
    http->clock.byte_at = now;
    if (verdict == RL_HTTP_MORE)
        http->clock.data_at = now;
    if (verdict == RL_HTTP_STOP)
        rl_http_enough(http);
    return verdict < 0 ? stop(http) : len;
}


void rl_http_set_callbacks(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
}
