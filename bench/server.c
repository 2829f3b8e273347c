/* server.c -- beside the walk: the scripted server of the benchmark: server [PORT].
 *
 * Prints its port and serves on loopback until standard input ends. HTTP/1.1 with keep-alive. What
 * it answers stands in the path, so that it needs no state: /r2p8c16k100d5h50/chat/completions
 * means two rounds (r) with eight tool calls each (p; 1) and then the answer, as events with an
 * answer of 16 chunks, each an HTTP chunk of its own (c; 0: plain bodies, the answer 100 bytes
 * longer than usual (k)), 5 ms after the request (d), not before 50 requests wait (h), and 20 ms
 * from one chunk to the next (s). The round is read from the last call_<round>_<index> of the
 * request, and all results of that round must be there. Replies are made once.
 */
#include "wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <uv.h>

enum {
    SCRIPTS = 64,
    HOLD_MS = 400, /* after the last one of those that are held has come */
    ARGUMENT_CHUNKS = 4,
    FIRST_BUFFER = 8192
};

struct script {
    char path[48]; /* "r2c16d5h100" */
    int rounds, parallel, chunks, padding, delay_ms, hold, pace_ms;
    struct text *replies; /* by round; made when first needed */
    struct client *held;
    int held_count;
    uv_timer_t release;
};

struct client {
    uv_tcp_t tcp;
    uv_timer_t timer;
    char *in;
    size_t len, cap;
    int open_handles;
    const struct text *reply;
    size_t sent; /* of the reply */
    int pace_ms;
    struct client *next_held;
};

static struct script scripts[SCRIPTS];
static uv_loop_t *loop;


/* ------------------------------------------------------------------ replies */

static void head(struct text *out, const char *type, const char *length)
{
    text_format(out,
                "HTTP/1.1 200 OK\r\nDate: Mon, 10 Mar 2025 01:12:32 GMT\r\nContent-Type: %s\r\n"
                "openai-processing-ms: 5\r\nx-request-id: req_4c1bf10c5d0b4f0c9f2a\r\n%s\r\n\r\n",
                type, length);
}


static void http_chunk(struct text *out, struct text *data)
{
    struct text event = {0};
    text_format(&event, "data: %s\n\n", data->data);
    text_format(out, "%zx\r\n%s\r\n", event.len, event.data);
    free(event.data);
    data->len = 0;
}


static void stream_call(struct text *out, struct text *data, int round, int index)
{
    for (int i = 0; i < ARGUMENT_CHUNKS - 1; i++) {
        wire_argument_chunk(data, i, round + 1, index);
        http_chunk(out, data);
    }
    wire_closing_chunk(data, index);
    http_chunk(out, data);
}


static void stream(struct text *out, const struct script *script, int round)
{
    bool calls = round < script->rounds;
    struct text data = {0};
    head(out, "text/event-stream", "Transfer-Encoding: chunked");
    for (int index = 0; calls && index < script->parallel; index++)
        stream_call(out, &data, round, index);
    for (int i = 0; !calls && i < script->chunks; i++) {
        wire_content_chunk(&data, i);
        http_chunk(out, &data);
    }
    wire_finish_chunk(&data, calls ? "tool_calls" : "stop");
    http_chunk(out, &data);
    wire_usage_chunk(&data);
    http_chunk(out, &data);
    text_format(&data, "[DONE]");
    http_chunk(out, &data);
    text_format(out, "0\r\n\r\n");
    free(data.data);
}


static void plain(struct text *out, const struct script *script, int round)
{
    char length[48];
    struct text body = {0};
    if (round < script->rounds)
        wire_call_body(&body, round + 1, script->parallel);
    else
        wire_answer_body(&body, script->padding);
    snprintf(length, sizeof(length), "Content-Length: %zu", body.len);
    head(out, "application/json", length);
    text_add(out, body.data, body.len);
    free(body.data);
}


static const struct text *reply_of(struct script *script, int round)
{
    struct text *reply = &script->replies[round < script->rounds ? round : script->rounds];
    if (reply->len > 0)
        return reply;
    if (script->chunks > 0)
        stream(reply, script, round);
    else
        plain(reply, script, round);
    return reply;
}


