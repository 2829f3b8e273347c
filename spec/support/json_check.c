/* json_check.c -- beside the walk: the C contract of json.h, transcript.h and base64.h, from C.
 *
 * spec/json_contract_spec.lua compiles it together with those files, `malloc` and its kin renamed
 * to the counting ones of fail_alloc.h, and runs it: `json_check faults` lets every allocation fail
 * in turn, `json_check <name>` runs one check. Silence and status 0 mean that all is well.
 */
#include "base64.h"
#include "fail_alloc.h"
#include "guard.h"
#include "json.h"
#include "names.h"
#include "transcript.h"
#include "text.h"
#include "tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int mistakes;


static void expect(bool ok, const char *what, long detail)
{
    if (ok)
        return;
    mistakes++;
    printf("%s (%ld)\n", what, detail);
}


static bool writes(const cJSON *tree, const char *expected)
{
    struct rl_buf out;
    rl_buf_init(&out, 1 << 20);
    bool same = rl_json_write(&out, tree) == RL_OK && strcmp(out.data, expected) == 0;
    if (!same)
        printf("wrote %s, not %s\n", out.data != NULL ? out.data : "", expected);
    rl_buf_free(&out);
    return same;
}


/* ------------------------------------------------------------------ checks */

static const char rewritten[] =
    "{\"nul\":\"a\\u0000b\",\"half\":\"\\ud83d\",\"big\":9007199254740993,"
    "\"bad\":\"\xFF\",\"list\":[1,2.5,1e400,{}],\"deep\":[[[[]]]]}";


static void check_carried(void)
{
    cJSON *tree = rl_json_parse(rewritten, strlen(rewritten), NULL, 0, NULL);
    const char *text = rl_json_text(rl_json_get(tree, "nul"));
    expect(text != NULL && strcmp(text, "a\xC0\x80"
                                        "b") == 0,
           "NUL is carried as C0 80", 0);
    text = rl_json_text(rl_json_get(tree, "half"));
    expect(text != NULL && strcmp(text, "\xED\xA0\xBD") == 0, "a half is carried", 0);
    expect(rl_json_text(rl_json_get(tree, "big")) == NULL, "a carried number is no text", 0);
    expect(rl_json_is_number(rl_json_get(tree, "big")), "a carried number is a number", 0);
    expect(writes(tree, "{\"nul\":\"a\\u0000b\",\"half\":\"\xEF\xBF\xBD\",\"big\":9007199254740993,"
                        "\"bad\":\"\xEF\xBF\xBD\",\"list\":[1,2.5,1e400,{}],\"deep\":[[[[]]]]}"),
           "carried values are written plain", 0);
    cJSON_Delete(tree);
}


static void expect_integer(const char *text, bool whole, int64_t expected)
{
    cJSON *item = rl_json_parse(text, strlen(text), NULL, 0, NULL);
    int64_t value = 0;
    bool ok = rl_json_integer(item, &value);
    expect(ok == whole && (!ok || value == expected), text, (long)value);
    cJSON_Delete(item);
}


static void check_integers(void)
{
    static const int64_t some[] = {0,
                                   1,
                                   -1,
                                   INT64_MIN,
                                   INT64_MIN + 1,
                                   INT64_MAX,
                                   INT64_MAX - 1,
                                   (INT64_C(1) << 53) - 1,
                                   INT64_C(1) << 53,
                                   (INT64_C(1) << 53) + 1,
                                   -(INT64_C(1) << 53) - 1};
    for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%" PRId64, some[i]);
        expect_integer(text, true, some[i]);
        cJSON *item = rl_json_new_integer(some[i]);
        expect(writes(item, text), "an integer is written exactly", (long)i);
        cJSON_Delete(item);
    }
    expect_integer("1.0", true, 1);
    expect_integer("-0", true, 0);
    expect_integer("1e3", true, 1000);
    expect_integer("1.25e2", true, 125);
    expect_integer("1.5", false, 0);
    expect_integer("9223372036854775808", false, 0);
    expect_integer("-9223372036854775809", false, 0);
    expect_integer("1e400", false, 0);
    expect_integer("0e400", true, 0);
    expect_integer("100e-002", true, 1);
    expect_integer("1e-400", false, 0);
    expect_integer("12.00000000000000000000000000000000000000000000000000000000000000", true, 12);
    expect_integer("0.0000000000000000000000000000000000000000000000000000000000012e060", false, 0);
    expect_integer("0.0000000000000000000000000000000000000000000000000000000000012e061", true, 12);
    expect_integer("\"1\"", false, 0);
    expect(!rl_json_integer(NULL, &(int64_t){0}), "NULL is no integer", 0);
}


