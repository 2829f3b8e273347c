/* calls.h -- walk 7: the tool calls of one choice, joined from deltas in any numbering.
 *
 * An index is a key, never a size; an id or a name may be missing, late, repeated, split or
 * unstable. The decision table is the wire contract's (section 2.4 a to c); the order of its tests
 * matters.
 */
#ifndef RL_CALLS_H
#define RL_CALLS_H

#include "arguments.h"
#include "buf.h"
#include "text.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RL_CALLS_MAX = 1024 };

/* Where ids for calls without one come from. */
struct rl_ids {
    uint64_t state; /* any number; the same one gives the same ids */
};

struct rl_call {
    cJSON *members; /* unknown members of the call */
    cJSON *inner;   /* unknown members of its function or custom object */
    cJSON *id;      /* these three: strings, or NULL while unknown */
    cJSON *type;
    cJSON *name;
    struct rl_arguments arguments; /* or the input of a custom tool */
    int64_t index;                 /* the first index it came under, when has_index */
    int64_t alias;                 /* the latest one */
    size_t arrival;
    bool has_index;
    bool is_custom;
};

struct rl_calls {
    struct rl_call *items;
    size_t len;
    size_t cap;
};

void rl_calls_free(struct rl_calls *calls);

/* What one call holds. */
void rl_call_free(struct rl_call *call);

/* Moves <call> to the end of <calls>. Returns 0, RL_ENOMEM or RL_ETOOBIG, and then leaves it to the
 * caller. */
int rl_calls_push(struct rl_calls *calls, const struct rl_call *call);

/* Takes one element of `tool_calls` (members are moved out of it; anything but an object is
 * ignored). <is_whole>: it stands in a plain message, so it is a call of its own. Returns 0,
 * RL_ENOMEM or RL_ETOOBIG. */
int rl_calls_take(struct rl_calls *calls, cJSON *element, bool is_whole, struct rl_room *room);

/* Would taking <list>, the value of `tool_calls`, add to the arguments of one call and change
 * nothing else, now and as often as it comes again with other arguments? Its number, or -1. */
int rl_calls_only_add_arguments(struct rl_calls *calls, const cJSON *list);

/* Adds to the arguments of that call what such a list would: carried text. Returns as above. */
int rl_calls_add_arguments(struct rl_calls *calls, int number, struct rl_span carried,
                           struct rl_room *room);

/* The end: drops empty calls, sorts, tidies the arguments, gives every call an id. Returns as
 * above. */
int rl_calls_finish(struct rl_calls *calls, struct rl_ids *ids, struct rl_room *room);

/* Are the arguments of all calls JSON? (Custom input is free text.) */
bool rl_calls_are_valid(const struct rl_calls *calls);

/* After finish: a new array in the form of the wire; members are moved out of <calls>. NULL without
 * memory. */
cJSON *rl_calls_build(struct rl_calls *calls);

/* The text of `arguments` however it came: a string as it is, null and absence as "", anything else
 * as compact JSON. <carried> points into <item> or <scratch>. Returns 0 or the status of <scratch>.
 */
int rl_calls_argument_text(const cJSON *item, struct rl_buf *scratch, struct rl_span *carried);

/* The integer that <item> says. Some gateways send an index as text. */
bool rl_calls_index(const cJSON *item, int64_t *index);

/* Adds what <piece> says to <*name>: names come once, repeated, growing, or in two halves. */
int rl_calls_add_name(cJSON **name, const char *piece, struct rl_room *room);

#endif
