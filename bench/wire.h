/* wire.h -- beside the walk: what the scripted server of the benchmark says, byte by byte.
 *
 * The server sends it, and bench/parsers.c feeds the same bytes to the parsers without a network.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>

/* A growing text; NUL-terminated. The program ends when memory does. */
struct text {
    char *data;
    size_t len;
    size_t cap;
};

void text_add(struct text *text, const char *bytes, size_t len);
void text_format(struct text *text, const char *format, ...);

/* Appends the data of one event: delta number <i> of a streamed answer. */
void wire_content_chunk(struct text *out, int i);

/* The same for a piece of the arguments of call <index> of a round: the first one (0) opens the
 * call "call_<round>_<index>", 1 opens the arguments, and wire_closing_chunk ends them. */
void wire_argument_chunk(struct text *out, int i, int round, int index);
void wire_closing_chunk(struct text *out, int index);

/* The last chunk, with <finish_reason>, and the one with the usage. */
void wire_finish_chunk(struct text *out, const char *finish_reason);
void wire_usage_chunk(struct text *out);

/* Plain bodies: the calls of a round, or the answer with some bytes more. */
void wire_call_body(struct text *out, int round, int calls);
void wire_answer_body(struct text *out, int padding);

#endif
