/* error_body.c -- beside the walk: the error in a body of JSON, events, HTML or text. */
#include "reply_error.h"

#include "err.h"
#include "json.h"
#include "span.h"
#include "sse.h"
#include "tree.h"

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
    } entities[] = {{"&amp;", '&'},  {"&lt;", '<'},   {"&gt;", '>'},
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
    cJSON *error = NULL;
    if (title.status != RL_ENOMEM)
        error = title.len > 0 ? rl_reply_error_text(kind, title.data, title.len)
                              : rl_reply_error_text(kind, page.at, page.len);
    rl_buf_free(&title);
    return error;
}


/* What a search for JSON has found. */
struct search {
    cJSON *payload;
    int code; /* RL_ENOMEM when it could not be parsed for want of memory */
};


/* Parses <text>, and keeps the tree if it is one that can say something. */
static bool is_found(struct search *search, const char *text, size_t len)
{
    struct rl_err err = {0};
    search->payload = rl_json_parse(text, len, NULL, 0, &err);
    if (err.code == RL_ENOMEM)
        search->code = RL_ENOMEM;
    if (cJSON_IsObject(search->payload) || cJSON_IsArray(search->payload) ||
        rl_json_text(search->payload) != NULL)
        return true;
    rl_tree_free(search->payload);
    search->payload = NULL;
    return false;
}


/* Keeps the first event that says something, and passes over a beginning of an answer. */
static int on_event(void *owner, const struct rl_sse_event *event)
{
    struct search *search = owner;
    if (!is_found(search, event->data, event->data_len))
        return 0;
    if (rl_json_get(search->payload, "choices") == NULL ||
        rl_reply_is_error(search->payload, false))
        return 1;
    rl_tree_free(search->payload);
    search->payload = NULL;
    return 0;
}


/* The JSON in a body that was sent as events. */
static void search_events(struct search *search, struct rl_span body)
{
    struct rl_sse sse;
    rl_sse_init(&sse, body.len + 1, on_event, search);
    int rc = rl_sse_feed(&sse, body.at, body.len);
    if (rc == RL_OK)
        rc = rl_sse_finish(&sse);
    if (rc == RL_ENOMEM)
        search->code = RL_ENOMEM;
    rl_sse_free(&sse);
}


/* The JSON of an error body: all of it, its first value, or the first one among events. */
static void search_body(struct search *search, struct rl_span body)
{
    if (is_found(search, body.at, body.len))
        return;
    bool is_json = rl_span_starts(body, "{") || rl_span_starts(body, "[");
    if (!is_json || !is_found(search, body.at, rl_json_first(body.at, body.len)))
        search_events(search, body);
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
    struct search search = {0};
    search_body(&search, body);
    if (search.code == RL_ENOMEM) {
        rl_tree_free(search.payload);
        return NULL;
    }
    if (search.payload == NULL)
        return rl_reply_error_text(kind, body.at, body.len);
    cJSON *error = rl_reply_error_json(kind, search.payload);
    if (error == NULL || !says_nothing(error))
        return error;
    rl_tree_free(error);
    return rl_reply_error_text(kind, body.at, body.len);
}


cJSON *rl_reply_error_empty(const char *bytes, size_t len)
{
    struct search search = {0};
    bool is_said = len > 0 && is_found(&search, bytes, len);
    cJSON *error = search.code != RL_ENOMEM ? rl_reply_error_text("empty_response", NULL, 0) : NULL;
    if (error == NULL)
        rl_tree_free(search.payload);
    if (error == NULL || !is_said || rl_tree_put(error, "detail", search.payload))
        return error;
    rl_tree_free(error);
    return NULL;
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
    rl_tree_free(error);
    return NULL;
}
