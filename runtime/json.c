/* json.c -- beside the walk: guarded parsing and carried text. See json.h.
 *
 * The guard decides what may become a tree. The text is copied only if something in it had to be
 * rewritten. Source: RFC 8259.
 */
#include "json.h"

#include "decimal.h"
#include "guard.h"
#include "json_build.h"
#include "tree.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CARRIED_NUL = 0xC0,    /* first of two bytes */
    CARRIED_NUMBER = 0xC1, /* first byte of a string that is a number */
    SURROGATE_LEAD = 0xED, /* of halves, and of plain Hangul */
    FEW_KEYS = 16          /* so many are compared each with each */
};

#define OUT_OF_MEMORY "out of memory"

const struct rl_json_limits rl_json_default_limits = {64U << 20, 128, 1000000};

static const struct rl_json_limits no_limits = {SIZE_MAX, RL_GUARD_DEEPEST, SIZE_MAX};


/* ------------------------------------------------------------------ duplicate keys */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}


static int fail_duplicate(struct rl_err *err, const char *key)
{
    enum { SHOWN = 60 };
    struct rl_buf shown;
    rl_buf_init(&shown, SHOWN * 8);
    size_t len = 0;
    while (key[len] != '\0' && (len < SHOWN || ((unsigned char)key[len] & 0xC0) == 0x80))
        len++;
    struct rl_buf plain;
    rl_buf_init(&plain, SHOWN * 8);
    rl_json_plain(&plain, key, len);
    rl_json_write_string(&shown, plain.len > 0 ? plain.data : "", plain.len);
    int code = rl_err_set(err, RL_ESYNTAX, "duplicate key %s", shown.len > 0 ? shown.data : "");
    rl_buf_free(&plain);
    rl_buf_free(&shown);
    return code;
}


static const cJSON *find_equal(const cJSON *item, const cJSON *end)
{
    for (const cJSON *other = item->next; other != end; other = other->next)
        if (strcmp(item->string, other->string) == 0)
            return other;
    return NULL;
}


static int check_many_keys(const cJSON *object, size_t count, struct rl_err *err)
{
    const char **keys = malloc(count * sizeof(*keys));
    if (keys == NULL)
        return rl_err_set(err, RL_ENOMEM, OUT_OF_MEMORY);
    size_t n = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        keys[n++] = item->string;
    qsort(keys, n, sizeof(*keys), compare_keys);
    int code = RL_OK;
    for (size_t i = 1; i < n && code == RL_OK; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            code = fail_duplicate(err, keys[i]);
    free(keys);
    return code;
}


static int check_object(const cJSON *object, struct rl_err *err)
{
    size_t count = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        count++;
    if (count > FEW_KEYS)
        return check_many_keys(object, count, err);
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        if (find_equal(item, NULL) != NULL)
            return fail_duplicate(err, item->string);
    return RL_OK;
}


/* The depth of <tree> is bounded by the guard. */
static int check_keys(const cJSON *tree, struct rl_err *err)
{
    int code = cJSON_IsObject(tree) ? check_object(tree, err) : RL_OK;
    for (const cJSON *item = tree->child; item != NULL && code == RL_OK; item = item->next)
        code = check_keys(item, err);
    return code;
}


/* ------------------------------------------------------------------ parsing */

static int fail_guard(const struct rl_guard *guard, struct rl_err *err)
{
    if (guard->code == RL_ENOMEM)
        return rl_err_set(err, RL_ENOMEM, OUT_OF_MEMORY);
    return rl_err_set(err, guard->code, "%s at byte %zu", guard->why,
                      (size_t)(guard->where - guard->text));
}


cJSON *rl_json_parse(const char *text, size_t len, const struct rl_json_limits *limits,
                     unsigned flags, struct rl_err *err)
{
    struct rl_guard guard;
    struct rl_buf carried;
    rl_buf_init(&carried, SIZE_MAX / 4);
    cJSON *tree = NULL;
    if (limits == NULL)
        limits = &rl_json_default_limits;
    if (rl_guard_whole(&guard, text, len, limits, &carried) == NULL) {
        fail_guard(&guard, err);
        goto done;
    }
    bool in_block = (flags & (RL_JSON_ONE_BLOCK | RL_JSON_PASSING)) != 0;
    int marks = (flags & RL_JSON_PASSING) != 0 ? RL_TREE_LENT | RL_TREE_PASSING : RL_TREE_LENT;
    tree = rl_json_build(carried.len > 0 ? carried.data : text, carried.len > 0 ? carried.len : len,
                         in_block ? guard.nodes : 0, marks);
    if (tree == NULL) {
        rl_err_set(err, RL_ENOMEM, OUT_OF_MEMORY);
    } else if ((flags & RL_JSON_UNIQUE_KEYS) != 0 && check_keys(tree, err) != RL_OK) {
        in_block ? cJSON_free(tree) : cJSON_Delete(tree);
        tree = NULL;
    }
done:
    rl_buf_free(&carried);
    return tree;
}


bool rl_json_is_complete(const char *text, size_t len)
{
    struct rl_guard guard;
    return rl_guard_whole(&guard, text, len, &no_limits, NULL) != NULL;
}


bool rl_json_is_readable(const char *text, size_t len)
{
    struct rl_guard guard;
    return rl_guard_whole(&guard, text, len, &rl_json_default_limits, NULL) != NULL;
}


bool rl_json_is_cut(const char *text, size_t len)
{
    static const char *const words[] = {"true", "false", "null"};
    struct rl_guard guard;
    if (rl_guard_whole(&guard, text, len, &rl_json_default_limits, NULL) != NULL)
        return false;
    size_t rest = (size_t)(text + len - guard.where);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rest < strlen(words[i]) && memcmp(guard.where, words[i], rest) == 0)
            return true;
    }
    return guard.where[0] == '\\' && rest < strlen("\\uD83D");
}


