/* calls_end.c -- walk 7: from collected calls to the calls of the message. See calls.h.
 *
 * Runs once, when the reply has ended: only then is it known that arguments are not a prefix of
 * more.
 */
#include "calls.h"

#include "err.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

enum { ID_LEN = 9 }; /* Mistral takes exactly nine alphanumerics, everybody else takes them too */


static void drop_empty(struct rl_calls *calls)
{
    size_t kept = 0;
    for (size_t i = 0; i < calls->len; i++) {
        struct rl_call *call = &calls->items[i];
        if (rl_text_any(call->name) || rl_text_any(call->arguments.text))
            calls->items[kept++] = *call;
        else
            rl_call_free(call);
    }
    calls->len = kept;
}


static int by_index(const void *left, const void *right)
{
    const struct rl_call *a = left;
    const struct rl_call *b = right;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return a->arrival < b->arrival ? -1 : a->arrival > b->arrival;
}


static void sort(struct rl_calls *calls)
{
    for (size_t i = 0; i < calls->len; i++) {
        if (!calls->items[i].has_index)
            return;
    }
    if (calls->len > 1)
        qsort(calls->items, calls->len, sizeof(calls->items[0]), by_index);
}


/* Makes <value> the text of empty <arguments>. */
static int start_arguments(struct rl_arguments *arguments, struct rl_span value,
                           struct rl_room *room)
{
    return rl_arguments_append(arguments, value.at, value.len, room);
}


static int copy_text(cJSON **to, const cJSON *from, struct rl_room *room)
{
    return from == NULL ? RL_OK : rl_text_append(to, rl_text_of(from), rl_text_len(from), room);
}


/* A call of its own for one of several values that stood under <call>. */
static int push_sibling(struct rl_calls *out, const struct rl_call *call, struct rl_span value,
                        struct rl_room *room)
{
    struct rl_call sibling = {.index = call->index, .has_index = call->has_index};
    int rc = copy_text(&sibling.name, call->name, room);
    if (rc == RL_OK)
        rc = copy_text(&sibling.type, call->type, room);
    if (rc == RL_OK)
        rc = start_arguments(&sibling.arguments, value, room);
    if (rc == RL_OK)
        rc = rl_calls_push(out, &sibling);
    if (rc != RL_OK)
        rl_call_free(&sibling);
    return rc;
}


/* Moves <call> to <out>; its arguments are <values>, the first one for itself, one call for each
 * other. */
static int push_split(struct rl_calls *out, struct rl_call *call, const struct rl_span *values,
                      size_t count, struct rl_room *room)
{
    struct rl_arguments whole = call->arguments; /* the values point into it */
    call->arguments = (struct rl_arguments){0};
    int rc = start_arguments(&call->arguments, values[0], room);
    if (rc == RL_OK)
        rc = rl_calls_push(out, call);
    if (rc == RL_OK)
        *call = (struct rl_call){0}; /* moved */
    for (size_t i = 1; i < count && rc == RL_OK; i++)
        rc = push_sibling(out, &out->items[out->len - 1], values[i], room);
    rl_arguments_free(&whole);
    return rc;
}


/* Moves <call> to <out> with arguments that can be used, if there is a way; as at most <max> calls.
 */
static int push_tidy(struct rl_calls *out, struct rl_call *call, struct rl_span *values, size_t max,
                     struct rl_room *room)
{
    static const struct rl_span nothing = {"{}", 2};
    if (!call->is_custom && rl_arguments_are_empty(&call->arguments)) {
        rl_arguments_free(&call->arguments);
        int rc = start_arguments(&call->arguments, nothing, room);
        if (rc != RL_OK)
            return rc;
    }
    size_t count = 0;
    if (!call->is_custom && !rl_arguments_are_json(&call->arguments))
        count = rl_arguments_split(&call->arguments, values, max);
    if (count > 0)
        return push_split(out, call, values, count, room);
    int rc = rl_calls_push(out, call);
    if (rc == RL_OK)
        *call = (struct rl_call){0};
    return rc;
}


