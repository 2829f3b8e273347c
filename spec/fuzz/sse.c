/* sse.c -- beside the walk: fuzzes sse.c. Any bytes in any slices give the same events, none above
 * the ceiling. */
#include "sse.h"
#include "cuts.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_EVENT = 512 };


static int on_event(void *owner, const struct rl_sse_event *event)
{
    if (event->data_len > MAX_EVENT || event->data[event->data_len] != '\0')
        abort();
    rl_buf_adds(owner, event->type);
    rl_buf_addc(owner, '\0');
    rl_buf_add(owner, event->data, event->data_len);
    return rl_buf_addc(owner, '\1');
}


/* Appends all events to <out>; returns what the parser said last. */
static int parse(const uint8_t *data, size_t len, struct rl_buf *out, struct cuts *cuts)
{
    struct rl_sse sse;
    rl_sse_init(&sse, MAX_EVENT, on_event, out);
    const char *bytes = (const char *)data;
    size_t at = 0;
    int rc = cuts == NULL ? rl_sse_feed(&sse, bytes, len) : RL_OK;
    for (size_t slice; cuts != NULL && rc == RL_OK && (slice = next_cut(cuts)) > 0; at += slice)
        rc = rl_sse_feed(&sse, bytes + at, slice);
    if (rc == RL_OK)
        rc = rl_sse_finish(&sse);
    rl_sse_free(&sse);
    return rc;
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rl_buf whole;
    struct rl_buf sliced;
    rl_buf_init(&whole, SIZE_MAX / 4);
    rl_buf_init(&sliced, SIZE_MAX / 4);
    struct cuts cuts = cuts_of(data, len);
    int rc = parse(data, len, &whole, NULL);
    if (rc != parse(data, len, &sliced, &cuts) || (rc != RL_OK && rc != RL_ETOOBIG))
        abort();
    if (whole.len != sliced.len ||
        (whole.len > 0 && memcmp(whole.data, sliced.data, whole.len) != 0))
        abort();
    rl_buf_free(&whole);
    rl_buf_free(&sliced);
    return 0;
}
