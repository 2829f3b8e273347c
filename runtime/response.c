/* response.c -- walk 7: chunk level of the accumulation. See response.h. */
#include "response.h"

#include "err.h"
#include "extras.h"
#include "json.h"
#include "reply_error.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>


void rl_response_free(struct rl_response *response)
{
    rl_again_free(&response->again);
    rl_tree_free(response->root);
    cJSON_free(response->block);
    response->root = response->block = NULL;
    for (size_t i = 0; i < response->count; i++)
        rl_choice_free(response->choices[i]);
    free(response->choices);
    response->choices = NULL;
    response->count = response->cap = 0;
}


/* A response mostly has one choice, and thousands may wait for theirs. */
static bool reserve(struct rl_response *response)
{
    if (response->count < response->cap)
        return true;
    size_t cap = response->cap > 0 ? 2 * response->cap : 1;
    struct rl_choice **choices = realloc(response->choices, cap * sizeof(struct rl_choice *));
    if (choices == NULL)
        return false;
    response->choices = choices;
    response->cap = cap;
    return true;
}


int rl_response_find(struct rl_response *response, int64_t index, struct rl_choice **choice)
{
    for (size_t i = 0; i < response->count; i++) {
        *choice = response->choices[i];
        if ((*choice)->index == index)
            return RL_OK;
    }
    if (response->count == RL_CHOICES_MAX)
        return RL_ETOOBIG;
    *choice = reserve(response) ? rl_choice_new(index, response->max_bytes) : NULL;
    if (*choice == NULL)
        return RL_ENOMEM;
    response->choices[response->count++] = *choice;
    return RL_OK;
}


int64_t rl_response_index(const cJSON *item)
{
    int64_t index;
    return rl_calls_index(rl_json_get(item, "index"), &index) ? index : 0;
}


static bool has_index(const cJSON *item)
{
    int64_t index;
    return rl_calls_index(rl_json_get(item, "index"), &index);
}


static bool has_content(const cJSON *item)
{
    const cJSON *content = rl_json_get(rl_json_get(item, "message"), "content");
    const char *text = rl_json_text(content);
    return (text != NULL && text[0] != '\0') || (cJSON_IsArray(content) && content->child != NULL);
}


static bool has_calls(const cJSON *item)
{
    const cJSON *calls = rl_json_get(rl_json_get(item, "message"), "tool_calls");
    return cJSON_IsArray(calls) && calls->child != NULL;
}


/* What is known of the choices of a body before they are taken. */
struct overview {
    size_t count;   /* objects */
    size_t indexed; /* of these: with an index of their own */
    size_t texts;
    size_t callers;
    bool is_distinct; /* no index twice */
    bool is_message;  /* a whole message among them */
};


static void look_over(const cJSON *choices, struct overview *seen)
{
    *seen = (struct overview){.is_distinct = true};
    int64_t indexes[RL_CHOICES_MAX];
    const cJSON *item;
    cJSON_ArrayForEach(item, choices)
    {
        seen->count += cJSON_IsObject(item);
        seen->texts += has_content(item);
        seen->callers += has_calls(item);
        seen->is_message = seen->is_message || cJSON_IsObject(rl_json_get(item, "message"));
        if (!has_index(item) || seen->indexed == RL_CHOICES_MAX)
            continue;
        for (size_t i = 0; i < seen->indexed; i++)
            seen->is_distinct = seen->is_distinct && indexes[i] != rl_response_index(item);
        indexes[seen->indexed++] = rl_response_index(item);
    }
}


/* Copilot spreads one turn over several choices: text in the first, calls in the next ones. */
static bool is_spread(const struct overview *seen, int n)
{
    if (n > 1 || seen->count < 2)
        return false;
    return seen->indexed == 0 || !seen->is_distinct || (seen->texts <= 1 && seen->callers > 0);
}


static int take_choices(struct rl_response *response, cJSON *choices, bool is_body)
{
    struct overview seen = {0};
    if (is_body)
        look_over(choices, &seen);
    bool is_whole = is_body && seen.is_message;
    bool is_one = is_whole && is_spread(&seen, response->n);
    bool by_position = is_whole && (seen.indexed < seen.count || !seen.is_distinct);
    int64_t position = 0;
    int rc = RL_OK;
    for (cJSON *item = choices->child; item != NULL && rc == RL_OK; item = item->next) {
        if (!cJSON_IsObject(item))
            continue;
        struct rl_choice *choice;
        int64_t index = is_one ? 0 : by_position ? position : rl_response_index(item);
        position++;
        rc = rl_response_find(response, index, &choice);
        if (rc == RL_OK)
            rc = rl_choice_take(choice, item, is_whole, &response->gather);
    }
    return rc;
}


/* The members of a chunk that are looked at before the others. */
enum { CHOICES, USAGE, GROQ, OBJECT, VIEW };

static const char *const view_names[VIEW] = {"choices", "usage", "x_groq", "object"};


