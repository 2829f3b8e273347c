/* form.c -- walk 2: wire forms of ordinary answers. See form.h. */
#include "form.h"

#include "err.h"

#include <string.h>

/* One member of an object that we wrote: no white space, no name twice. */
struct member {
    struct rl_span all, name, value;
};


/* Behind the string that begins at <text>. */
static const char *skip_string(const char *text)
{
    for (const char *quote = strchr(text + 1, '"');; quote = strchr(quote + 1, '"')) {
        const char *back = quote;
        while (back[-1] == '\\')
            back--;
        if ((quote - back) % 2 == 0)
            return quote + 1;
    }
}


/* Behind the value that begins at <text>. */
static const char *skip_value(const char *text)
{
    size_t depth = 0;
    do {
        if (*text == '"') {
            text = skip_string(text);
            continue;
        }
        if (*text == '{' || *text == '[')
            depth++;
        else if (*text == '}' || *text == ']')
            depth--;
        text++;
    } while (depth > 0 || (*text != ',' && *text != '}'));
    return text;
}


/* Reads the member behind the bracket or comma at <*at>, and moves there. */
static bool next_member(const char **at, struct member *member)
{
    const char *name = *at + 1;
    if (**at == '}' || *name == '}')
        return false;
    const char *colon = skip_string(name);
    const char *end = skip_value(colon + 1);
    member->all = (struct rl_span){name, (size_t)(end - name)};
    member->name = (struct rl_span){name + 1, (size_t)(colon - name) - 2};
    member->value = (struct rl_span){colon + 1, (size_t)(end - colon) - 1};
    *at = end;
    return true;
}


static bool is_same(struct rl_span a, struct rl_span b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}


static int compare(struct rl_span a, struct rl_span b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}


/* Names in a list are not empty, though the list may be, and hold no blanks. */
static bool has_name(struct rl_span list, struct rl_span name)
{
    const char *end = list.at + list.len;
    if (list.at == NULL || name.len == 0 || memchr(name.at, ' ', name.len) != NULL)
        return false;
    for (const char *at = list.at + 1; at < end;) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        if (is_same((struct rl_span){at, (size_t)(blank - at)}, name))
            return true;
        at = blank + 1;
    }
    return false;
}


/* A form while it is made. */
struct maker {
    const struct rl_form_rules *rules;
    struct rl_buf *out;
    const char *bare;   /* what is left of the bare text */
    struct member next; /* its next member, */
    bool has_next;      /* if there is one */
    bool lacks_always;  /* is what always stands there still to come? */
};


static void add_named(struct maker *maker, struct rl_span name, struct rl_span value)
{
    rl_buf_addc(maker->out, maker->out->len == 0 ? '{' : ',');
    rl_buf_addc(maker->out, '"');
    rl_buf_add(maker->out, name.at, name.len);
    rl_buf_adds(maker->out, "\":");
    rl_buf_add(maker->out, value.at, value.len);
}


/* Members stand sorted: before this one, has the one that always stands there its place? NULL at
 * the end. */
static void add_always(struct maker *maker, const struct rl_span *before)
{
    static const struct rl_span empty = {"\"\"", 2};
    if (!maker->lacks_always || (before != NULL && compare(maker->rules->always, *before) > 0))
        return;
    if (before == NULL || !is_same(maker->rules->always, *before))
        add_named(maker, maker->rules->always, empty);
    maker->lacks_always = false;
}


static void add_bare(struct maker *maker)
{
    struct rl_span value = maker->next.value;
    bool replaces = maker->rules->null_content.at != NULL &&
                    rl_span_is(maker->next.name, "content") && rl_span_is(value, "null");
    add_always(maker, &maker->next.name);
    add_named(maker, maker->next.name, replaces ? maker->rules->null_content : value);
    maker->has_next = next_member(&maker->bare, &maker->next);
}


static bool is_settled(const char **at);


/* A list of settled values. */
static bool is_settled_list(const char **at)
{
    if ((*at)[1] == ']') {
        *at += 2;
        return true;
    }
    do {
        ++*at;
        if (!is_settled(at))
            return false;
    } while (**at == ',');
    ++*at;
    return true;
}