/* As nearly all calls are. */
static bool are_tidy(const struct rl_calls *calls)
{
    for (size_t i = 0; i < calls->len; i++) {
        const struct rl_call *call = &calls->items[i];
        if (!call->is_custom &&
            (rl_arguments_are_empty(&call->arguments) || !rl_arguments_are_json(&call->arguments)))
            return false;
    }
    return true;
}


static int tidy(struct rl_calls *calls, struct rl_room *room)
{
    if (are_tidy(calls))
        return RL_OK;
    struct rl_calls out = {0};
    struct rl_span *values = malloc(RL_CALLS_MAX * sizeof(*values));
    int rc = values != NULL ? RL_OK : RL_ENOMEM;
    for (size_t i = 0; i < calls->len && rc == RL_OK; i++) {
        size_t later = calls->len - i - 1;
        rc = push_tidy(&out, &calls->items[i], values, RL_CALLS_MAX - out.len - later, room);
    }
    free(values);
    rl_calls_free(calls);
    *calls = out;
    return rc;
}


static bool is_taken(const struct rl_calls *calls, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rl_text_of(calls->items[i].id), id) == 0)
            return true;
    }
    return false;
}


/* splitmix64: a full period, and any state will do. */
static uint64_t next_random(struct rl_ids *ids)
{
    uint64_t z = ids->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}


static void make_id(struct rl_ids *ids, char id[ID_LEN + 1])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t bits = next_random(ids);
    for (int i = 0; i < ID_LEN; i++, bits /= 62)
        id[i] = digits[bits % 62];
    id[ID_LEN] = '\0';
}


static int name_calls(struct rl_calls *calls, struct rl_ids *ids, struct rl_room *room)
{
    int rc = RL_OK;
    for (size_t i = 0; i < calls->len && rc == RL_OK; i++) {
        struct rl_call *call = &calls->items[i];
        if (rl_text_any(call->id) && !is_taken(calls, i, rl_text_of(call->id)))
            continue;
        char id[ID_LEN + 1];
        do
            make_id(ids, id);
        while (is_taken(calls, calls->len, id));
        rl_tree_free(call->id);
        call->id = NULL;
        rc = rl_text_append(&call->id, id, ID_LEN, room);
    }
    return rc;
}


int rl_calls_finish(struct rl_calls *calls, struct rl_ids *ids, struct rl_room *room)
{
    drop_empty(calls);
    sort(calls);
    int rc = tidy(calls, room);
    return rc != RL_OK ? rc : name_calls(calls, ids, room);
}


bool rl_calls_are_valid(const struct rl_calls *calls)
{
    for (size_t i = 0; i < calls->len; i++) {
        if (!calls->items[i].is_custom && !rl_arguments_are_json(&calls->items[i].arguments))
            return false;
    }
    return true;
}


/* Moves <*text>, or "" in its place, into <object>. */
static bool give_text(cJSON *object, const char *name, cJSON **text, const char *otherwise)
{
    cJSON *item = *text != NULL ? *text : cJSON_CreateString(otherwise);
    *text = NULL;
    return rl_tree_put(object, name, item);
}


static bool give_inner(struct rl_call *call, const char *kind)
{
    cJSON *inner = call->inner;
    call->inner = NULL;
    return rl_tree_put(call->members, kind, inner);
}


/* Moves what <call> holds into its `members`, in the form of the wire. */
static bool build_call(struct rl_call *call)
{
    const char *kind = call->is_custom ? "custom" : "function";
    if (call->members == NULL)
        call->members = cJSON_CreateObject();
    if (call->inner == NULL)
        call->inner = cJSON_CreateObject();
    return call->members != NULL && call->inner != NULL &&
           give_text(call->members, "id", &call->id, "") &&
           give_text(call->members, "type", &call->type, kind) &&
           give_text(call->inner, "name", &call->name, "") &&
           give_text(call->inner, call->is_custom ? "input" : "arguments", &call->arguments.text,
                     "") &&
           give_inner(call, kind);
}


cJSON *rl_calls_build(struct rl_calls *calls)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < calls->len && array != NULL; i++) {
        if (!build_call(&calls->items[i])) {
            rl_tree_free(array);
            return NULL;
        }
        cJSON_AddItemToArray(array, calls->items[i].members);
        calls->items[i].members = NULL;
    }
    return array;
}