static void check_first(void)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"{}{}", 2},   {" [1] 2", 4}, {"truefalse", 4}, {"", 0},    {"  ", 0},  {"{\"a\":", 0},
        {"\"x\"y", 3}, {"12 34", 2},  {"-", 0},         {"nul", 0}, {"[1}", 0}, {"{\"a\":1}x", 7},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        expect(rl_json_first(rows[i].text, strlen(rows[i].text)) == rows[i].len, rows[i].text,
               (long)i);
    expect(rl_json_is_complete(" {} ", 4), "white space around is fine", 0);
    expect(!rl_json_is_complete("{}{}", 4), "two values are not one", 0);
}


/* Every prefix of a text, in a block of exactly its size, so that a sanitizer sees one byte too
 * far. */
static void check_prefixes(void)
{
    size_t len = strlen(rewritten);
    for (size_t n = 0; n <= len; n++) {
        char *block = malloc(n != 0 ? n : 1);
        memcpy(block, rewritten, n);
        struct rl_err err = {0};
        cJSON *tree = rl_json_parse(block, n, NULL, RL_JSON_UNIQUE_KEYS, &err);
        expect((tree != NULL) == (n == len), "only the whole text is JSON", (long)n);
        expect(tree != NULL || err.code == RL_ESYNTAX, err.message, (long)n);
        cJSON_Delete(tree);
        free(block);
    }
}


static void check_limits(void)
{
    struct rl_json_limits limits = {20, 3, 5};
    struct rl_err err = {0};
    static const struct {
        const char *text;
        int code;
    } rows[] = {
        {"[[[]]]", RL_OK},
        {"[[[[]]]]", RL_ETOOBIG},
        {"[1,2,3,4]", RL_OK},
        {"[1,2,3,4,5]", RL_ETOOBIG},
        {"\"345678901234567890\"", RL_OK},
        {"\"3456789012345678901\"", RL_ETOOBIG},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        err.code = RL_OK;
        cJSON *tree = rl_json_parse(rows[i].text, strlen(rows[i].text), &limits, 0, &err);
        expect(err.code == rows[i].code && (tree != NULL) == (err.code == RL_OK), rows[i].text,
               err.code);
        cJSON_Delete(tree);
    }
    char deep[2 * 600];
    memset(deep, '[', 600);
    memset(deep + 600, ']', 600);
    limits = (struct rl_json_limits){SIZE_MAX, UINT32_MAX, SIZE_MAX};
    expect(rl_json_parse(deep, 1200, &limits, 0, &err) == NULL, "512 levels are the end", 0);
    cJSON *tree =
        rl_json_parse(deep + 600 - RL_GUARD_DEEPEST, 2 * RL_GUARD_DEEPEST, &limits, 0, &err);
    expect(tree != NULL, "and are reached", 0);
    cJSON_Delete(tree);
}


