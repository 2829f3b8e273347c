/* sse.h -- walk 6: turns a byte stream into server-sent events.
 *
 * Push parser without I/O: feed it any slices, it calls back once per event, whatever the cuts.
 * Lines end at LF, CR or CRLF; one BOM at offset 0 is dropped. Two tolerances beyond the standard,
 * both seen in the field: an unterminated last event is dispatched by rl_sse_finish, and a data
 * line that starts a new JSON document (or is [DONE]) while the pending data is already a complete
 * one dispatches that first. Source:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
#ifndef RL_SSE_H
#define RL_SSE_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

struct rl_sse_event {
    const char *type; /* "message" when the stream names none, "error" also for an `error:` line;
                         never NULL */
    const char
        *data; /* data lines joined with '\n', NUL-terminated; valid during the callback only */
    size_t data_len; /* bytes, without the NUL */
};

/* Called once per event. A non-zero return stops the feeding call, which returns it. */
typedef int rl_sse_on_event(void *owner, const struct rl_sse_event *event);

struct rl_sse {
    struct rl_buf line; /* the unfinished line */
    struct rl_buf data; /* data of the unfinished event */
    struct rl_buf type; /* its event name */
    struct rl_buf late; /* a name that came after its data: of this event, or of the next one */
    bool is_late;       /* is there such a name? */
    bool is_hopeless;   /* the pending data can no longer become one JSON document */
    bool has_data;      /* was a data line seen? */
    bool after_cr;      /* did the last slice end in CR? a LF now belongs to it */
    size_t offset;      /* bytes taken so far, up to 3: where the BOM may stand */
    rl_sse_on_event *on_event;
    void *owner;
};

/* Prepares <sse>; one event may hold <max_bytes>. Allocates nothing. */
void rl_sse_init(struct rl_sse *sse, size_t max_bytes, rl_sse_on_event *on_event, void *owner);

/* Releases the buffers. */
void rl_sse_free(struct rl_sse *sse);

/* Feeds <len> bytes. Returns 0, a non-zero value returned by on_event, RL_ETOOBIG or RL_ENOMEM. */
int rl_sse_feed(struct rl_sse *sse, const char *bytes, size_t len);

/* The stream ended: finishes an unterminated line and dispatches what is pending. Returns as
 * rl_sse_feed. */
int rl_sse_finish(struct rl_sse *sse);

#endif
