/* arguments.h -- walk 7: the arguments of one call, from fragments to JSON text.
 *
 * Valid arguments keep their bytes: nothing is re-encoded. Whether the text is one whole JSON value
 * can be asked at any time for the price of the new bytes: brackets are counted as they come, and
 * the parser runs once.
 */
#ifndef RL_ARGUMENTS_H
#define RL_ARGUMENTS_H

#include "span.h"
#include "text.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct rl_arguments {
    cJSON *text;       /* carried text, growing; NULL while nothing came */
    size_t scanned;    /* bytes seen by the counting */
    size_t depth;      /* open brackets */
    size_t end;        /* behind the bracket that closed the first value; 0: not closed */
    bool is_bracketed; /* begins with { or [ */
    bool in_string;
    bool is_escaped;  /* the last byte was a backslash in a string */
    bool is_followed; /* something stands behind `end` */
    bool is_checked;  /* was the first value parsed? */
    bool is_valid;    /* then: is it JSON? */
};

void rl_arguments_free(struct rl_arguments *arguments);

/* Appends a fragment of carried text. Returns 0, RL_ENOMEM or RL_ETOOBIG. */
int rl_arguments_append(struct rl_arguments *arguments, const char *carried, size_t len,
                        struct rl_room *room);

/* The same with the text of <item>, a string and a child of <parent> (rl_text_take). */
int rl_arguments_take(struct rl_arguments *arguments, cJSON *parent, cJSON *item,
                      struct rl_room *room);

/* Are they one whole JSON value by now? (A prefix of longer arguments may be, too.) */
bool rl_arguments_are_whole(struct rl_arguments *arguments);

/* The same by parsing all of it, for the end. */
bool rl_arguments_are_json(const struct rl_arguments *arguments);

/* Nothing, white space, or the word null: a call of a function without parameters. */
bool rl_arguments_are_empty(const struct rl_arguments *arguments);

/* Some proxies glue an empty object before the real arguments, or the arguments of several calls.
 * For text that is a sequence of complete values: how many are left without leading {} and repeats?
 * Their places go to <values>, at most <max>. 0 when the text is anything else, or holds more. */
size_t rl_arguments_split(const struct rl_arguments *arguments, struct rl_span *values, size_t max);

#endif