static void check_text(void)
{
    static const struct {
        const char *plain;
        size_t len;
        const char *carried;
    } rows[] = {
        {"a\0b", 3,
         "a\xC0\x80"
         "b"},
        {"\xFF", 1, "\xEF\xBF\xBD"},
        {"\xE2\x82", 2, "\xEF\xBF\xBD"},
        {"\xED\xA0\xBD", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC1\x31", 2, "\xEF\xBF\xBD\x31"},
        {"", 0, ""},
        {"\xF0\x9F\x99\x82", 4, "\xF0\x9F\x99\x82"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cJSON *item = rl_json_new_string(rows[i].plain, rows[i].len);
        const char *text = rl_json_text(item);
        expect(text != NULL && strcmp(text, rows[i].carried) == 0, "new string", (long)i);
        cJSON_Delete(item);
    }
    struct rl_buf out;
    rl_buf_init(&out, 100);
    static const char pair[] =
        "\xED\xA0\xBD\xED\xB9\x82 \xED\xA0\xBDx\xED\xB9\x82\xED\xA0\xBD\xC0\x80";
    rl_json_plain(&out, pair, sizeof(pair) - 1);
    static const char plain[] = "\xF0\x9F\x99\x82 \xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD";
    expect(out.len == sizeof(plain) && memcmp(out.data, plain, sizeof(plain)) == 0,
           "halves that meet are joined", (long)out.len);
    rl_buf_free(&out);
}


static void check_duplicates(void)
{
    char text[4096];
    struct rl_err err = {0};
    for (int count = 1; count < 100; count++) {
        size_t len = 0;
        text[len++] = '{';
        for (int i = 0; i < count; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "\"k%d\":%d,", i * 7 % 101, i);
        size_t unique = len;
        text[unique - 1] = '}';
        cJSON *tree = rl_json_parse(text, unique, NULL, RL_JSON_UNIQUE_KEYS, &err);
        expect(tree != NULL, "unique keys", count);
        cJSON_Delete(tree);
        text[unique - 1] = ',';
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"\\u006b0\":[]}");
        err.code = RL_OK;
        expect(rl_json_parse(text, len, NULL, RL_JSON_UNIQUE_KEYS, &err) == NULL, "duplicate",
               count);
        expect(strcmp(err.message, "duplicate key \"k0\"") == 0, err.message, count);
        tree = rl_json_parse(text, len, NULL, 0, NULL);
        expect(tree != NULL, "duplicates are fine where nobody minds", count);
        cJSON_Delete(tree);
    }
}


static void check_base64(void)
{
    struct rl_buf text, bytes;
    rl_buf_init(&text, 1000);
    rl_buf_init(&bytes, 1000);
    for (size_t len = 0; len < 100; len++) {
        unsigned char block[100];
        for (size_t i = 0; i < len; i++)
            block[i] = (unsigned char)(i * 37 + len);
        struct rl_base64 decoder;
        rl_base64_init(&decoder);
        rl_buf_clear(&text);
        rl_buf_clear(&bytes);
        rl_base64_encode(&text, block, len);
        for (size_t i = 0; i < text.len; i++)
            rl_base64_decode(&decoder, &bytes, text.data + i, 1);
        expect(rl_base64_finish(&decoder, &bytes) == RL_OK, "nothing is left over", (long)len);
        expect(bytes.len == len && (len == 0 || memcmp(bytes.data, block, len) == 0), "same bytes",
               (long)len);
    }
    rl_buf_free(&text);
    rl_buf_free(&bytes);
}


/* ------------------------------------------------------------------ the same trees as cJSON's */

static uint32_t seed = 1;


static size_t dice(size_t sides)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % sides;
}


/* Some JSON in which nothing has to be rewritten. */
static void compose(struct rl_buf *out, int depth)
{
    static const char *const strings[] = {
        "\"\"",
        "\"plain\"",
        "\"\\\"\"",
        "\"a\\\\\"",
        "\"\\\\\\\"x\"",
        "\"\\b\\f\\n\\r\\t\\/\"",
        "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00!\"",
        "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
        "\"{[,:]}\"",
        "\"\x7F\\u001f\"",
        "\"id\"",
        "\"role\"",
        "\"usage\"",
        "\"content\"",
        "\"rejected_prediction_tokens\"",
        "\"i\\u0064\"",
        "\"a rather long text without anything in it that would have to be looked at twice\"",
    };
    static const char *const numbers[] = {
        "0",
        "-0",
        "7",
        "-12",
        "2147483647",
        "2147483648",
        "-2147483649",
        "999999999999999",
        "-999999999999999",
        "1000000000000000",
        "9007199254740992",
        "0.5",
        "-0.0",
        "1e5",
        "1E+5",
        "1.5e-7",
        "123456789012345.678",
        "0.1234567890123456789",
        "4.9e-32",
        "1e99",
    };
    static const char *const words[] = {"true", "false", "null"};
    static const char *const spaces[] = {"", "", " ", "\t\r\n "};
    size_t kind = depth > 0 ? dice(6) : dice(4);
    rl_buf_adds(out, spaces[dice(4)]);
    if (kind < 2)
        rl_buf_adds(out, strings[dice(sizeof(strings) / sizeof(*strings))]);
    else if (kind == 2)
        rl_buf_adds(out, numbers[dice(sizeof(numbers) / sizeof(*numbers))]);
    else if (kind == 3)
        rl_buf_adds(out, words[dice(3)]);
    else
        rl_buf_addc(out, kind == 4 ? '[' : '{');
    for (size_t count = kind > 3 ? dice(5) : 0; count > 0; count--) {
        rl_buf_adds(out, spaces[dice(4)]);
        if (kind == 5) {
            rl_buf_adds(out, strings[dice(sizeof(strings) / sizeof(*strings))]);
            rl_buf_adds(out, spaces[dice(4)]);
            rl_buf_addc(out, ':');
        }
        compose(out, depth - 1);
        if (count > 1)
            rl_buf_addc(out, ',');
    }
    if (kind > 3)
        rl_buf_adds(out, kind == 4 ? " ]" : "}");
    rl_buf_adds(out, spaces[dice(4)]);
}


