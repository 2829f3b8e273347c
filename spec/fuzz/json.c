/* json.c -- beside the walk: fuzzes the guard, the parser and the writer. What was read, written
 * and read again is the same; the three ways to look at a text agree.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

static const struct rl_json_limits limits = {1 << 20, 64, 10000};


static void write_tree(struct rl_buf *out, const cJSON *tree)
{
    rl_buf_init(out, SIZE_MAX / 4);
    if (rl_json_write(out, tree) != RL_OK)
        abort();
}


/* Reads <text> and writes it; a second time gives the same bytes. */
static void check_round(const char *text, size_t len)
{
    cJSON *tree = rl_json_parse(text, len, &limits, 0, NULL);
    if (tree == NULL)
        return;
    if (!rl_json_is_complete(text, len))
        abort();
    struct rl_buf once;
    struct rl_buf twice;
    write_tree(&once, tree);
    cJSON *again = rl_json_parse(once.data, once.len, NULL, 0, NULL);
    if (again == NULL)
        abort();
    write_tree(&twice, again);
    if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
        abort();
    cJSON_Delete(tree);
    cJSON_Delete(again);
    rl_buf_free(&once);
    rl_buf_free(&twice);
}


/* Carried text made plain and carried again is valid. */
static void check_text(const char *bytes, size_t len)
{
    struct rl_buf carried;
    struct rl_buf plain;
    rl_buf_init(&carried, SIZE_MAX / 4);
    rl_buf_init(&plain, SIZE_MAX / 4);
    rl_json_carry(&carried, bytes, len);
    if (carried.len > 0 && memchr(carried.data, '\0', carried.len) != NULL)
        abort();
    rl_json_plain(&plain, carried.len > 0 ? carried.data : "", carried.len);
    if (plain.len < len / 4)
        abort();
    rl_buf_free(&carried);
    rl_buf_free(&plain);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len); /* a copy without a byte behind it: reading too far is seen */
    if (text == NULL && len > 0)
        return 0;
    if (len > 0)
        memcpy(text, data, len);
    size_t first = rl_json_first(text, len);
    if (first > len || (first > 0 && !rl_json_is_complete(text, first)))
        abort();
    check_round(text, len);
    check_round(text, first);
    check_text(text, len);
    cJSON_Delete(rl_json_parse(text, len, NULL, RL_JSON_UNIQUE_KEYS, NULL));
    free(text);
    return 0;
}
