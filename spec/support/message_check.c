/* message_check.c -- beside the walk: decodes replies while every allocation fails in turn.
 *
 * spec/wire_faults_spec.lua compiles it with the decoder, malloc and its kin renamed to the
 * counting ones of fail_alloc.h, and gives it recorded replies. Whatever fails, and whether it
 * fails once or from then on: the decoder says that memory is missing, or gives the same result as
 * ever; and it keeps no block.
 */
#include "fail_alloc.h"

#include "canonical.h"
#include "err.h"
#include "json.h"
#include "message.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 100000, LONGEST = 1 << 16 };

static int failures;
static const char *current; /* name of the reply */
static bool is_watched;     /* does an observer want chunks? Else some are taken without a tree */

void *check_calloc(size_t count, size_t size);


void *check_calloc(size_t count, size_t size)
{
    void *block = check_malloc(count * size);
    if (block != NULL)
        memset(block, 0, count * size);
    return block;
}


static void expect(bool ok, const char *what, long n)
{
    if (!ok && failures++ < 5)
        printf("%s: %s (allocation %ld)\n", current, what, n);
}


static int ignore_delta(void *owner, enum rl_delta_kind kind, int64_t choice, const char *carried,
                        size_t len)
{
    (void)owner, (void)kind, (void)choice, (void)carried, (void)len;
    return 0;
}


static int ignore_chunk(void *owner, const cJSON *chunk)
{
    (void)owner, (void)chunk;
    return 0;
}


/* Feeds everything in three slices and finishes. */
static int run(struct rl_message *message, const char *body, size_t len)
{
    size_t cuts[] = {0, len / 3, len / 2, len};
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = rl_message_feed(message, body + cuts[i], cuts[i + 1] - cuts[i]);
    return rc < 0 ? rc : rl_message_finish(message);
}


/* Decodes; the canonical JSON goes to <out>. False when memory was missing, and said so. */
static bool decode(const char *body, size_t len, int status, struct rl_buf *out)
{
    struct rl_message_options options = {
        .seed = 1, .on_delta = ignore_delta, .on_chunk = is_watched ? ignore_chunk : NULL};
    struct rl_reply_head head = {.status = status};
    struct rl_message *message = rl_message_new(&options);
    if (message == NULL)
        return false;
    rl_message_head(message, &head);
    int rc = run(message, body, len);
    expect(rc == RL_OK || rc == RL_ENOMEM, "another code than RL_ENOMEM", rc);
    cJSON *canonical = rc == RL_OK ? rl_canonical(message) : NULL;
    bool ok = canonical != NULL && rl_json_write(out, canonical) == RL_OK;
    cJSON_Delete(canonical);
    rl_message_free(message);
    return ok;
}


/* One allocation after the other fails, until none is left to fail. */
static void fail_in_turn(const char *body, size_t len, int status, const struct rl_buf *expected)
{
    bool failed = true;
    for (long n = 0; failed && n < MANY; n++) {
        struct rl_buf out;
        rl_buf_init(&out, SIZE_MAX / 4);
        long before = alive;
        countdown = n;
        made = 0;
        bool ok = decode(body, len, status, &out);
        failed = made > n;
        countdown = -1;
        expect(!ok || (out.len == expected->len && memcmp(out.data, expected->data, out.len) == 0),
               "another result", n);
        rl_buf_free(&out);
        expect(alive == before, "a block was kept", n);
    }
    expect(!failed, "the work never ends", MANY);
}


static void check(const char *path, int status)
{
    static char body[LONGEST];
    current = path;
    FILE *file = fopen(path, "rb");
    size_t len = file != NULL ? fread(body, 1, sizeof(body), file) : 0;
    if (file != NULL)
        fclose(file);
    struct rl_buf expected;
    rl_buf_init(&expected, SIZE_MAX / 4);
    expect(decode(body, len, status, &expected), "no result with all the memory", -1);
    for (int mode = 0; mode < 4; mode++) {
        keeps_failing = mode % 2 == 1;
        is_watched = mode < 2;
        fail_in_turn(body, len, status, &expected);
    }
    rl_buf_free(&expected);
}


/* message_check STATUS FILE... */
int main(int argc, char **argv)
{
    cJSON_Hooks hooks = {check_malloc, check_free};
    cJSON_InitHooks(&hooks); /* this process is a test: nobody else uses cJSON in it */
    for (int i = 2; i < argc; i++)
        check(argv[i], atoi(argv[1]));
    return failures > 0;
}
