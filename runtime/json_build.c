/* json_build.c -- beside the walk: the tree of a JSON text that has passed the guard. See
 * json_build.h.
 *
 * Every build_… function fills an item that has its place in the tree already, so that after a
 * failure the root owns everything. Source: RFC 8259; cJSON 1.7, whose items these are.
 */
#include "json_build.h"

#include "decimal.h"
#include "names.h"
#include "tree.h"
#include "utf8.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAFE_DIGITS = 15,    /* every integer of so many digits is a double */
    LONGEST_NUMBER = 60, /* characters; the guard makes strings of longer ones */
    FIRST_SURROGATE = 0xD800,
    LAST_SURROGATE = 0xDFFF
};

struct builder {
    const char *p; /* what comes next */
    const char *end;
    cJSON *items; /* the next item and the next text in the block; NULL: there is none */
    char *texts;
    int marks;                 /* of all items; 0 without a block */
    struct rl_c_locale locale; /* entered with the first number that strtod reads */
    bool in_locale;
};

static bool build_value(struct builder *b, cJSON *item);


static void skip_space(struct builder *b)
{
    while (b->p < b->end && (*b->p == ' ' || *b->p == '\n' || *b->p == '\r' || *b->p == '\t'))
        b->p++;
}


/* What an item is, beside where it lies and whose its name is. */
static void set_type(cJSON *item, int type)
{
    item->type = (item->type & (cJSON_StringIsConst | RL_TREE_LENT | RL_TREE_PASSING)) | type;
}


static cJSON *new_item(struct builder *b)
{
    cJSON *item = b->items != NULL ? b->items++ : cJSON_malloc(sizeof(*item));
    if (item == NULL)
        return NULL;
    memset(item, 0, sizeof(*item));
    item->type = cJSON_NULL | b->marks;
    return item;
}


/* Room for a text of so many bytes with the NUL; keep_text says how many it took. */
static char *new_text(struct builder *b, size_t size)
{
    return b->texts != NULL ? b->texts : cJSON_malloc(size);
}


static void keep_text(struct builder *b, const char *end)
{
    if (b->texts != NULL)
        b->texts += end - b->texts;
}


/* ------------------------------------------------------------------ strings */

static uint32_t read_hex4(const char *p)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)p[i];
        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}


/* \uXXXX, or two of them that make a pair, at <p>. Returns what follows. */
static const char *unescape_unicode(const char *p, char **to)
{
    uint32_t code = read_hex4(p + 2);
    p += 6;
    if (code >= FIRST_SURROGATE &&
        code <= LAST_SURROGATE) { /* the first half: the guard saw both */
        code = 0x10000 + ((code & 0x3FF) << 10 | (read_hex4(p + 2) & 0x3FF));
        p += 6;
    }
    *to += rl_utf8_put(*to, code);
    return p;
}


static const char *unescape(const char *p, char **to)
{
    char c = p[1];
    switch (c) {
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    case 'u': return unescape_unicode(p, to);
    default: break;
    }
    *(*to)++ = c;
    return p + 2;
}


/* The quote that ends the string at <p>. */
static const char *find_quote(const char *p, const char *end, bool *escapes)
{
    const char *quote = memchr(p, '"', (size_t)(end - p)), *backslash;
    *escapes = false;
    while ((backslash = memchr(p, '\\', (size_t)(quote - p))) != NULL) {
        *escapes = true;
        p = backslash + 2;
        if (p > quote)
            quote = memchr(p, '"', (size_t)(end - p));
    }
    return quote;
}


/* The string whose opening quote comes next; what it stands for is never longer. NULL without
 * memory. */
static char *build_string(struct builder *b)
{
    bool escapes;
    const char *p = b->p + 1, *quote = find_quote(p, b->end, &escapes);
    char *text = new_text(b, (size_t)(quote - p) + 1);
    if (text == NULL)
        return NULL;
    char *to = text;
    while (escapes && p < quote) {
        const char *backslash = memchr(p, '\\', (size_t)(quote - p));
        if (backslash == NULL)
            break;
        memcpy(to, p, (size_t)(backslash - p));
        to += backslash - p;
        p = unescape(backslash, &to);
    }
    memcpy(to, p, (size_t)(quote - p));
    to += quote - p;
    *to = '\0';
    keep_text(b, to + 1);
    b->p = quote + 1;
    return text;
}


/* ------------------------------------------------------------------ numbers */

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}


