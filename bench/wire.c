/* wire.c -- beside the walk: what the scripted server of the benchmark says. See wire.h.
 *
 * Source: the streamed and plain examples of the chat completions reference.
 */
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_HEAD                                                                                 \
    "{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\","     \
    "\"created\":1741570283,\"model\":\"bench\",\"service_tier\":\"default\","                     \
    "\"system_fingerprint\":\"fp_fc9f1d7035\","
#define BODY_HEAD                                                                                  \
    "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion\","           \
    "\"created\":1741569952,\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":"            \
    "{\"role\":\"assistant\",\"content\":"
#define USAGE                                                                                      \
    "\"usage\":{\"prompt_tokens\":82,\"completion_tokens\":17,\"total_tokens\":99,"                \
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"                          \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},"                  \
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fc9f1d7035\"}"

static const char *const words[] = {
    " the",    " narrow",        " channel",     " on",       " Moon", ",",
    " flows",  " into",          " a",           " valley",   " of",   " basalt",
    ".\\n\\n", " \\\"rille\\\"", " caf\xC3\xA9", " straight",
};
enum { WORDS = sizeof(words) / sizeof(words[0]) };


static void reserve(struct text *text, size_t more)
{
    if (text->len + more + 1 <= text->cap)
        return;
    text->cap = (text->len + more + 1) * 2;
    text->data = realloc(text->data, text->cap);
    if (text->data == NULL)
        abort();
}


void text_add(struct text *text, const char *bytes, size_t len)
{
    reserve(text, len);
    memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}


void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    size_t len = (size_t)vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    reserve(text, len);
    vsnprintf(text->data + text->len, len + 1, format, again);
    va_end(again);
    text->len += len;
}


static void chunk(struct text *out, const char *delta, const char *finish_reason)
{
    text_format(out,
                CHUNK_HEAD "\"choices\":[{\"index\":0,\"delta\":{%s},\"logprobs\":null,"
                           "\"finish_reason\":%s}],\"usage\":null}",
                delta, finish_reason);
}


void wire_content_chunk(struct text *out, int i)
{
    char delta[96];
    if (i == 0)
        snprintf(delta, sizeof(delta), "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    else
        snprintf(delta, sizeof(delta), "\"content\":\"%s\"", words[i % WORDS]);
    chunk(out, delta, "null");
}


static void add_arguments(char *delta, size_t size, int index, const char *piece)
{
    snprintf(delta, size, "\"tool_calls\":[{\"index\":%d,\"function\":{\"arguments\":\"%s\"}}]",
             index, piece);
}


void wire_argument_chunk(struct text *out, int i, int round, int index)
{
    char delta[256];
    if (i == 0)
        snprintf(
            delta, sizeof(delta),
            "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":%d,"
            "\"id\":\"call_%d_%d\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
            "\"arguments\":\"\"}}]",
            index, round, index);
    else
        add_arguments(delta, sizeof(delta), index, i == 1 ? "{\\\"city\\\":\\\"" : words[i % 5]);
    chunk(out, delta, "null");
}


void wire_closing_chunk(struct text *out, int index)
{
    char delta[128];
    add_arguments(delta, sizeof(delta), index, "Oslo\\\"}");
    chunk(out, delta, "null");
}


void wire_finish_chunk(struct text *out, const char *finish_reason)
{
    char quoted[32];
    snprintf(quoted, sizeof(quoted), "\"%s\"", finish_reason);
    chunk(out, "", quoted);
}


void wire_usage_chunk(struct text *out)
{
    text_format(out, CHUNK_HEAD "\"choices\":[]," USAGE);
}


void wire_call_body(struct text *out, int round, int calls)
{
    text_format(out, BODY_HEAD "null,\"tool_calls\":[");
    for (int index = 0; index < calls; index++)
        text_format(out,
                    "%s{\"id\":\"call_%d_%d\",\"type\":\"function\",\"function\":{\"name\":"
                    "\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}}",
                    index > 0 ? "," : "", round, index);
    text_format(out, "],\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
                     "\"finish_reason\":\"tool_calls\"}]," USAGE);
}


void wire_answer_body(struct text *out, int padding)
{
    text_format(out, BODY_HEAD "\"It is 5 degrees in Oslo, with a light wind from the north.");
    for (int i = 0; i < padding; i++)
        text_add(out, "x", 1);
    text_format(out, "\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
                     "\"finish_reason\":\"stop\"}]," USAGE);
}