static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}


static bool is_same(const cJSON *a, const cJSON *b)
{
    if ((a->type & 0xFF) != (b->type & 0xFF) || a->valueint != b->valueint ||
        memcmp(&a->valuedouble, &b->valuedouble, sizeof(double)) != 0 ||
        !is_same_text(a->valuestring, b->valuestring) || !is_same_text(a->string, b->string))
        return false;
    const cJSON *x = a->child, *y = b->child, *last = NULL;
    for (; x != NULL && y != NULL; last = x, x = x->next, y = y->next)
        if (!is_same(x, y) || (last != NULL && x->prev != last))
            return false;
    return x == NULL && y == NULL && (a->child == NULL || a->child->prev == last);
}


static void check_trees(void)
{
    struct rl_buf text;
    rl_buf_init(&text, 1 << 20);
    for (int i = 0; i < 20000; i++) {
        rl_buf_clear(&text);
        compose(&text, i % 6);
        cJSON *ours = rl_json_parse(text.data, text.len, NULL, 0, NULL);
        cJSON *theirs = cJSON_ParseWithLength(text.data, text.len);
        bool same = ours != NULL && theirs != NULL && is_same(ours, theirs);
        expect(same, text.data, i);
        cJSON *whole = rl_json_parse(text.data, text.len, NULL, RL_JSON_ONE_BLOCK, NULL);
        expect(whole != NULL && is_same(whole, theirs), "one block", i);
        cJSON *copy = rl_tree_copy(whole);
        rl_tree_free(whole);
        cJSON_free(whole);
        expect(copy != NULL && is_same(copy, theirs), "a copy of one block", i);
        cJSON_Delete(copy);
        cJSON_Delete(ours);
        cJSON_Delete(theirs);
    }
    rl_buf_free(&text);
}


/* Every shared name is found by its bytes, whatever follows them, and knows its number. */
static void check_names(void)
{
    for (int i = 0; i < RL_NAMES; i++) {
        char longer[64];
        size_t len = strlen(rl_name_at(i));
        snprintf(longer, sizeof(longer), "%s\"x", rl_name_at(i));
        expect(rl_name_find(longer, len) == rl_name_at(i), longer, i);
        expect(rl_name_number(rl_name_at(i)) == i, "number", i);
        expect(rl_name_number(longer) == -1, "another text", i);
        longer[len - 1] = '?';
        expect(rl_name_find(longer, len) == NULL, longer, i);
    }
    expect(rl_name_find("", 0) == NULL, "no name", 0);
    expect(rl_name_find("a name that is longer than all of these", 39) == NULL, "long", 0);
}


