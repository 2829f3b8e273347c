/* response.h -- walk 7: the chunks of a reply, or its plain body, become one chat.completion.
 *
 * Chunk level of the wire contract (2.4): which of the repeated members counts, and which choice an
 * element belongs to. The index of a choice is a key; there may be 128 of them.
 */
#ifndef RL_RESPONSE_H
#define RL_RESPONSE_H

#include "again.h"
#include "choice.h"
#include "span.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

enum { RL_CHOICES_MAX = 128 };

struct rl_response {
    struct rl_gather gather;
    size_t max_bytes;
    int n;                      /* choices asked for */
    struct rl_again again;      /* response_again.c */
    cJSON *rest;                /* while it is taken: begins a block that may stay, or can go */
    cJSON *block;               /* begins the one where the usage lies; NULL: in none */
    cJSON *root;                /* members of the response; NULL while no chunk came */
    bool is_body;               /* root stands as the server sent it */
    struct rl_choice **choices; /* as they came; after finish sorted by index */
    size_t count, cap;
};

void rl_response_free(struct rl_response *response);

/* Takes a chunk (its members are moved out); what is none is ignored. <is_body>: a JSON document,
 * not an event. Returns 0, RL_ENOMEM, RL_ETOOBIG, or the observer's value. */
int rl_response_take(struct rl_response *response, cJSON *chunk, bool is_body);

/* Sees an event after it was taken: <chunk> is its tree, not changed by that, NULL when there is
 * none or it is not to be repeated, <data> its bytes. */
void rl_response_expect(struct rl_response *response, const cJSON *chunk, struct rl_span data);

/* Does this event repeat an earlier one with another text, or begin as that did and say nothing
 * until its choices? Then it is taken, and <rc> is what rl_response_take of all of it would have
 * returned. */
bool rl_response_repeats(struct rl_response *response, struct rl_span data, int *rc);

/* The reply has ended. Returns as above. */
int rl_response_finish(struct rl_response *response);

/* Did every choice end by its own account? False when there is none. */
bool rl_response_is_finished(const struct rl_response *response);

/* Did every choice come as a whole message of a JSON document? */
bool rl_response_is_document(const struct rl_response *response);

/* After finish: is a choice cut off in the middle of a call's arguments, without having said so? */
bool rl_response_has_cut_calls(const struct rl_response *response);

/* After finish: moves everything into `root` and returns it, NULL when no chunk came. <rc> gets 0
 * or RL_ENOMEM. */
cJSON *rl_response_build(struct rl_response *response, int *rc);

/* ------------------------------------------------------------------ for response_again.c */

/* The choice <index>, a new one when there is none. Returns 0, RL_ENOMEM or RL_ETOOBIG. */
int rl_response_find(struct rl_response *response, int64_t index, struct rl_choice **choice);

/* Index of a choice by what it says itself; 0 when it says nothing. */
int64_t rl_response_index(const cJSON *item);

/* Is this member of a chunk dealt with elsewhere, or padding? */
bool rl_response_is_apart(const char *name);

/* Does this member of a chunk say more than <old>, which earlier chunks said? */
bool rl_response_counts(const cJSON *member, const cJSON *old, bool is_chunk);

#endif
