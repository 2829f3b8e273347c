/* parsers.c -- beside the walk: the parsers of a stream, without a network and without Lua.
 *
 * Feeds the streams of bench/wire.c in slices of the size that libcurl hands out, and prints a line
 * for each parser: how many megabytes and chunks it takes in a second of processor time.
 */
#include "json.h"
#include "message.h"
#include "sse.h"
#include "wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNKS = 20000, SLICE = 16384 };

/* The events of a stream, each on its own. */
static struct {
    char **data;
    size_t *len;
    size_t count;
} events;

static struct text answer; /* text in small pieces */
static struct text call;   /* one call with long arguments */
static size_t seen;        /* so that nothing is optimised away */


/* ------------------------------------------------------------------ streams */

static void add_event(struct text *stream, struct text *data)
{
    text_format(stream, "data: %s\n\n", data->data);
    data->len = 0;
}


static void make_stream(struct text *stream, bool calls)
{
    struct text data = {0};
    for (int i = 0; i < CHUNKS - 1; i++) {
        if (calls)
            wire_argument_chunk(&data, i, 1, 0);
        else
            wire_content_chunk(&data, i);
        add_event(stream, &data);
    }
    if (calls) {
        wire_closing_chunk(&data, 0);
        add_event(stream, &data);
    }
    wire_finish_chunk(&data, calls ? "tool_calls" : "stop");
    add_event(stream, &data);
    text_format(stream, "data: [DONE]\n\n");
    free(data.data);
}


static int keep_event(void *owner, const struct rl_sse_event *event)
{
    (void)owner;
    events.data = realloc(events.data, (events.count + 1) * sizeof(*events.data));
    events.len = realloc(events.len, (events.count + 1) * sizeof(*events.len));
    if (events.data == NULL || events.len == NULL || event->data[0] != '{')
        return 0;
    events.data[events.count] = strdup(event->data);
    events.len[events.count++] = event->data_len;
    return 0;
}


/* ------------------------------------------------------------------ parsers */

static int count_event(void *owner, const struct rl_sse_event *event)
{
    (void)owner;
    seen += event->data_len;
    return 0;
}


static void run_sse(const struct text *stream, rl_sse_on_event *on_event)
{
    struct rl_sse sse;
    rl_sse_init(&sse, 1 << 20, on_event, NULL);
    for (size_t at = 0; at < stream->len; at += SLICE)
        rl_sse_feed(&sse, stream->data + at,
                    stream->len - at < SLICE ? stream->len - at : (size_t)SLICE);
    rl_sse_finish(&sse);
    rl_sse_free(&sse);
}


static void sse(const struct text *stream)
{
    run_sse(stream, count_event);
}


static void guard(const struct text *stream)
{
    (void)stream;
    for (size_t i = 0; i < events.count; i++)
        seen += rl_json_is_complete(events.data[i], events.len[i]);
}


static void parse(const struct text *stream)
{
    struct rl_err err;
    (void)stream;
    for (size_t i = 0; i < events.count; i++)
        cJSON_Delete(rl_json_parse(events.data[i], events.len[i], NULL, 0, &err));
}


static int on_delta(void *owner, enum rl_delta_kind kind, int64_t choice, const char *text,
                    size_t len)
{
    (void)owner;
    (void)kind;
    (void)choice;
    (void)text;
    seen += len;
    return 0;
}


static int on_chunk(void *owner, const cJSON *chunk)
{
    (void)owner;
    seen += chunk != NULL;
    return 0;
}


static void accumulate(const struct text *stream, const struct rl_message_options *options)
{
    struct rl_message *message = rl_message_new(options);
    for (size_t at = 0; at < stream->len; at += SLICE)
        rl_message_feed(message, stream->data + at,
                        stream->len - at < SLICE ? stream->len - at : (size_t)SLICE);
    rl_message_finish(message);
    if (!rl_message_complete(message)) {
        fprintf(stderr, "parsers: the reply is not complete\n");
        exit(1);
    }
    rl_message_free(message);
}


static void message(const struct text *stream)
{
    accumulate(stream, NULL);
}


static void message_deltas(const struct text *stream)
{
    accumulate(stream, &(struct rl_message_options){.on_delta = on_delta});
}


static void message_chunks(const struct text *stream)
{
    accumulate(stream, &(struct rl_message_options){.on_chunk = on_chunk});
}


/* ------------------------------------------------------------------ the program */

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}


static void measure(const char *name, void (*work)(const struct text *), const struct text *stream,
                    int rounds)
{
    double best = 1e300;
    for (int i = 0; i < rounds; i++) {
        double started = cpu_s();
        work(stream);
        double took = cpu_s() - started;
        best = took < best ? took : best;
    }
    printf("name=%s mb_s=%.1f chunks_s=%.0f bytes_per_chunk=%.1f\n", name,
           (double)stream->len / 1e6 / best, CHUNKS / best, (double)stream->len / CHUNKS);
}


int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    make_stream(&answer, false);
    make_stream(&call, true);
    run_sse(&answer, keep_event);
    measure("sse", sse, &answer, rounds);
    measure("guard", guard, &answer, rounds);
    measure("guard_and_tree", parse, &answer, rounds);
    measure("message", message, &answer, rounds);
    measure("message_deltas", message_deltas, &answer, rounds);
    measure("message_chunks", message_chunks, &answer, rounds);
    measure("message_arguments", message, &call, rounds);
    return seen == 0;
}
