/* message.c -- beside the walk: fuzzes the whole decoder. Any bytes, in any slices, with any
 * status, end in one result, and the slices do not change it; what was told as text is what the
 * message says. Whether somebody watches the chunks changes nothing either, though those that only
 * add text then take another way.
 */
#include "message.h"

#include "canonical.h"
#include "cuts.h"
#include "err.h"
#include "json.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 16 };

struct watch {
    size_t text; /* bytes told, by kind */
    size_t reasoning;
    size_t refusal;
};


static int on_delta(void *owner, enum rl_delta_kind kind, int64_t choice, const char *carried,
                    size_t len)
{
    struct watch *watch = owner;
    (void)choice;
    if (len == 0 || memchr(carried, '\0', len) != NULL)
        abort();
    *(kind == RL_DELTA_TEXT        ? &watch->text
      : kind == RL_DELTA_REASONING ? &watch->reasoning
                                   : &watch->refusal) += len;
    return 0;
}


static int on_chunk(void *owner, const cJSON *chunk)
{
    static const char *const names[] = {"choices"};
    cJSON *choices;
    (void)owner;
    rl_tree_pick(chunk, names, 1, &choices);
    if (!cJSON_IsArray(choices))
        abort();
    return 0;
}


static void feed(struct rl_message *message, const uint8_t *data, size_t len, struct cuts *cuts)
{
    const char *bytes = (const char *)data;
    int rc = cuts == NULL ? rl_message_feed(message, bytes, len) : 0;
    size_t at = 0;
    for (size_t slice; cuts != NULL && rc == 0 && (slice = next_cut(cuts)) > 0; at += slice)
        rc = rl_message_feed(message, bytes + at, slice);
    if (rc < 0 || rl_message_finish(message) != RL_OK || rl_message_finish(message) != RL_OK)
        abort();
}


/* What must hold of every result. */
static void check(const struct rl_message *message, const struct watch *watch)
{
    size_t text = 0;
    const cJSON *choice;
    const cJSON *error = rl_message_error(message);
    if (rl_message_complete(message) != (error == NULL))
        abort();
    if (error != NULL && rl_json_text(rl_json_get(error, "kind")) == NULL)
        abort();
    cJSON_ArrayForEach(choice, rl_json_get(rl_message_completion(message), "choices"))
    {
        const cJSON *said = rl_json_get(choice, "message");
        const char *content = rl_json_text(rl_json_get(said, "content"));
        text += content != NULL ? strlen(content) : 0;
        const cJSON *call;
        cJSON_ArrayForEach(call, rl_json_get(said, "tool_calls"))
        {
            if (rl_json_text(rl_json_get(call, "id")) == NULL)
                abort();
        }
    }
    if (text != watch->text)
        abort();
}


/* The canonical result as bytes. */
static void decode(const uint8_t *data, size_t len, int status, struct cuts *cuts, bool watched,
                   struct rl_buf *out)
{
    struct watch watch = {0};
    struct rl_message_options options = {
        .n = (int)(len % 3),
        .max_bytes = MAX_BYTES,
        .seed = 1,
        .on_delta = on_delta,
        .on_chunk = watched ? on_chunk : NULL,
        .owner = &watch,
    };
    struct rl_reply_head head = {.status = status};
    struct rl_message *message = rl_message_new(&options);
    rl_message_head(message, &head);
    feed(message, data, len, cuts);
    check(message, &watch);
    cJSON *canonical = rl_canonical(message);
    rl_buf_init(out, SIZE_MAX / 4);
    if (canonical == NULL || rl_json_write(out, canonical) != RL_OK)
        abort();
    cJSON_Delete(canonical);
    rl_message_free(message);
}


static void compare(const uint8_t *data, size_t len, int status)
{
    struct rl_buf whole;
    for (int way = 0; way < 4; way++) {
        struct rl_buf other;
        struct cuts cuts = cuts_of(data, len);
        decode(data, len, status, way % 2 == 0 ? NULL : &cuts, way < 2, way == 0 ? &whole : &other);
        if (way == 0)
            continue;
        if (whole.len != other.len || memcmp(whole.data, other.data, whole.len) != 0)
            abort();
        rl_buf_free(&other);
    }
    rl_buf_free(&whole);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    compare(data, len, 200);
    compare(data, len, 429);
    return 0;
}
