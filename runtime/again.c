/* again.c -- walk 7: a chunk that repeats the one before it, but for its text. See again.h. */
#include "again.h"

#include "err.h"
#include "utf8.h"

#include <string.h>

enum {
    LONGEST = 4096,         /* bytes of a chunk that is kept */
    LONGEST_AGAIN = 1 << 20 /* and of one that repeats it; below every limit of the long way */
};

enum { CHOICES = sizeof("\"choices\"") - 1 }; /* bytes of the name behind a head */


void rl_again_init(struct rl_again *again)
{
    *again = (struct rl_again){0};
    rl_buf_init(&again->like, LONGEST);
    rl_buf_init(&again->unescaped, LONGEST_AGAIN);
}


void rl_again_free(struct rl_again *again)
{
    rl_buf_free(&again->like);
    rl_buf_free(&again->unescaped);
}


void rl_again_forget(struct rl_again *again)
{
    rl_buf_clear(&again->like);
    again->head = 0;
    again->count = 0;
}


/* ------------------------------------------------------------------ keeping */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}


/* The value of the member whose name opens at <quote>, when that is <name>; else NULL. Inside a
 * string a quote follows a backslash, and a quote that ends one is followed by no name: so what
 * looks like a name is one. */
static const char *value_of(struct rl_span chunk, const char *quote, const char *name)
{
    const char *end = chunk.at + chunk.len;
    size_t len = strlen(name);
    if ((size_t)(end - quote) < len + 2 || (quote > chunk.at && quote[-1] == '\\') ||
        memcmp(quote + 1, name, len) != 0 || quote[len + 1] != '"')
        return NULL;
    const char *colon = skip_blanks(quote + len + 2, end);
    return colon < end && *colon == ':' ? skip_blanks(colon + 1, end) : NULL;
}


/* The value of the first member called <name> at or behind <at>, whose name opens at <*quote>; NULL
 * when there is none. */
static const char *find_value(struct rl_span chunk, const char *at, const char *name,
                              const char **quote)
{
    const char *value = NULL, *end = chunk.at + chunk.len;
    for (; value == NULL && (at = memchr(at, '"', (size_t)(end - at))) != NULL; at++) {
        *quote = at;
        if (end - at > 1 && at[1] == name[0])
            value = value_of(chunk, at, name);
    }
    return value;
}


size_t rl_again_find_head(struct rl_span chunk)
{
    const char *quote;
    if (find_value(chunk, chunk.at, "choices", &quote) == NULL)
        return 0;
    size_t head = (size_t)(quote - chunk.at);
    return head > 1 && memchr(chunk.at, '\\', head) == NULL ? head : 0;
}


void rl_again_keep_head(struct rl_again *again, struct rl_span chunk, size_t head)
{
    rl_again_forget(again);
    if (head > 0 && rl_buf_add(&again->like, chunk.at, head + CHOICES) == RL_OK)
        again->head = head;
}


/* What may differ: the string that <name> has, behind the first <from> bytes. False when it cannot
 * be found, or is none. */
static bool add_hole(struct rl_again *again, struct rl_span chunk, size_t from, const char *name,
                     bool is_text)
{
    const char *quote, *value = find_value(chunk, chunk.at + from, name, &quote);
    if (value == NULL || *value != '"')
        return false;
    const char *end = value + 1;
    while (*end != '"')
        end += *end == '\\' ? 2 : 1;
    size_t i = again->count++;
    if (i > 0 && again->holes[0].at > (size_t)(value - chunk.at))
        again->holes[i--] = again->holes[0];
    again->holes[i].at = (size_t)(value + 1 - chunk.at);
    again->holes[i].len = (size_t)(end - value - 1);
    again->holes[i].is_text = is_text;
    return true;
}


void rl_again_keep(struct rl_again *again, struct rl_span chunk, size_t head,
                   struct rl_again_place place, bool is_padded)
{
    const char *name = place.call < 0 ? "content" : "arguments";
    rl_again_forget(again);
    again->place = place;
    if (add_hole(again, chunk, head, name, true) &&
        (!is_padded || add_hole(again, chunk, 0, "obfuscation", false)) &&
        rl_buf_add(&again->like, chunk.at, chunk.len) == RL_OK)
        again->head = head;
    else
        rl_again_keep_head(again, chunk, head);
}


/* ------------------------------------------------------------------ matching */

/* The first byte that cannot stand in a JSON string as it is. */
static const char *skip_plain(const char *at, const char *end)
{
    int step;
    for (;;) {
        at = rl_utf8_plain_run(at, end);
        if (at == end || (unsigned char)*at < 0x80 || (step = rl_utf8_step(at, end)) < 0)
            return at;
        at += step;
    }
}


/* What a backslash before <c> means; NUL: \u, or nothing. */
static char meaning(char c)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *found = c != '\0' ? strchr(letters, c) : NULL;
    return found != NULL ? meanings[found - letters] : '\0';
}


/* The string at <at> up to what cannot stand in one, or is no simple escape. Returns its end. */
static const char *read_string(struct rl_again *again, const char *at, const char *end,
                               struct rl_span *text)
{
    const char *stop = skip_plain(at, end);
    *text = (struct rl_span){at, (size_t)(stop - at)};
    if (stop == end || *stop != '\\')
        return stop;
    rl_buf_clear(&again->unescaped);
    while (end - stop > 1 && *stop == '\\' && meaning(stop[1]) != '\0') {
        rl_buf_add(&again->unescaped, at, (size_t)(stop - at));
        rl_buf_addc(&again->unescaped, meaning(stop[1]));
        at = stop + 2;
        stop = skip_plain(at, end);
    }
    if (rl_buf_add(&again->unescaped, at, (size_t)(stop - at)) != RL_OK)
        return end; /* which ends no chunk */
    *text = (struct rl_span){again->unescaped.data, again->unescaped.len};
    return stop;
}


/* Steps over the bytes that <again> has from <from> to <to>; NULL when there are others. */
static const char *step_over(const struct rl_again *again, size_t from, size_t to, const char *at,
                             const char *end)
{
    size_t len = to - from;
    bool same = (size_t)(end - at) >= len && memcmp(at, again->like.data + from, len) == 0;
    return same ? at + len : NULL;
}


bool rl_again_matches(struct rl_again *again, struct rl_span chunk, struct rl_span *text)
{
    if (again->count == 0 || chunk.len > LONGEST_AGAIN)
        return false;
    const char *at = chunk.at, *end = chunk.at + chunk.len;
    size_t done = 0;
    for (size_t i = 0; i < again->count; i++) {
        at = step_over(again, done, again->holes[i].at, at, end);
        if (at == NULL)
            return false;
        at = again->holes[i].is_text ? read_string(again, at, end, text) : skip_plain(at, end);
        done = again->holes[i].at + again->holes[i].len;
    }
    return step_over(again, done, again->like.len, at, end) == end;
}


size_t rl_again_begins(const struct rl_again *again, struct rl_span chunk)
{
    bool same = again->head > 0 && chunk.len >= again->head + CHOICES &&
                memcmp(chunk.at, again->like.data, again->head + CHOICES) == 0;
    return same ? again->head : 0;
}
