/* guard.c -- beside the walk: JSON from strangers, one pass. See guard.h.
 *
 * Every scan_… function takes the place where its piece begins and returns the place behind it, or
 * NULL after fail(). What cJSON cannot carry is replaced on the way (replace); the rest is never
 * copied. Source: RFC 8259; Unicode 3.9 for U+FFFD.
 */
#include "guard.h"

#include "json.h"
#include "utf8.h"

#include <string.h>

enum {
    SAFE_DIGITS = 15,     /* every integer of so many digits is below 2^53 */
    LONGEST_NUMBER = 60,  /* cJSON cuts a number at 63 bytes */
    LONGEST_EXPONENT = 2, /* digits; three may pass the range of a double */
    FIRST_SURROGATE = 0xD800,
    FIRST_LOW_SURROGATE = 0xDC00,
    LAST_SURROGATE = 0xDFFF
};


static const char *fail(struct rl_guard *guard, int code, const char *where, const char *why)
{
    guard->code = code;
    guard->where = where;
    guard->why = why;
    return NULL;
}


static const char *fail_at(struct rl_guard *guard, const char *p, const char *why)
{
    if (p >= guard->end)
        return fail(guard, RL_ESYNTAX, guard->end, "unexpected end of text");
    return fail(guard, RL_ESYNTAX, p, why);
}


static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}


/* Writes the text up to <from> as it is, then <bytes> for what stands until <to>. Returns <to>. */
static const char *replace(struct rl_guard *guard, const char *from, const char *to,
                           const char *bytes, size_t len)
{
    if (guard->out == NULL)
        return to;
    if (guard->copied == guard->text)
        rl_buf_reserve(guard->out, (size_t)(guard->end - guard->text) + 64);
    rl_buf_add(guard->out, guard->copied, (size_t)(from - guard->copied));
    if (rl_buf_add(guard->out, bytes, len) != RL_OK)
        return fail(guard, guard->out->status, from, "no room for the text");
    guard->copied = to;
    return to;
}


/* ------------------------------------------------------------------ strings */

/* The value of four hexadecimal digits, or -1. */
static int read_hex4(const char *p, const char *end)
{
    int value = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        unsigned digit = c - '0', letter = (c | 0x20U) - 'a';
        if (digit > 9 && letter > 5)
            return -1;
        value = value * 16 + (int)(digit <= 9 ? digit : letter + 10);
    }
    return value;
}


/* \uXXXX at <p>. A pair of halves is cJSON's business; NUL and lone halves are carried. */
static const char *scan_unicode_escape(struct rl_guard *guard, const char *p)
{
    int code = read_hex4(p + 2, guard->end);
    if (code < 0)
        return fail(guard, RL_ESYNTAX, p, "\\u needs four hexadecimal digits");
    if (code == 0)
        return replace(guard, p, p + 6, "\xC0\x80", 2);
    if (code < FIRST_SURROGATE || code > LAST_SURROGATE)
        return p + 6;
    if (code < FIRST_LOW_SURROGATE && guard->end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        int low = read_hex4(p + 8, guard->end);
        if (low >= FIRST_LOW_SURROGATE && low <= LAST_SURROGATE)
            return p + 12;
    }
    char half[4];
    return replace(guard, p, p + 6, half, rl_utf8_put(half, (uint32_t)code));
}


static const char *scan_escape(struct rl_guard *guard, const char *p)
{
    if (guard->end - p < 2)
        return fail_at(guard, guard->end, "");
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return p + 2;
    case 'u': return scan_unicode_escape(guard, p);
    default: return fail(guard, RL_ESYNTAX, p, "no such escape");
    }
}


static const char *scan_beyond_ascii(struct rl_guard *guard, const char *p)
{
    while (p != NULL && p < guard->end && (unsigned char)*p >= 0x80) {
        int step = rl_utf8_step(p, guard->end);
        p = step > 0
                ? p + step
                : replace(guard, p, p - step, RL_UTF8_REPLACEMENT, strlen(RL_UTF8_REPLACEMENT));
    }
    return p;
}


/* <p> stands behind the opening quote. */
static const char *scan_string(struct rl_guard *guard, const char *p)
{
    while (p != NULL) {
        p = rl_utf8_plain_run(p, guard->end);
        if (p == guard->end)
            return fail_at(guard, p, "");
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            return p + 1;
        if (c < 0x20)
            return fail(guard, RL_ESYNTAX, p, "control character in a string");
        p = c == '\\' ? scan_escape(guard, p) : scan_beyond_ascii(guard, p);
    }
    return NULL;
}


/* ------------------------------------------------------------------ numbers */

static const char *scan_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}


static bool is_beyond_exact(const char *digits, size_t count)
{
    static const char largest[] = "9007199254740992"; /* 2^53 */
    if (count <= SAFE_DIGITS)
        return false;
    return count > sizeof(largest) - 1 || memcmp(digits, largest, count) > 0;
}


/* A number that cJSON would round or cut becomes a string that begins with C1. */
static const char *carry_number(struct rl_guard *guard, const char *start, const char *end)
{
    if (replace(guard, start, start, "\"\xC1", 2) == NULL)
        return NULL;
    return replace(guard, end, end, "\"", 1);
}


static const char *scan_exponent(struct rl_guard *guard, const char *p, bool *carried)
{
    p++;
    if (p < guard->end && (*p == '+' || *p == '-'))
        p++;
    const char *digits = p;
    p = scan_digits(p, guard->end);
    if (p == digits)
        return fail_at(guard, p, "digit expected");
    *carried = p - digits > LONGEST_EXPONENT;
    return p;
}


