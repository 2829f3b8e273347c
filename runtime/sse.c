/* sse.c -- walk 6: bytes -> lines -> events. See sse.h.
 *
 * Every byte is looked at a bounded number of times, whatever the cuts and whatever the line ends:
 * the next LF and the next CR are searched once per slice and remembered, and a line is copied only
 * when a slice ends inside it. Events are handed out of `data`, which is cleared afterwards, never
 * moved.
 */
#include "sse.h"

#include "err.h"
#include "json.h"
#include "span.h"

#include <string.h>

enum { LONGEST_PLAIN = 1024 }; /* bytes of the line of an event that needs no memory */

/* One pass over a slice. */
struct scan {
    const char *at; /* first byte that was not taken */
    const char *end;
    const char *lf; /* next LF at or after `at`, or end */
    const char *cr; /* likewise CR */
};


void rl_sse_init(struct rl_sse *sse, size_t max_bytes, rl_sse_on_event *on_event, void *owner)
{
    *sse = (struct rl_sse){.on_event = on_event, .owner = owner};
    rl_buf_init(&sse->line, max_bytes);
    rl_buf_init(&sse->data, max_bytes);
    rl_buf_init(&sse->type, max_bytes);
    rl_buf_init(&sse->late, max_bytes);
}


void rl_sse_free(struct rl_sse *sse)
{
    rl_buf_free(&sse->line);
    rl_buf_free(&sse->data);
    rl_buf_free(&sse->type);
    rl_buf_free(&sse->late);
}


/* Hands out the pending event, if any. Its name and data are forgotten, a late name is not. */
static int dispatch(struct rl_sse *sse)
{
    int rc = RL_OK;
    if (sse->has_data && sse->data.status == RL_OK) {
        struct rl_sse_event event = {
            .type = sse->type.len > 0 ? sse->type.data : "message",
            .data = sse->data.data,
            .data_len = sse->data.len,
        };
        rc = sse->on_event(sse->owner, &event);
    }
    sse->has_data = false;
    sse->is_hopeless = false;
    rl_buf_clear(&sse->data);
    rl_buf_clear(&sse->type);
    return rc;
}


static int set_type(struct rl_buf *type, const char *value, size_t len)
{
    rl_buf_clear(type);
    return rl_buf_add(type, value, len);
}


/* Makes the late name the current one. */
static int promote_late(struct rl_sse *sse)
{
    if (!sse->is_late)
        return RL_OK;
    sse->is_late = false;
    return set_type(&sse->type, sse->late.data, sse->late.len);
}


/* A blank line ends the event; by the standard a name counts wherever it stood in the event. */
static int end_event(struct rl_sse *sse)
{
    int rc = promote_late(sse);
    return rc != RL_OK ? rc : dispatch(sse);
}


static const char done_mark[] = "[DONE]";


/* Does this data line look like the first one of an event? The mark may be cut off by the end, and
 * stand in quotes. */
static bool starts_event(const char *value, size_t len)
{
    size_t mark_len = sizeof(done_mark) - 1;
    struct rl_span text = rl_span_trim(value, len);
    if (rl_span_starts(text, "{") || rl_span_starts(text, ":") || rl_span_is(text, "null"))
        return true;
    if (rl_span_starts(text, "\""))
        text = (struct rl_span){text.at + 1, text.len - 1};
    return text.len > 0 &&
           memcmp(text.at, done_mark, text.len < mark_len ? text.len : mark_len) == 0;
}


/* Is the pending data an event of its own, though no blank line ended it? Asked only where the next
 * line starts an event. Long data is parsed only when it ends like a document; when it then is
 * none, it can never become one (a value cannot follow a value), so that the parsing stays linear.
 */
static bool is_whole(struct rl_sse *sse)
{
    enum { SHORT = 64 };
    struct rl_span data = rl_span_trim(sse->data.data, sse->data.len);
    if (data.len == 0 || data.at[0] == ':' || rl_span_starts(data, done_mark))
        return true;
    bool ends = data.at[data.len - 1] == '}' || data.at[data.len - 1] == ']';
    if (sse->is_hopeless || (data.len > SHORT && !ends))
        return false;
    if (rl_json_is_complete(data.at, data.len))
        return true;
    sse->is_hopeless = ends;
    return false;
}


static int take_data(struct rl_sse *sse, const char *value, size_t len)
{
    if (sse->has_data && starts_event(value, len) && is_whole(sse)) {
        int rc = dispatch(sse);
        if (rc == RL_OK)
            rc = promote_late(sse);
        if (rc != RL_OK)
            return rc;
    }
    if (sse->has_data)
        rl_buf_addc(&sse->data, '\n');
    int rc = rl_buf_add(&sse->data, value, len);
    sse->has_data = rc == RL_OK;
    return rc;
}


static int take_type(struct rl_sse *sse, const char *value, size_t len)
{
    if (!sse->has_data)
        return set_type(&sse->type, value, len);
    sse->is_late = true;
    return set_type(&sse->late, value, len);
}


static bool is_field(const char *line, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(line, name, len) == 0;
}


