/* error_body.c -- beside the walk: finds the error in a body that may be JSON, events, HTML or text. See reply_error.h. */
#include "reply_error.h"

#include "err.h"
#include "json.h"
#include "span.h"
#include "sse.h"

#include <string.h>
#include <strings.h>

enum { LONGEST_TITLE = 2000 };


/* Without white space around it and the byte order mark before it. */
static struct rl_span trim(const char *bytes, size_t len)
{
    struct rl_span text = rl_span_trim(bytes, len);
    return rl_span_starts(text, "\xEF\xBB\xBF") ? rl_span_trim(text.at + 3, text.len - 3) : text;
}


/* <word> in lower case, found in any case; NULL when it is not there. */
static const char *find_word(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);
    for (; (size_t)(end - at) >= len; at++) {
        if (strncasecmp(at, word, len) == 0)
            return at;
    }
    return NULL;
}


/* The character of an entity at <*at>, which is moved behind it; or the byte that stands there. */
static char take_character(const char **at, const char *end)
{
    static const struct {
        const char *name;
        char character;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'},   {"&gt;", '>'},
                    {"&quot;", '"'}, {"&#39;", '\''}, {"&nbsp;", ' '}};
    for (size_t i = 0; **at == '&' && i < sizeof(entities) / sizeof(entities[0]); i++) {
        size_t len = strlen(entities[i].name);
        if ((size_t)(end - *at) >= len && memcmp(*at, entities[i].name, len) == 0) {
            *at += len;
            return entities[i].character;
        }
    }
    return *(*at)++;
}


/* Appends <text> with its entities read and runs of white space as one blank. */
static void add_title(struct rl_buf *out, const char *at, const char *end)
{
    bool wants_blank = false;
    while (at < end) {
        char c = take_character(&at, end);
        if (rl_is_white(c)) {
            wants_blank = out->len > 0;
            continue;
        }
        if (wants_blank)
            rl_buf_addc(out, ' ');
        wants_blank = false;
        rl_buf_addc(out, c);
    }
}


cJSON *rl_reply_error_page(const char *kind, const char *bytes, size_t len)
{
    struct rl_span page = trim(bytes, len);
    const char *end = page.at + page.len;
    const char *tag = find_word(page.at, end, "<title");
    const char *start = tag != NULL ? memchr(tag, '>', (size_t)(end - tag)) : NULL;
    const char *stop = start != NULL ? memchr(start, '<', (size_t)(end - start)) : NULL;
    struct rl_buf title;
    rl_buf_init(&title, LONGEST_TITLE);
    if (stop != NULL)
        add_title(&title, start + 1, stop);
    cJSON *error = title.len > 0 ? rl_reply_error_text(kind, title.data, title.len)
                                 : rl_reply_error_text(kind, page.at, page.len);
    rl_buf_free(&title);
    return error;
}


/* Keeps the first event that holds a JSON object or array. */
static int on_event(void *owner, const struct rl_sse_event *event)
{
    cJSON **payload = owner;
    *payload = rl_json_parse(event->data, event->data_len, NULL, 0, NULL);
    if (cJSON_IsObject(*payload) || cJSON_IsArray(*payload))
        return 1;
    cJSON_Delete(*payload);
    *payload = NULL;
    return 0;
}


/* The JSON in a body that was sent as events; NULL when there is none. */
static cJSON *payload_of_events(const char *bytes, size_t len)
{
    cJSON *payload = NULL;
    struct rl_sse sse;
    rl_sse_init(&sse, len + 1, on_event, &payload);
    if (rl_sse_feed(&sse, bytes, len) == 0)
        rl_sse_finish(&sse);
    rl_sse_free(&sse);
    return payload;
}


/* The JSON of an error body: all of it, its first value, or the first one among events. */
static cJSON *payload_of(const char *bytes, size_t len)
{
    cJSON *payload = rl_json_parse(bytes, len, NULL, 0, NULL);
    size_t first = payload == NULL && len > 0 ? rl_json_first(bytes, len) : 0;
    if (first > 0 && (bytes[0] == '{' || bytes[0] == '['))
        payload = rl_json_parse(bytes, first, NULL, 0, NULL);
    if (payload == NULL)
        payload = payload_of_events(bytes, len);
    bool says = cJSON_IsObject(payload) || cJSON_IsArray(payload) || rl_json_text(payload) != NULL;
    if (says)
        return payload;
    cJSON_Delete(payload);
    return NULL;
}


/* JSON that says nothing we know is shown as it came. */
static bool says_nothing(const cJSON *error)
{
    static const char *const names[] = {"message", "code", "type"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = rl_json_text(rl_json_get(error, names[i]));
        if (text != NULL && text[0] != '\0')
            return false;
    }
    return true;
}


static cJSON *error_of(struct rl_span body)
{
    static const char kind[] = "http_error";
    if (rl_span_starts(body, "<"))
        return rl_reply_error_page(kind, body.at, body.len);
    cJSON *payload = payload_of(body.at, body.len);
    if (payload == NULL)
        return rl_reply_error_text(kind, body.at, body.len);
    cJSON *error = rl_reply_error_json(kind, payload);
    if (error == NULL || !says_nothing(error))
        return error;
    cJSON_Delete(error);
    return rl_reply_error_text(kind, body.at, body.len);
}


cJSON *rl_reply_error_body(const struct rl_reply_head *head, const char *bytes, size_t len)
{
    cJSON *error = error_of(trim(bytes, len));
    if (error == NULL)
        return NULL;
    bool again = rl_is_retryable(head, rl_json_text(rl_json_get(error, "code")),
                                 rl_json_text(rl_json_get(error, "type")));
    if (cJSON_AddNumberToObject(error, "status", head->status) != NULL &&
        cJSON_AddBoolToObject(error, "retryable", again) != NULL)
        return error;
    cJSON_Delete(error);
    return NULL;
}
