/* message.h -- walk 7: the bytes of a reply become one message, whatever server sent them.
 *
 * Feed the body as it arrives; a stream of events, a plain JSON body, an error body and an HTML
 * page are told apart by their first byte, and all of them end in the same result. Pure: no I/O, no
 * clock. Invariants: the result does not depend on the cuts; nothing is final before the end (a
 * prefix of a call's arguments may well be valid JSON); the part that came before trouble is kept;
 * no number from outside ever sizes anything.
 */
#ifndef RL_MESSAGE_H
#define RL_MESSAGE_H

#include "reply_head.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rl_delta_kind { RL_DELTA_TEXT, RL_DELTA_REASONING, RL_DELTA_REFUSAL };

/* New text of one choice: carried text (json.h), valid during the call; a surrogate pair is never
 * split between two calls. Reasoning that a server sends under two names is told once. A non-zero
 * return stops the feeding call, which returns it. */
typedef int rl_message_on_delta(void *owner, enum rl_delta_kind kind, int64_t choice,
                                const char *carried, size_t len);

/* One chunk as received, before anything is taken from it; a plain body comes as one chunk
 * whose choices have `delta` for `message`. Return as above. */
typedef int rl_message_on_chunk(void *owner, const cJSON *chunk);

struct rl_message_options {
    int n;              /* choices asked for; 0 counts as 1 */
    size_t max_bytes;   /* ceiling of one event, of a body, and of what is kept; 0: 64 MiB */
    bool is_cumulative; /* every delta's content is the text so far; never guessed: texts repeat */
    uint64_t seed;      /* of the ids made for calls without one; 0: from clock and address */
    rl_message_on_delta *on_delta; /* may be NULL, and then costs nothing */
    rl_message_on_chunk *on_chunk; /* likewise */
    void *owner;                   /* handed to both */
};

struct rl_message;

/* A new, empty message; <options> may be NULL. NULL without memory. */
struct rl_message *rl_message_new(const struct rl_message_options *options);

void rl_message_free(struct rl_message *message);

/* The head of the response, once, before its first byte; without it the status is 200. A status of
 * 300 or more makes the body an error body. <head> is read during the call only. */
void rl_message_head(struct rl_message *message, const struct rl_reply_head *head);

/* The next bytes of the body. Returns 0 to go on; 1 when the reply has ended ([DONE], or an error
 * in the stream): read no further, what is fed later is ignored; the observer's value; or
 * RL_ENOMEM. */
int rl_message_feed(struct rl_message *message, const char *bytes, size_t len);

/* The body has ended, in whatever way: cleanly, cut off, or because feed said so. Makes the results
 * below. Returns 0, the observer's value, or RL_ENOMEM; results exist after 0 only. Idempotent.
 * When the transport failed and the result is not complete, the transport's own error is the better
 * one. */
int rl_message_finish(struct rl_message *message);

/* How many events with data, or slices of a body, were taken so far: for an idle timer that
 * comments and blank lines do not feed. */
size_t rl_message_events(const struct rl_message *message);

/* After finish. All pointers belong to the message. */

/* The whole response, object "chat.completion", choices sorted by index; the partial one after
 * trouble; NULL when no chunk was taken. Members of a plain body are kept as sent, apart from
 * repairs. */
cJSON *rl_message_completion(const struct rl_message *message);

/* NULL, or {kind, message, type, code, param, detail[, status, retryable][, hint]}: kind is
 * http_error stream_error bad_chunk incomplete_stream empty_response or bad_body; the next four are
 * strings or null; detail is the error as received, or null; hint (a sentence for the user) only
 * where there is one. */
cJSON *rl_message_error(const struct rl_message *message);

bool rl_message_done(const struct rl_message *message);     /* was [DONE] seen? */
bool rl_message_complete(const struct rl_message *message); /* whole, and no error */

/* Number of entries of completion.choices. */
size_t rl_message_choices(const struct rl_message *message);

/* For entry <i>: one of stop length tool_calls content_filter error unknown. */
const char *rl_message_effective(const struct rl_message *message, size_t i);

/* For entry <i>: its reasoning text as carried text, "" when none. */
const char *rl_message_reasoning(const struct rl_message *message, size_t i);

#endif