/* What is no plain integer. */
static bool read_number(struct builder *b, const char *p, size_t len, double *number)
{
    char text[LONGEST_NUMBER + 1];
    len = len <= LONGEST_NUMBER ? len : LONGEST_NUMBER;
    memcpy(text, p, len);
    text[len] = '\0';
    if (!b->in_locale)
        b->in_locale = rl_c_locale_enter(&b->locale);
    *number = strtod(text, NULL);
    return b->in_locale;
}


static bool build_number(struct builder *b, cJSON *item)
{
    const char *start = b->p, *digits = start + (*start == '-'), *p = digits;
    int64_t integer = 0;
    while (p < b->end && *p >= '0' && *p <= '9' && p - digits < SAFE_DIGITS)
        integer = integer * 10 + (*p++ - '0');
    double number = digits > start ? -(double)integer : (double)integer;
    if (p < b->end && is_of_number(*p)) {
        while (p < b->end && is_of_number(*p))
            p++;
        if (!read_number(b, start, (size_t)(p - start), &number))
            return false;
    }
    b->p = p;
    set_type(item, cJSON_Number);
    item->valuedouble = number;
    item->valueint = number >= INT_MAX ? INT_MAX : number <= INT_MIN ? INT_MIN : (int)number;
    return true;
}


/* ------------------------------------------------------------------ structure */

/* A new item at the end of <parent>, whose last one is <last>. */
static cJSON *add_item(struct builder *b, cJSON *parent, cJSON *last)
{
    cJSON *item = new_item(b);
    if (item == NULL)
        return NULL;
    if (last != NULL)
        last->next = item;
    else
        parent->child = item;
    item->prev = last;
    parent->child->prev = item; /* cJSON's way to the last one */
    return item;
}


static bool build_key(struct builder *b, cJSON *item)
{
    skip_space(b);
    const char *start = b->p + 1, *quote = memchr(start, '"', (size_t)(b->end - start));
    const char *known = rl_name_find(start, (size_t)(quote - start));
    if (known != NULL) {
        item->string = (char *)known;
        b->p = quote + 1;
    } else if ((item->string = build_string(b)) == NULL) {
        return false;
    }
    if (known != NULL || b->texts != NULL)
        item->type |= cJSON_StringIsConst;
    skip_space(b);
    b->p++; /* the colon */
    return true;
}


static bool build_children(struct builder *b, cJSON *parent)
{
    bool object = *b->p++ == '{';
    set_type(parent, object ? cJSON_Object : cJSON_Array);
    skip_space(b);
    if (*b->p == (object ? '}' : ']')) {
        b->p++;
        return true;
    }
    for (cJSON *last = NULL;;) {
        last = add_item(b, parent, last);
        if (last == NULL || (object && !build_key(b, last)) || !build_value(b, last))
            return false;
        skip_space(b);
        if (*b->p++ != ',')
            return true;
    }
}


static bool build_value(struct builder *b, cJSON *item)
{
    skip_space(b);
    switch (*b->p) {
    case '{':
    case '[': return build_children(b, item);
    case '"':
        set_type(item, b->texts != NULL ? cJSON_String | cJSON_IsReference : cJSON_String);
        item->valuestring = build_string(b);
        return item->valuestring != NULL;
    case 't':
        set_type(item, cJSON_True);
        item->valueint = 1;
        b->p += 4;
        return true;
    case 'f':
        set_type(item, cJSON_False);
        b->p += 5;
        return true;
    case 'n':
        set_type(item, cJSON_NULL);
        b->p += 4;
        return true;
    default: return build_number(b, item);
    }
}


/* One block for <nodes> items and, behind them, their texts: none takes more bytes than it has in
 * quotes. */
static bool open_block(struct builder *b, size_t nodes)
{
    size_t len = (size_t)(b->end - b->p);
    b->items = cJSON_malloc(nodes * sizeof(cJSON) + len);
    if (b->items != NULL)
        b->texts = (char *)(b->items + nodes);
    return b->items != NULL;
}


cJSON *rl_json_build(const char *text, size_t len, size_t nodes, int marks)
{
    struct builder builder = {.p = text, .end = text + len, .marks = nodes > 0 ? marks : 0};
    if (nodes > 0 && !open_block(&builder, nodes))
        return NULL;
    cJSON *root = new_item(&builder);
    bool built = root != NULL && build_value(&builder, root);
    if (builder.in_locale)
        rl_c_locale_leave(&builder.locale);
    if (built)
        return root;
    nodes > 0 ? cJSON_free(root) : cJSON_Delete(root);
    return NULL;
}