/* The usage of a chunk, wherever it stands; NULL when it has none. */
static const cJSON *find_usage(cJSON *const *view)
{
    const cJSON *usage = view[USAGE];
    if (!cJSON_IsObject(usage) && view[GROQ] != NULL)
        usage = rl_json_get(view[GROQ], "usage");
    const cJSON *item = cJSON_IsArray(view[CHOICES]) ? view[CHOICES]->child : NULL;
    for (; !cJSON_IsObject(usage) && item != NULL; item = item->next)
        usage = rl_json_get(item, "usage");
    return cJSON_IsObject(usage) ? usage : NULL;
}


static bool is_text(const cJSON *item)
{
    const char *text = rl_json_text(item);
    return text != NULL && text[0] != '\0';
}


bool rl_response_is_apart(const char *name)
{
    switch (name[0]) {
    case 'c': return strcmp(name, "choices") == 0;
    case 'e': return strcmp(name, "error") == 0;
    case 'o': return strcmp(name, "object") == 0 || strcmp(name, "obfuscation") == 0;
    case 'u': return strcmp(name, "usage") == 0;
    default: return false;
    }
}


bool rl_response_counts(const cJSON *member, const cJSON *old, bool is_chunk)
{
    const char *name = member->string;
    double created;
    if (strcmp(name, "id") == 0)
        return is_text(member) && old == NULL;
    if (strcmp(name, "created") == 0)
        return old == NULL && rl_json_double(member, &created) && created != 0;
    if (strcmp(name, "model") == 0 ? !is_text(member) : !is_chunk || cJSON_IsNull(member))
        return false;
    return !cJSON_IsString(old) || !cJSON_IsString(member) ||
           strcmp(old->valuestring, member->valuestring) != 0;
}


/* Does <old>, from an earlier one of several documents, say nothing where <member> may? */
static bool is_void(const cJSON *old, const char *name)
{
    double created;
    if (strcmp(name, "id") == 0 || strcmp(name, "model") == 0)
        return !is_text(old);
    return strcmp(name, "created") == 0 && (!rl_json_double(old, &created) || created == 0);
}


/* A body stands as sent; only its choices are made anew. */
static int keep_body(struct rl_response *response, cJSON *chunk)
{
    int rc = RL_OK;
    for (cJSON *next, *member = chunk->child; member != NULL && rc == RL_OK; member = next) {
        next = member->next;
        const cJSON *old = rl_json_get(response->root, member->string);
        if (strcmp(member->string, "choices") == 0 ||
            (old != NULL && !is_void(old, member->string)))
            continue;
        cJSON *taken = rl_tree_take(chunk, member);
        rc = old == NULL ? rl_extras_keep(response->root, taken)
                         : rl_extras_set(response->root, taken, &response->gather.room);
    }
    return rc;
}


static int take_members(struct rl_response *response, cJSON *chunk, bool is_chunk)
{
    int rc = RL_OK;
    for (cJSON *next, *member = chunk->child; member != NULL && rc == RL_OK; member = next) {
        next = member->next;
        if (rl_response_is_apart(member->string) ||
            !rl_response_counts(member, rl_json_get(response->root, member->string), is_chunk))
            continue;
        rl_again_forget(&response->again); /* what said nothing new may now */
        rc = rl_extras_set(response->root, rl_tree_take(chunk, member), &response->gather.room);
    }
    return rc;
}


static bool is_ours(cJSON *const *view)
{
    const char *object = rl_json_text(view[OBJECT]);
    return view[CHOICES] != NULL || cJSON_IsObject(view[USAGE]) ||
           cJSON_IsObject(rl_json_get(view[GROQ], "usage")) ||
           (object != NULL && strncmp(object, "chat.", 5) == 0);
}


/* A plain body in the form of a chunk, for the observer. NULL without memory. */
static cJSON *as_chunk(const cJSON *body)
{
    cJSON *chunk = rl_tree_copy(body);
    cJSON *choice;
    cJSON_ArrayForEach(choice, rl_json_get(chunk, "choices"))
    {
        cJSON *text = cJSON_DetachItemFromObjectCaseSensitive(choice, "message");
        if (text == NULL)
            continue;
        rl_tree_remove(choice, "delta");
        if (!cJSON_AddItemToObject(choice, "delta", text)) {
            rl_tree_free(text);
            rl_tree_free(chunk);
            return NULL;
        }
    }
    return chunk;
}


static int show(const struct rl_gather *gather, const cJSON *chunk, cJSON *const *view,
                bool is_body)
{
    if (gather->on_chunk == NULL || !cJSON_IsArray(view[CHOICES]))
        return RL_OK;
    if (!is_body)
        return gather->on_chunk(gather->owner, chunk);
    cJSON *copy = as_chunk(chunk);
    if (copy == NULL)
        return RL_ENOMEM;
    int rc = gather->on_chunk(gather->owner, copy);
    rl_tree_free(copy);
    return rc;
}