static const char *scan_number(struct rl_guard *guard, const char *start)
{
    const char *end = guard->end;
    const char *digits = start + (*start == '-');
    const char *p = scan_digits(digits, end);
    if (p == digits)
        return fail_at(guard, p, "digit expected");
    if (*digits == '0' && p - digits > 1)
        return fail(guard, RL_ESYNTAX, digits, "a number must not begin with 0");
    bool whole = true, carried = false;
    size_t count = (size_t)(p - digits);
    if (p < end && *p == '.') {
        whole = false;
        const char *fraction = p + 1;
        p = scan_digits(fraction, end);
        if (p == fraction)
            return fail_at(guard, p, "digit expected");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        whole = false;
        p = scan_exponent(guard, p, &carried);
        if (p == NULL)
            return NULL;
    }
    if (carried || p - start > LONGEST_NUMBER || (whole && is_beyond_exact(digits, count)))
        return carry_number(guard, start, p);
    return p;
}


/* ------------------------------------------------------------------ structure */

static const char *scan_word(struct rl_guard *guard, const char *p, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p + i >= guard->end || p[i] != word[i])
            return fail_at(guard, p + i, "unexpected character");
    return p + len;
}


static const char *scan_scalar(struct rl_guard *guard, const char *p)
{
    switch (*p) {
    case '"': return scan_string(guard, p + 1);
    case 't': return scan_word(guard, p, "true", 4);
    case 'f': return scan_word(guard, p, "false", 5);
    case 'n': return scan_word(guard, p, "null", 4);
    default:
        if (*p != '-' && (*p < '0' || *p > '9'))
            return fail(guard, RL_ESYNTAX, p, "unexpected character");
        return scan_number(guard, p);
    }
}


static bool is_in_object(const struct rl_guard *guard)
{
    unsigned top = guard->depth - 1;
    return (guard->objects[top / 64] >> (top % 64) & 1) != 0;
}


/* A key and its colon. */
static const char *scan_key(struct rl_guard *guard, const char *p)
{
    p = skip_space(p, guard->end);
    if (p == guard->end || *p != '"')
        return fail_at(guard, p, "a key in double quotes expected");
    p = scan_string(guard, p + 1);
    if (p == NULL)
        return NULL;
    p = skip_space(p, guard->end);
    if (p == guard->end || *p != ':')
        return fail_at(guard, p, "':' expected");
    return p + 1;
}


/* Enters the container at <p>. Returns the place of its first value; <empty> when it has none. */
static const char *scan_opening(struct rl_guard *guard, const char *p, bool *empty)
{
    if (guard->depth >= guard->limits->max_depth || guard->depth >= RL_GUARD_DEEPEST)
        return fail(guard, RL_ETOOBIG, p, "nested too deep");
    unsigned top = guard->depth++;
    uint64_t bit = UINT64_C(1) << (top % 64);
    bool object = *p == '{';
    if (object)
        guard->objects[top / 64] |= bit;
    else
        guard->objects[top / 64] &= ~bit;
    p = skip_space(p + 1, guard->end);
    *empty = p < guard->end && *p == (object ? '}' : ']');
    return object && !*empty ? scan_key(guard, p) : p;
}


/* What may follow a value: brackets that close, then a comma and the way to the next value. */
static const char *scan_closing(struct rl_guard *guard, const char *p)
{
    while (guard->depth > 0) {
        bool object = is_in_object(guard);
        p = skip_space(p, guard->end);
        if (p < guard->end && *p == ',')
            return object ? scan_key(guard, p + 1) : p + 1;
        if (p == guard->end || *p != (object ? '}' : ']'))
            return fail_at(guard, p, object ? "',' or '}' expected" : "',' or ']' expected");
        guard->depth--;
        p++;
    }
    return p;
}


static const char *scan_value(struct rl_guard *guard, const char *p)
{
    do {
        bool empty = true;
        p = skip_space(p, guard->end);
        if (p == guard->end)
            return fail_at(guard, p, "");
        if (++guard->nodes > guard->limits->max_nodes)
            return fail(guard, RL_ETOOBIG, p, "too many values");
        if (*p == '{' || *p == '[')
            p = scan_opening(guard, p, &empty);
        else
            p = scan_scalar(guard, p);
        if (p != NULL && empty)
            p = scan_closing(guard, p);
    } while (p != NULL && guard->depth > 0);
    return p;
}


const char *rl_guard_first(struct rl_guard *guard, const char *text, size_t len,
                           const struct rl_json_limits *limits, struct rl_buf *out)
{
    guard->text = guard->copied = text;
    guard->end = text + len;
    guard->limits = limits;
    guard->out = out;
    guard->depth = 0;
    guard->nodes = 0;
    guard->code = RL_OK;
    if (len > limits->max_bytes)
        return fail(guard, RL_ETOOBIG, text + limits->max_bytes, "too many bytes");
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        text = replace(guard, text, text + 3, "", 0); /* cJSON knows it in longer texts only */
    return text != NULL ? scan_value(guard, text) : NULL;
}


const char *rl_guard_whole(struct rl_guard *guard, const char *text, size_t len,
                           const struct rl_json_limits *limits, struct rl_buf *out)
{
    const char *p = rl_guard_first(guard, text, len, limits, out);
    if (p == NULL)
        return NULL;
    p = skip_space(p, guard->end);
    if (p < guard->end)
        return fail(guard, RL_ESYNTAX, p, "nothing may follow the value");
    if (guard->copied != guard->text)
        return replace(guard, p, p, "", 0);
    return p;
}
