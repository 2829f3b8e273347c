/* span.h -- beside the walk: a view of bytes that somebody else owns, and what we ask of one. */
#ifndef RL_SPAN_H
#define RL_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct rl_span {
    const char *at;
    size_t len;
};

/* Blank, tab, CR or LF. */
bool rl_is_white(char byte);

/* The same bytes without white space around them. */
struct rl_span rl_span_trim(const char *bytes, size_t len);

/* Are the bytes exactly <word>? */
bool rl_span_is(struct rl_span span, const char *word);

/* Do they begin with <word>? */
bool rl_span_starts(struct rl_span span, const char *word);

#endif