/* Names that a table orders itself would be sorted, and stand there once. */
static bool is_settled_object(const char **at)
{
    struct rl_span before = {NULL, 0};
    if ((*at)[1] == '}') {
        *at += 2;
        return true;
    }
    do {
        const char *start = *at + 2, *colon = skip_string(*at + 1);
        struct rl_span name = {start, (size_t)(colon - start) - 1};
        bool is_odd = memchr(name.at, '\\', name.len) != NULL;
        *at = colon + 1;
        if (is_odd || (before.at != NULL && compare(before, name) >= 0) || !is_settled(at))
            return false;
        before = name;
    } while (**at == ',');
    ++*at;
    return true;
}


/* Would rille.rewrite, which reads values and writes them anew, make the same bytes of the value at
 * <*at>, for all that can be seen? Moves behind it. It leaves out nulls, and the sign of a zero. */
static bool is_settled(const char **at)
{
    if (**at == '{')
        return is_settled_object(at);
    if (**at == '[')
        return is_settled_list(at);
    if (**at == '"') {
        *at = skip_string(*at);
        return true;
    }
    const char *start = *at;
    *at += strcspn(start, ",]}");
    return *start != 'n' && (start[0] != '-' || start[1] != '0');
}


/* What the bare text lacks: it goes back, or it does not; false: that is not decided here. */
static bool add_other(struct maker *maker, const struct member *member)
{
    const char *value = member->value.at;
    if (rl_span_is(member->value, "null"))
        return true;
    if (has_name(maker->rules->keeps, member->name))
        return false;
    if (!has_name(maker->rules->echo, member->name))
        return true;
    if (!is_settled(&value))
        return false;
    add_always(maker, &member->name);
    add_named(maker, member->name, member->value);
    return true;
}


/* The form of an answer with a bare text. */
static bool make(const struct rl_message_text *message, const struct rl_form_rules *rules,
                 struct rl_buf *out)
{
    struct maker maker = {.rules = rules, .out = out, .bare = message->bare};
    struct member member;
    const char *text = message->text;
    maker.lacks_always = rules->always.at != NULL;
    maker.has_next = next_member(&maker.bare, &maker.next);
    while (next_member(&text, &member)) {
        if (maker.has_next && is_same(member.name, maker.next.name))
            add_bare(&maker);
        else if (!add_other(&maker, &member))
            return false;
    }
    add_always(&maker, NULL);
    return rl_buf_addc(out, '}') == RL_OK;
}


/* What a result says may stand behind the last of its turn. */
static bool stands_alone(const struct rl_transcript *transcript, size_t i)
{
    const struct rl_message_text *message = rl_transcript_message(transcript, i);
    for (; message->plain != NULL; message = rl_transcript_message(transcript, --i))
        if (!message->is_result || i == 0)
            return true;
    return !message->is_result;
}


static bool make_form(struct rl_transcript *transcript, size_t i, const char *key,
                      const struct rl_form_rules *rules, struct rl_buf *text)
{
    const struct rl_message_text *message = rl_transcript_message(transcript, i);
    bool is_answer = message->bare != NULL && strcmp(message->role, "assistant") == 0;
    if (!is_answer)
        return message->plain != NULL && stands_alone(transcript, i) &&
               rl_transcript_set_wire(transcript, i, key, NULL, 0) == RL_OK;
    rl_buf_clear(text);
    if ((message->sheds_calls && rules->echoes_calls) || !make(message, rules, text))
        return false;
    return rl_transcript_set_wire(transcript, i, key, text->data, text->len) == RL_OK;
}


bool rl_form_fill(struct rl_transcript *transcript, const char *key, bool plain_serves,
                  const struct rl_form_rules *rules, struct rl_buf *text)
{
    size_t i = 0;
    while ((i = rl_transcript_unwired(transcript, key, i, plain_serves)) < transcript->count)
        if (!make_form(transcript, i++, key, rules, text))
            return false;
    return true;
}