/* ------------------------------------------------------------------ scripts */

static void on_release(uv_timer_t *timer);


static void read_script(struct script *script, const char *path, size_t len)
{
    memcpy(script->path, path, len);
    script->parallel = 1;
    for (const char *at = script->path; *at != '\0';) {
        char key = *at++;
        int value = (int)strtol(at, (char **)&at, 10);
        switch (key) {
        case 'r': script->rounds = value; break;
        case 'p': script->parallel = value; break;
        case 'k': script->padding = value; break;
        case 'c': script->chunks = value; break;
        case 'd': script->delay_ms = value; break;
        case 'h': script->hold = value; break;
        case 's': script->pace_ms = value; break;
        default: fprintf(stderr, "bench server: no such script: %s\n", script->path); exit(2);
        }
    }
    script->replies = calloc((size_t)script->rounds + 1, sizeof(*script->replies));
    if (script->replies == NULL)
        abort();
    uv_timer_init(loop, &script->release);
    script->release.data = script;
}


/* "POST /r2c0/chat/completions …" */
static struct script *find_script(const char *request)
{
    const char *path = strchr(request, '/') + 1;
    size_t len = strcspn(path, "/ ");
    for (struct script *script = scripts; script < scripts + SCRIPTS; script++) {
        if (script->path[0] == '\0' && len < sizeof(script->path))
            read_script(script, path, len);
        if (strlen(script->path) == len && memcmp(script->path, path, len) == 0)
            return script;
    }
    fprintf(stderr, "bench server: too many scripts\n");
    exit(2);
}


/* The number of the last call that the request answers; it stands near the end. */
static int round_of(const char *body, size_t len)
{
    static const char mark[] = "\"call_";
    for (const char *at = body + len - sizeof(mark); at >= body; at--)
        if (*at == '"' && memcmp(at, mark, sizeof(mark) - 1) == 0)
            return atoi(at + sizeof(mark) - 1);
    return 0;
}


/* All calls of the last round have to be answered, in their order, behind everything else. */
static void check_results(const struct script *script, const char *body, size_t len, int round)
{
    char mark[64];
    const char *end = body + len;
    for (int index = script->parallel - 1; index >= 0 && round > 0; index--) {
        int size = snprintf(mark, sizeof(mark), "\"tool_call_id\":\"call_%d_%d\"", round, index);
        const char *at = end - size;
        while (at > body && memcmp(at, mark, (size_t)size) != 0)
            at--;
        if (at <= body) {
            fprintf(stderr, "bench server: no result for call_%d_%d\n", round, index);
            exit(1);
        }
        end = at;
    }
}


/* ------------------------------------------------------------------ clients */

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* a client that went away tells on its own */
    free(write);
}


/* How much of the reply goes out at once: all of it, or up to the end of the next event. */
static size_t piece_len(const struct client *client)
{
    static const char event_end[] = "\n\n\r\n", last[] = "0\r\n\r\n";
    const char *at = client->reply->data + client->sent;
    const char *end = client->pace_ms > 0 ? strstr(at, event_end) : NULL;
    if (end == NULL || strcmp(end + strlen(event_end), last) == 0)
        return client->reply->len - client->sent;
    return (size_t)(end - at) + strlen(event_end);
}


static void on_pace(uv_timer_t *timer);


static void answer(struct client *client)
{
    size_t len = piece_len(client);
    uv_buf_t bytes = uv_buf_init(client->reply->data + client->sent, (unsigned)len);
    client->sent += len;
    if (client->sent < client->reply->len)
        uv_timer_start(&client->timer, on_pace, (uint64_t)client->pace_ms, 0);
    uv_write_t *write = malloc(sizeof(*write)); /* the next request may come before on_written */
    if (write == NULL)
        abort();
    uv_write(write, (uv_stream_t *)&client->tcp, &bytes, 1, on_written);
}


static void on_delay_over(uv_timer_t *timer)
{
    answer(timer->data);
}


static void on_pace(uv_timer_t *timer)
{
    answer(timer->data);
}


static void on_release(uv_timer_t *timer)
{
    struct script *script = timer->data;
    struct client *client = script->held;
    script->held = NULL;
    script->held_count = 0;
    for (struct client *next; client != NULL; client = next) {
        next = client->next_held;
        answer(client);
    }
}


