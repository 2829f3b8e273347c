/* arguments.c -- walk 7: collecting and tidying the arguments of a call. See arguments.h. */
#include "arguments.h"

#include "err.h"
#include "json.h"
#include "tree.h"

#include <string.h>

static const char white[] = " \t\r\n";


void rl_arguments_free(struct rl_arguments *arguments)
{
    rl_tree_free(arguments->text);
    *arguments = (struct rl_arguments){0};
}


/* Inside the first value: follows strings and brackets. */
static void count(struct rl_arguments *a, char byte)
{
    if (a->in_string) {
        if (a->is_escaped)
            a->is_escaped = false;
        else if (byte == '\\')
            a->is_escaped = true;
        else if (byte == '"')
            a->in_string = false;
    } else if (byte == '"') {
        a->in_string = true;
    } else if (byte == '{' || byte == '[') {
        a->depth++;
    } else if (byte == '}' || byte == ']') {
        if (a->depth > 0)
            a->depth--;
        if (a->depth == 0)
            a->end = a->scanned + 1;
    }
}


static void scan(struct rl_arguments *a)
{
    const char *text = a->text->valuestring;
    size_t len = rl_text_len(a->text);
    for (; a->scanned < len && !a->is_followed; a->scanned++) {
        char byte = text[a->scanned];
        if (a->end > 0)
            a->is_followed = !rl_is_white(byte);
        else if (a->is_bracketed)
            count(a, byte);
        else if (byte == '{' || byte == '[')
            a->is_bracketed = true, a->depth = 1;
        else if (!rl_is_white(byte))
            a->is_followed = true; /* a scalar; it is looked at as a whole */
    }
}


int rl_arguments_append(struct rl_arguments *arguments, const char *carried, size_t len,
                        struct rl_room *room)
{
    int rc = rl_text_append(&arguments->text, carried, len, room);
    if (rc == RL_OK)
        scan(arguments);
    return rc;
}


int rl_arguments_take(struct rl_arguments *arguments, cJSON *parent, cJSON *item,
                      struct rl_room *room)
{
    int rc = rl_text_take(&arguments->text, parent, item, room);
    if (rc == RL_OK)
        scan(arguments);
    return rc;
}


bool rl_arguments_are_whole(struct rl_arguments *arguments)
{
    enum { LONGEST_SCALAR = 64 };
    const char *text = rl_text_of(arguments->text);
    if (!arguments->is_bracketed) {
        size_t len = rl_text_len(arguments->text);
        return len <= LONGEST_SCALAR && rl_json_is_complete(text, len);
    }
    if (arguments->end == 0 || arguments->is_followed)
        return false;
    if (!arguments->is_checked) {
        arguments->is_checked = true;
        arguments->is_valid = rl_json_is_complete(text, arguments->end);
    }
    return arguments->is_valid;
}


bool rl_arguments_are_json(const struct rl_arguments *arguments)
{
    return rl_json_is_complete(rl_text_of(arguments->text), rl_text_len(arguments->text));
}


bool rl_arguments_are_empty(const struct rl_arguments *arguments)
{
    const char *text = rl_text_of(arguments->text);
    text += strspn(text, white);
    if (strncmp(text, "null", 4) == 0)
        text += 4;
    return text[strspn(text, white)] == '\0';
}


static bool same_bytes(struct rl_span a, struct rl_span b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}


/* The next complete value at <*at>, without white space around it; false at anything else. */
static bool next_value(const char **at, struct rl_span *value)
{
    *at += strspn(*at, white);
    size_t len = rl_json_first(*at, strlen(*at));
    *value = (struct rl_span){*at, len};
    *at += len;
    return len > 0;
}


size_t rl_arguments_split(const struct rl_arguments *arguments, struct rl_span *values, size_t max)
{
    const char *at = rl_text_of(arguments->text);
    size_t count_kept = 0;
    struct rl_span value;
    bool any = false;
    while (at[strspn(at, white)] != '\0') {
        if (!next_value(&at, &value))
            return 0;
        any = true;
        bool drop = count_kept == 0 && (rl_span_is(value, "{}") || rl_span_is(value, "null"));
        for (size_t i = 0; i < count_kept && !drop; i++)
            drop = same_bytes(value, values[i]);
        if (drop)
            continue;
        if (count_kept == max)
            return 0;
        values[count_kept++] = value;
    }
    if (any && count_kept == 0)
        values[count_kept++] = (struct rl_span){"{}", 2};
    return count_kept;
}