static int take_line(struct rl_sse *sse, const char *line, size_t len)
{
    if (len == 0)
        return end_event(sse);
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = colon != NULL ? colon + 1 : line + len;
    size_t value_len = (size_t)(line + len - value);
    if (value_len > 0 && value[0] == ' ') {
        value++;
        value_len--;
    }
    if (is_field(line, name_len, "data"))
        return take_data(sse, value, value_len);
    if (is_field(line, name_len, "event"))
        return take_type(sse, value, value_len);
    if (!is_field(line, name_len, "error"))
        return RL_OK; /* a comment, id, retry, or unknown */
    /* llama.cpp before 2025-09 wrote a failure as a field of its own */
    int rc = take_data(sse, value, value_len);
    return rc != RL_OK ? rc : set_type(&sse->type, "error", 5);
}


/* Takes the line that ends before <end>, joined to what earlier slices left of it. */
static int end_line(struct rl_sse *sse, const char *start, const char *end)
{
    size_t len = (size_t)(end - start);
    if (len > sse->line.max)
        return RL_ETOOBIG; /* also where it needs no copy: the cuts must not matter */
    if (sse->line.len == 0)
        return take_line(sse, start, len);
    int rc = rl_buf_add(&sse->line, start, len);
    if (rc == RL_OK)
        rc = take_line(sse, sse->line.data, sse->line.len);
    rl_buf_clear(&sse->line);
    return rc;
}


/* Drops one byte order mark at offset 0, which may come in three slices. */
static void skip_mark(struct rl_sse *sse, struct scan *scan)
{
    static const char mark[] = "\xEF\xBB\xBF";
    while (sse->offset < 3 && scan->at < scan->end) {
        if (*scan->at != mark[sse->offset]) {
            rl_buf_add(&sse->line, mark, sse->offset); /* it was none: give back what was held */
            sse->offset = 3;
            return;
        }
        sse->offset++;
        scan->at++;
    }
}


static const char *find(const struct scan *scan, char byte)
{
    const char *hit = memchr(scan->at, byte, (size_t)(scan->end - scan->at));
    return hit != NULL ? hit : scan->end;
}


/* As most events come: <line> is one of data, nothing waits before it, and a blank line ends it. */
static bool is_plain_event(const struct rl_sse *sse, const struct scan *scan, struct rl_span line)
{
    return scan->at < scan->end && *scan->at == '\n' && sse->line.len == 0 && !sse->has_data &&
           !sse->is_late && sse->type.len == 0 && line.len <= LONGEST_PLAIN &&
           line.len <= sse->line.max && rl_span_starts(line, "data:");
}


/* Hands out the event that is <line>. A copy on the stack ends in the NUL that was promised. */
static int hand_out(struct rl_sse *sse, struct rl_span line)
{
    char data[LONGEST_PLAIN];
    size_t skip = strlen("data:");
    if (line.len > skip && line.at[skip] == ' ')
        skip++;
    struct rl_sse_event event = {.type = "message", .data = data, .data_len = line.len - skip};
    memcpy(data, line.at + skip, event.data_len);
    data[event.data_len] = '\0';
    return sse->on_event(sse->owner, &event);
}


/* Takes one whole line from <scan>, or leaves its beginning in `line`. */
static int step(struct rl_sse *sse, struct scan *scan)
{
    if (scan->lf < scan->at)
        scan->lf = find(scan, '\n');
    if (scan->cr < scan->at)
        scan->cr = find(scan, '\r');
    const char *stop = scan->lf < scan->cr ? scan->lf : scan->cr;
    const char *start = scan->at;
    if (stop == scan->end) {
        scan->at = scan->end;
        return rl_buf_add(&sse->line, start, (size_t)(stop - start));
    }
    scan->at = stop + 1;
    if (*stop == '\r') {
        if (scan->at == scan->end)
            sse->after_cr = true;
        else if (*scan->at == '\n')
            scan->at++;
    }
    struct rl_span line = {start, (size_t)(stop - start)};
    if (!is_plain_event(sse, scan, line))
        return end_line(sse, start, stop);
    scan->at++;
    return hand_out(sse, line);
}


/* Between two events, thousands of streams wait. */
static void let_go(struct rl_sse *sse)
{
    if (sse->line.len == 0)
        rl_buf_free(&sse->line);
    if (!sse->has_data)
        rl_buf_free(&sse->data);
}


int rl_sse_feed(struct rl_sse *sse, const char *bytes, size_t len)
{
    struct scan scan = {.at = bytes, .end = bytes + len};
    if (len == 0)
        return RL_OK;
    if (sse->offset < 3)
        skip_mark(sse, &scan);
    if (sse->after_cr && scan.at < scan.end) {
        sse->after_cr = false;
        if (*scan.at == '\n')
            scan.at++;
    }
    scan.lf = find(&scan, '\n');
    scan.cr = find(&scan, '\r');
    int rc = RL_OK;
    while (rc == RL_OK && scan.at < scan.end)
        rc = step(sse, &scan);
    let_go(sse);
    return rc;
}


int rl_sse_finish(struct rl_sse *sse)
{
    int rc = RL_OK;
    if (sse->line.len > 0)
        rc = end_line(sse, "", "");
    return rc != RL_OK ? rc : end_event(sse);
}
