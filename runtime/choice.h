/* choice.h -- walk 7: one choice of a reply, from deltas or a whole message to its final form.
 *
 * delta.c takes what arrives, choice.c makes what is handed out. Members that nobody specified stay
 * in `entry` and `message`; those of a plain body stand there as sent until build puts the repaired
 * ones over them.
 */
#ifndef RL_CHOICE_H
#define RL_CHOICE_H

#include "again.h"
#include "arguments.h"
#include "base64.h"
#include "buf.h"
#include "calls.h"
#include "message.h"
#include "text.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the choices of one message share. */
struct rl_gather {
    struct rl_room room;
    struct rl_ids ids;
    bool is_cumulative;            /* message.h */
    rl_message_on_delta *on_delta; /* these two may be NULL */
    rl_message_on_chunk *on_chunk;
    void *owner;
};

struct rl_audio {
    cJSON *members; /* id, expires_at, transcript, and what else came; NULL: no audio */
    struct rl_base64 decoder;
    struct rl_buf bytes; /* the decoded data so far */
};

struct rl_choice {
    int64_t index;  /* the key it came under */
    cJSON *entry;   /* members of the choice */
    cJSON *message; /* members of its message */
    cJSON *role;    /* from here to finish_reason: growing texts, NULL while nothing came */
    cJSON *content;
    cJSON *refusal;
    cJSON *thinking; /* of content parts */
    cJSON *details;  /* of reasoning_details */
    cJSON *finish_reason;
    struct rl_calls calls;
    cJSON *function_name; /* the old function_call */
    struct rl_arguments function_arguments;
    struct rl_audio audio;
    const char *reasoning; /* after build these two: see there, and rl_choice_effective */
    const char *effective;
    size_t told[3]; /* bytes that the observer knows, by rl_delta_kind */
    int source;     /* which text is told as reasoning, when has_source */
    bool has_source;
    bool has_function;
    bool is_touched;     /* did anything of substance come? */
    bool is_whole;       /* a message came, not deltas */
    bool is_finish_void; /* "" as finish_reason was followed by more: it means nothing there */
};

struct rl_choice *rl_choice_new(int64_t index, size_t max_bytes);
void rl_choice_free(struct rl_choice *choice);

/* All of these return 0, RL_ENOMEM, RL_ETOOBIG, or what the observer returned. */

/* Takes one element of `choices`; its members are moved out. <is_body>: of a plain body, where
 * `message` counts and an element may continue this choice. */
int rl_choice_take(struct rl_choice *choice, cJSON *item, bool is_body, struct rl_gather *gather);

/* Would rl_choice_take of this element add to one text and change nothing else, now and as often as
 * it comes again with another one? <place> says to which. */
bool rl_choice_only_adds_text(struct rl_choice *choice, const cJSON *item,
                              struct rl_again_place *place);

/* Takes a delta, or with <is_whole> a message (delta.c). */
int rl_delta_take(struct rl_choice *choice, cJSON *delta, bool is_whole, struct rl_gather *gather);

/* Adds what a delta with nothing else would: carried text, to the content or the arguments of a
 * call. */
int rl_delta_add_text(struct rl_choice *choice, int call, struct rl_span carried,
                      struct rl_gather *gather);

/* Would rl_delta_take of this delta add to one of these and change nothing else? <call> as in
 * rl_again_place. */
bool rl_delta_only_adds_text(struct rl_choice *choice, const cJSON *delta, int *call);

/* The text that counts as the reasoning of this choice, or NULL. */
const cJSON *rl_delta_reasoning(const struct rl_choice *choice);

/* Nothing more comes: tells the observer what is left to tell, half surrogates too. Returns as
 * rl_delta_take. */
int rl_delta_finish(struct rl_choice *choice, struct rl_gather *gather);

/* The reply has ended: calls, audio and texts get their final form. */
int rl_choice_finish(struct rl_choice *choice, struct rl_gather *gather);

/* After finish: may tools of this choice be trusted to have whole arguments? */
bool rl_choice_has_valid_calls(const struct rl_choice *choice);

/* Was a finish_reason seen that means something? */
bool rl_choice_is_finished(const struct rl_choice *choice);

/* After finish: one of stop length tool_calls content_filter error unknown. Before build. */
const char *rl_choice_effective(const struct rl_choice *choice);

/* Makes the final object, which the caller owns, and notes in <choice> its reasoning text, carried
 * ("" when none), which lives as long as both, and its effective reason; only rl_choice_free may
 * follow. NULL without memory. */
cJSON *rl_choice_build(struct rl_choice *choice);

#endif