/* What is kept of a block that goes soon is a copy. */
static void check_passing(void)
{
    static const char text[] = "{\"a\":[1,\"x\"],\"other\":\"z\"}";
    cJSON *block = rl_json_parse(text, strlen(text), NULL, RL_JSON_PASSING, NULL);
    cJSON *root = cJSON_CreateObject(), *list = rl_json_get(block, "a"), *grown = NULL;
    struct rl_room room = {.bytes = 100, .nodes = 100};
    cJSON_AddItemToArray(root, rl_tree_take(block, list));
    expect(rl_json_get(block, "a") == list, "the other one stays", 0);
    expect(rl_text_take(&grown, block, rl_json_get(block, "other"), &room) == RL_OK, "text", 0);
    rl_tree_free(block);
    cJSON_free(block);
    expect(rl_text_append(&grown, "z", 1, &room) == RL_OK, "text", 1);
    expect(rl_tree_put(root, "other", grown), "put", 0);
    struct rl_buf out;
    rl_buf_init(&out, 1 << 10);
    rl_json_write(&out, root);
    expect(strcmp(out.data, "{\"a\":[1,\"x\"],\"other\":\"zz\"}") == 0, out.data, 0);
    rl_buf_free(&out);
    cJSON_Delete(root);
}


/* Items of a block and items of their own in one tree; nothing may be freed twice, or not at all. */
static void check_mixed(void)
{
    static const char text[] = "{\"a\":[1,\"x\"],\"b\":{\"id\":\"y\",\"c\":null},\"d\":\"z\"}";
    cJSON *block = rl_json_parse(text, strlen(text), NULL, RL_JSON_ONE_BLOCK, NULL);
    cJSON *root = cJSON_CreateObject(), *first = cJSON_DetachItemViaPointer(block, block->child);
    cJSON_AddItemToArray(root, first);
    expect(rl_tree_put(root, "b", cJSON_DetachItemFromObjectCaseSensitive(block, "b")), "put", 0);
    rl_tree_free(block);
    expect(rl_tree_put(rl_json_get(root, "b"), "id", cJSON_CreateString("new")), "replaced", 0);
    expect(rl_tree_put(rl_json_get(root, "b"), "new", cJSON_CreateString("new")), "added", 0);
    rl_tree_replace(first, first->child, cJSON_CreateNumber(2));
    rl_tree_replace(first, first->child->next, cJSON_CreateNumber(3));
    cJSON_AddItemToArray(first, cJSON_CreateNumber(4));
    rl_tree_remove(rl_json_get(root, "b"), "c");
    rl_tree_remove(root, "none");
    struct rl_buf out;
    rl_buf_init(&out, 1 << 10);
    rl_json_write(&out, root);
    expect(strcmp(out.data, "{\"a\":[2,3,4],\"b\":{\"id\":\"new\",\"new\":\"new\"}}") == 0, out.data, 0);
    rl_buf_free(&out);
    rl_tree_free(root);
    cJSON_free(block);
    rl_tree_free(NULL);
    expect(rl_tree_copy(NULL) == NULL, "a copy of nothing", 0);
}


/* A number may be the last thing there is: nothing behind it belongs to the text. */
static void check_ends(void)
{
    static const struct {
        const char *text;
        size_t len;
        double value;
    } cases[] = {{"123", 2, 12}, {"1.55", 3, 1.5}, {"1e12", 3, 10}, {"-77", 2, -7}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cJSON *item = rl_json_parse(cases[i].text, cases[i].len, NULL, 0, NULL);
        expect(item != NULL && item->valuedouble == cases[i].value, cases[i].text, (long)i);
        cJSON_Delete(item);
    }
}


/* ------------------------------------------------------------------ every allocation fails in turn
 */