/* Takes what stands beside the choices; the last usage counts, it is never summed. */
static int take_rest(struct rl_response *response, cJSON *chunk, cJSON *usage, bool is_body,
                     bool has_choices)
{
    int rc = is_body ? keep_body(response, chunk) : take_members(response, chunk, has_choices);
    if (usage == NULL)
        return rc;
    if (rc == RL_OK)
        return rl_extras_set(response->root, usage, &response->gather.room);
    rl_tree_free(usage);
    return rc;
}


/* Of the first body all members stay, the usage among them. */
static bool stays_as_sent(const struct rl_response *response, const cJSON *usage,
                          cJSON *const *view, bool is_body)
{
    return is_body && usage == view[USAGE] && rl_json_get(response->root, "usage") == NULL;
}


/* What is kept of the <usage> of a chunk. It is no part of that any more, since choices are taken
 * apart before it gets its place: a copy or, where its block may stay, itself. NULL without memory.
 */
static cJSON *keep_usage(struct rl_response *response, const cJSON *usage, cJSON *const *view)
{
    cJSON *block = response->rest;
    if (block == NULL || usage != view[USAGE])
        return rl_tree_copy(usage);
    cJSON *kept = rl_tree_empty(view[USAGE]);
    if (kept != NULL) {
        response->rest = response->block;
        response->block = block;
    }
    return kept;
}


static int take_chunk(struct rl_response *response, cJSON *chunk, cJSON *const *view, bool is_body)
{
    bool has_choices = cJSON_IsArray(view[CHOICES]);
    const cJSON *usage = find_usage(view);
    if (stays_as_sent(response, usage, view, is_body))
        usage = NULL;
    cJSON *kept = usage != NULL ? keep_usage(response, usage, view) : NULL;
    if (usage != NULL && kept == NULL)
        return RL_ENOMEM;
    int rc = has_choices ? take_choices(response, view[CHOICES], is_body) : RL_OK;
    if (rc == RL_OK)
        return take_rest(response, chunk, kept, is_body, has_choices);
    rl_tree_free(kept);
    return rc;
}


int rl_response_take(struct rl_response *response, cJSON *chunk, bool is_body)
{
    cJSON *view[VIEW];
    rl_tree_pick(chunk, view_names, VIEW, view);
    if (!is_ours(view))
        return RL_OK;
    int rc = show(&response->gather, chunk, view, is_body);
    if (rc != RL_OK)
        return rc;
    if (response->root == NULL) {
        response->is_body = is_body;
        response->root = cJSON_CreateObject();
    }
    return response->root != NULL ? take_chunk(response, chunk, view, is_body) : RL_ENOMEM;
}


static int by_index(const void *left, const void *right)
{
    const struct rl_choice *a = *(struct rl_choice *const *)left;
    const struct rl_choice *b = *(struct rl_choice *const *)right;
    return a->index < b->index ? -1 : a->index > b->index;
}


int rl_response_finish(struct rl_response *response)
{
    int rc = RL_OK;
    if (response->count > 1)
        qsort(response->choices, response->count, sizeof(response->choices[0]), by_index);
    for (size_t i = 0; i < response->count && rc == RL_OK; i++)
        rc = rl_choice_finish(response->choices[i], &response->gather);
    return rc;
}


bool rl_response_is_finished(const struct rl_response *response)
{
    bool finished = response->count > 0;
    for (size_t i = 0; i < response->count; i++)
        finished = finished && rl_choice_is_finished(response->choices[i]);
    return finished;
}


bool rl_response_is_document(const struct rl_response *response)
{
    bool is_whole = response->is_body && response->count > 0;
    for (size_t i = 0; i < response->count; i++)
        is_whole = is_whole && response->choices[i]->is_whole;
    return is_whole;
}


bool rl_response_has_cut_calls(const struct rl_response *response)
{
    bool cut = false;
    for (size_t i = 0; i < response->count; i++)
        cut = cut || (!rl_choice_is_finished(response->choices[i]) &&
                      !rl_choice_has_valid_calls(response->choices[i]));
    return cut;
}


static cJSON *build_choices(struct rl_response *response)
{
    cJSON *choices = cJSON_CreateArray();
    for (size_t i = 0; i < response->count && choices != NULL; i++) {
        cJSON *entry = rl_choice_build(response->choices[i]);
        if (entry == NULL) {
            rl_tree_free(choices);
            return NULL;
        }
        cJSON_AddItemToArray(choices, entry);
    }
    return choices;
}


cJSON *rl_response_build(struct rl_response *response, int *rc)
{
    cJSON *root = response->root;
    *rc = RL_OK;
    if (root == NULL)
        return NULL;
    bool ok = rl_tree_put(root, "choices", build_choices(response)) &&
              (rl_response_is_document(response) ||
               rl_tree_put(root, "object", cJSON_CreateString("chat.completion")));
    *rc = ok ? RL_OK : RL_ENOMEM;
    return ok ? root : NULL;
}
