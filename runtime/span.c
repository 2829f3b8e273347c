/* span.c -- beside the walk: views of bytes. See span.h. */
#include "span.h"

#include <string.h>


bool rl_is_white(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}


struct rl_span rl_span_trim(const char *bytes, size_t len)
{
    struct rl_span span = {bytes, len};
    for (; span.len > 0 && rl_is_white(span.at[0]); span.len--)
        span.at++;
    while (span.len > 0 && rl_is_white(span.at[span.len - 1]))
        span.len--;
    return span;
}


bool rl_span_is(struct rl_span span, const char *word)
{
    return span.len == strlen(word) && memcmp(span.at, word, span.len) == 0;
}


bool rl_span_starts(struct rl_span span, const char *word)
{
    size_t len = strlen(word);
    return span.len >= len && memcmp(span.at, word, len) == 0;
}