/* Something of everything that allocates. Returns whether all of it worked. */
static bool do_json(void)
{
    struct rl_buf out;
    struct rl_err err = {0};
    rl_buf_init(&out, 1 << 20);
    cJSON *tree = rl_json_parse(rewritten, strlen(rewritten), NULL, RL_JSON_UNIQUE_KEYS, &err);
    expect(tree != NULL || err.code == RL_ENOMEM, "a failed parse says why", err.code);
    char many[1024] = "{";
    for (int i = 0; i < 40; i++)
        snprintf(many + strlen(many), 32, "%s\"k%d\":0", i > 0 ? "," : "", i);
    strcat(many, "}");
    cJSON *keys = rl_json_parse(many, strlen(many), NULL, RL_JSON_UNIQUE_KEYS, &err);
    cJSON *string = rl_json_new_string("a\0b", 3), *integer = rl_json_new_integer(INT64_MAX);
    bool ok = tree != NULL && keys != NULL && string != NULL && integer != NULL;
    cJSON *block = rl_json_parse(rewritten, strlen(rewritten), NULL, RL_JSON_ONE_BLOCK, NULL);
    cJSON *copy = rl_tree_copy(block);
    ok = ok && block != NULL && copy != NULL;
    const cJSON *items[] = {tree, keys, string, integer, block, copy};
    for (size_t i = 0; i < 6 && ok; i++)
        ok = rl_json_write(&out, items[i]) == RL_OK;
    static const char twice[] = "{\"\\u0000a\":1,\"\\u0000a\":2}";
    expect(rl_json_parse(twice, strlen(twice), NULL, RL_JSON_UNIQUE_KEYS, &err) == NULL,
           "a duplicate key is refused, memory or not", 0);
    expect(rl_json_parse(twice, strlen(twice), NULL, RL_JSON_UNIQUE_KEYS | RL_JSON_ONE_BLOCK,
                         &err) == NULL,
           "nor in a block", 0);
    cJSON_free(block);
    cJSON_Delete(copy);
    cJSON_Delete(tree);
    cJSON_Delete(keys);
    cJSON_Delete(string);
    cJSON_Delete(integer);
    rl_buf_free(&out);
    return ok;
}


static bool do_transcript(void)
{
    struct rl_transcript transcript, clone;
    struct rl_buf out;
    rl_buf_init(&out, 1 << 20);
    rl_transcript_init(&transcript);
    rl_transcript_init(&clone);
    bool ok = true;
    for (int i = 0; i < 30 && ok; i++)
        ok = rl_transcript_append(&transcript, rl_message_text_new("{}", 2, "user")) == RL_OK;
    ok = ok && rl_transcript_set_wire(&transcript, 3, "key", "[3]", 3) == RL_OK;
    if (ok)
        rl_transcript_clone(&clone, &transcript);
    ok = ok && rl_transcript_set_wire(&clone, 3, "key", NULL, 0) == RL_OK;
    ok = ok && rl_transcript_add_wire(&transcript, "key", &out) == RL_OK;
    ok = ok && rl_base64_encode(&out, "abc", 3) == RL_OK;
    ok = rl_transcript_truncate(&clone, 2) == RL_OK && ok;
    rl_transcript_free(&transcript);
    rl_transcript_free(&clone);
    rl_buf_free(&out);
    return ok;
}


static void fail_in_turn(bool (*work)(void), const char *name)
{
    for (int mode = 0; mode < 2; mode++) {
        bool ok = false;
        for (long n = 0; !ok && n < 10000; n++) {
            long before = alive;
            countdown = n;
            keeps_failing = mode == 1;
            made = 0;
            ok = work();
            countdown = -1;
            expect(alive == before, name, alive - before);
            if (made > n) /* one did fail, and nobody may have minded: go on */
                ok = false;
        }
        expect(ok, "the work ends when nothing fails", mode);
    }
}


static void check_faults(void)
{
    cJSON_Hooks hooks = {check_malloc, check_free};
    cJSON_InitHooks(&hooks); /* this process is a test: nobody else uses cJSON in it */
    fail_in_turn(do_json, "json leaks");
    fail_in_turn(do_transcript, "transcript leaks");
}


int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } checks[] = {
        {"carried", check_carried},       {"integers", check_integers}, {"first", check_first},
        {"prefixes", check_prefixes},     {"limits", check_limits},     {"text", check_text},
        {"duplicates", check_duplicates}, {"base64", check_base64},     {"faults", check_faults},
        {"trees", check_trees},           {"ends", check_ends},         {"mixed", check_mixed},
        {"passing", check_passing},       {"names", check_names},
    };
    bool found = false;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
        if (argc == 2 && strcmp(argv[1], checks[i].name) == 0) {
            found = true;
            checks[i].run();
            expect(alive == 0, "everything is freed", alive);
        }
    }
    expect(found, "no such check", argc);
    return mistakes > 0;
}