size_t rl_json_first(const char *text, size_t len)
{
    struct rl_guard guard;
    const char *end = rl_guard_first(&guard, text, len, &no_limits, NULL);
    return end != NULL ? (size_t)(end - text) : 0;
}


/* ------------------------------------------------------------------ items */

static const char *carried_number(const cJSON *item)
{
    if (!cJSON_IsString(item) || (unsigned char)item->valuestring[0] != CARRIED_NUMBER)
        return NULL;
    return item->valuestring + 1;
}


cJSON *rl_json_get(const cJSON *object, const char *key)
{
    cJSON *member = cJSON_IsObject(object) ? object->child : NULL;
    while (member != NULL && (member->string[0] != key[0] || strcmp(member->string, key) != 0))
        member = member->next;
    return member;
}


const char *rl_json_text(const cJSON *item)
{
    return cJSON_IsString(item) && carried_number(item) == NULL ? item->valuestring : NULL;
}


bool rl_json_is_number(const cJSON *item)
{
    return cJSON_IsNumber(item) || carried_number(item) != NULL;
}


bool rl_json_integer(const cJSON *item, int64_t *value)
{
    const char *number = carried_number(item);
    if (number != NULL)
        return rl_decimal_read_integer(number, value);
    if (!cJSON_IsNumber(item))
        return false;
    double d = item->valuedouble;
    if (!(d >= -0x1p63 && d < 0x1p63) || d != floor(d))
        return false;
    *value = (int64_t)d;
    return true;
}


bool rl_json_double(const cJSON *item, double *value)
{
    const char *number = carried_number(item);
    if (number != NULL) {
        *value = rl_decimal_read(number);
        return !isnan(*value);
    }
    if (!cJSON_IsNumber(item))
        return false;
    *value = item->valuedouble;
    return true;
}


cJSON *rl_json_new_string(const char *bytes, size_t len)
{
    struct rl_buf carried;
    rl_buf_init(&carried, SIZE_MAX / 4);
    cJSON *item = NULL;
    if (rl_buf_reserve(&carried, len) == RL_OK && rl_json_carry(&carried, bytes, len) == RL_OK)
        item = cJSON_CreateString(carried.len > 0 ? carried.data : "");
    rl_buf_free(&carried);
    return item;
}


cJSON *rl_json_new_integer(int64_t value)
{
    const int64_t exact = INT64_C(1) << 53;
    if (value >= -exact && value <= exact)
        return cJSON_CreateNumber((double)value);
    char text[1 + RL_DECIMAL_MAX] = {(char)CARRIED_NUMBER};
    rl_decimal_print_integer(text + 1, value);
    return cJSON_CreateString(text);
}


/* ------------------------------------------------------------------ carried text */

/* The half of a surrogate pair that is carried at <p>, or 0. */
static uint32_t half_at(const char *p, const char *end)
{
    if (end - p < 3 || (unsigned char)p[0] != SURROGATE_LEAD || (unsigned char)p[1] < 0xA0)
        return 0;
    return 0xD000U | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
}


/* Writes the plain form of the piece at <p> that is not plain already. Returns the place behind the
 * piece. */
static const char *unfold(struct rl_buf *out, const char *p, const char *end)
{
    if ((unsigned char)*p == CARRIED_NUL) {
        rl_buf_addc(out, '\0');
        return p + (end - p > 1 ? 2 : 1);
    }
    uint32_t high = half_at(p, end), low = half_at(p + 3, end);
    if (high >= 0xDC00 || low < 0xDC00) {
        rl_buf_adds(out, RL_UTF8_REPLACEMENT);
        return p + 3;
    }
    char pair[4];
    rl_buf_add(out, pair, rl_utf8_put(pair, 0x10000 + ((high & 0x3FF) << 10 | (low & 0x3FF))));
    return p + 6;
}


static bool is_folded(const char *p, const char *end)
{
    return (unsigned char)*p == CARRIED_NUL || half_at(p, end) != 0;
}


int rl_json_plain(struct rl_buf *out, const char *carried, size_t len)
{
    const char *p = carried, *end = carried + len, *start = p;
    while ((p = rl_utf8_plain_run(p, end)) < end) {
        if (!is_folded(p, end)) {
            p++;
            continue;
        }
        rl_buf_add(out, start, (size_t)(p - start));
        p = start = unfold(out, p, end);
    }
    return rl_buf_add(out, start, (size_t)(end - start));
}


int rl_json_carry(struct rl_buf *out, const char *bytes, size_t len)
{
    const char *p = bytes, *end = bytes + len, *start = p;
    while ((p = rl_utf8_plain_run(p, end)) < end) {
        int step = *p == '\0' ? 0 : rl_utf8_step(p, end);
        if (step > 0) {
            p += step;
            continue;
        }
        rl_buf_add(out, start, (size_t)(p - start));
        rl_buf_adds(out, step == 0 ? "\xC0\x80" : RL_UTF8_REPLACEMENT);
        p = start = p + (step == 0 ? 1 : -step);
    }
    return rl_buf_add(out, start, (size_t)(end - start));
}