static void hold(struct client *client, struct script *script)
{
    client->next_held = script->held;
    script->held = client;
    if (++script->held_count == script->hold)
        uv_timer_start(&script->release, on_release, HOLD_MS, 0);
}


static void serve(struct client *client, const char *body, size_t body_len)
{
    struct script *script = find_script(client->in);
    int round = round_of(body, body_len);
    check_results(script, body, body_len, round);
    client->reply = reply_of(script, round);
    client->sent = 0;
    client->pace_ms = script->pace_ms;
    if (script->hold > 0)
        hold(client, script);
    else if (script->delay_ms > 0)
        uv_timer_start(&client->timer, on_delay_over, (uint64_t)script->delay_ms, 0);
    else
        answer(client);
}


static size_t content_length(const char *at)
{
    static const char name[] = "\ncontent-length:";
    for (; *at != '\0'; at++)
        if (*at == '\n' && strncasecmp(at, name, sizeof(name) - 1) == 0)
            return strtoul(at + sizeof(name) - 1, NULL, 10);
    return 0;
}


/* Serves the request that has come whole. No client of ours sends a second one before the answer.
 */
static void look(struct client *client)
{
    client->in[client->len] = '\0';
    char *end = strstr(client->in, "\r\n\r\n");
    if (end == NULL)
        return;
    *end = '\0';
    size_t body_len = content_length(client->in);
    size_t head_len = (size_t)(end + 4 - client->in);
    if (client->len < head_len + body_len) {
        *end = '\r';
        return;
    }
    serve(client, end + 4, body_len);
    client->len = 0;
}


static void on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    if (--client->open_handles > 0)
        return;
    free(client->in);
    free(client);
}


static void on_room(uv_handle_t *handle, size_t wish, uv_buf_t *room)
{
    (void)wish;
    struct client *client = handle->data;
    if (client->cap - client->len < FIRST_BUFFER / 2) {
        client->cap = client->cap > 0 ? client->cap * 2 : FIRST_BUFFER;
        client->in = realloc(client->in, client->cap + 1);
        if (client->in == NULL)
            abort();
    }
    *room = uv_buf_init(client->in + client->len, (unsigned)(client->cap - client->len));
}


static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    (void)room;
    struct client *client = stream->data;
    if (count < 0) {
        uv_close((uv_handle_t *)&client->tcp, on_closed);
        uv_close((uv_handle_t *)&client->timer, on_closed);
        return;
    }
    client->len += (size_t)count;
    look(client);
}


static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (client == NULL)
        return;
    uv_tcp_init(loop, &client->tcp);
    uv_timer_init(loop, &client->timer);
    client->tcp.data = client->timer.data = client;
    client->open_handles = 2;
    uv_accept(listener, (uv_stream_t *)&client->tcp);
    uv_tcp_nodelay(&client->tcp, 1);
    uv_read_start((uv_stream_t *)&client->tcp, on_room, on_read);
}


/* ------------------------------------------------------------------ the program */

static void on_end_room(uv_handle_t *handle, size_t wish, uv_buf_t *room)
{
    static char bytes[64];
    (void)handle;
    (void)wish;
    *room = uv_buf_init(bytes, sizeof(bytes));
}


static void on_end(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    (void)stream;
    (void)room;
    if (count < 0)
        exit(0);
}


static void raise_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}


int main(int argc, char **argv)
{
    uv_tcp_t listener;
    uv_pipe_t input;
    struct sockaddr_in address;
    int size = sizeof(address);
    loop = uv_default_loop();
    raise_descriptors();
    uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &address);
    uv_tcp_init(loop, &listener);
    uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    int rc = uv_listen((uv_stream_t *)&listener, 4096, on_connection);
    if (rc < 0) {
        fprintf(stderr, "bench server: %s\n", uv_strerror(rc));
        return 1;
    }
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    uv_pipe_init(loop, &input, 0);
    if (uv_pipe_open(&input, 0) == 0)
        uv_read_start((uv_stream_t *)&input, on_end_room, on_end);
    return uv_run(loop, UV_RUN_DEFAULT);
}
