/* canonical.c -- beside the walk: see canonical.h. */
#include "canonical.h"

#include "json.h"
#include "tree.h"

#include <string.h>


static cJSON *copy_or_null(const cJSON *item, bool is_usable)
{
    return is_usable ? rl_tree_copy(item) : cJSON_CreateNull();
}


static bool says_something(const cJSON *item)
{
    const char *text = rl_json_text(item);
    double number;
    return (text != NULL && text[0] != '\0') || (rl_json_double(item, &number) && number != 0);
}


/* Members of a message that say something only as an object or a list. */
static bool is_structured(const char *name)
{
    static const char *const names[] = {"tool_calls", "function_call", "audio"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}


/* Does this member of a message stand for absence? */
static bool is_nothing(const cJSON *member)
{
    if (strcmp(member->string, "content") == 0)
        return false;
    if (strcmp(member->string, "refusal") == 0)
        return !says_something(member);
    if (is_structured(member->string) && cJSON_IsFalse(member))
        return true;
    return cJSON_IsNull(member) || (cJSON_IsArray(member) && member->child == NULL);
}


static cJSON *copy_message(const cJSON *message)
{
    cJSON *copy = rl_tree_copy(message);
    for (cJSON *next, *member = copy != NULL ? copy->child : NULL; member != NULL; member = next) {
        next = member->next;
        if (is_nothing(member))
            rl_tree_free(cJSON_DetachItemViaPointer(copy, member));
    }
    return copy;
}


static bool put_choice(cJSON *choices, const struct rl_message *message, size_t i,
                       const cJSON *entry)
{
    cJSON *choice = cJSON_CreateObject();
    if (choice == NULL)
        return false;
    cJSON_AddItemToArray(choices, choice);
    const cJSON *logprobs = rl_json_get(entry, "logprobs");
    const char *reasoning = rl_message_reasoning(message, i);
    return rl_tree_put(choice, "index", rl_tree_copy(rl_json_get(entry, "index"))) &&
           rl_tree_put(choice, "finish_reason",
                       rl_tree_copy(rl_json_get(entry, "finish_reason"))) &&
           rl_tree_put(choice, "effective_finish_reason",
                       cJSON_CreateString(rl_message_effective(message, i))) &&
           rl_tree_put(choice, "message", copy_message(rl_json_get(entry, "message"))) &&
           (!cJSON_IsObject(logprobs) || rl_tree_put(choice, "logprobs", rl_tree_copy(logprobs))) &&
           (reasoning[0] == '\0' ||
            rl_tree_put(choice, "reasoning_text", cJSON_CreateString(reasoning)));
}


static bool put_choices(cJSON *canonical, const struct rl_message *message)
{
    cJSON *choices = cJSON_AddArrayToObject(canonical, "choices");
    if (choices == NULL)
        return false;
    const cJSON *entry;
    size_t i = 0;
    cJSON_ArrayForEach(entry, rl_json_get(rl_message_completion(message), "choices"))
    {
        if (!put_choice(choices, message, i++, entry))
            return false;
    }
    return true;
}


/* The error without what helps people only. */
static cJSON *copy_error(const cJSON *error)
{
    cJSON *copy = copy_or_null(error, error != NULL);
    if (copy != NULL) {
        rl_tree_remove(copy, "detail");
        rl_tree_remove(copy, "hint");
    }
    return copy;
}


cJSON *rl_canonical(const struct rl_message *message)
{
    static const char *const names[] = {"id", "model", "created"};
    const cJSON *completion = rl_message_completion(message);
    const cJSON *usage = rl_json_get(completion, "usage");
    cJSON *canonical = cJSON_CreateObject();
    bool ok = canonical != NULL &&
              rl_tree_put(canonical, "error", copy_error(rl_message_error(message))) &&
              rl_tree_put(canonical, "complete", cJSON_CreateBool(rl_message_complete(message))) &&
              rl_tree_put(canonical, "done", cJSON_CreateBool(rl_message_done(message)));
    for (size_t i = 0; ok && i < sizeof(names) / sizeof(names[0]); i++) {
        const cJSON *item = rl_json_get(completion, names[i]);
        ok = rl_tree_put(canonical, names[i], copy_or_null(item, says_something(item)));
    }
    ok = ok && put_choices(canonical, message) &&
         rl_tree_put(canonical, "usage", copy_or_null(usage, cJSON_IsObject(usage)));
    if (ok)
        return canonical;
    rl_tree_free(canonical);
    return NULL;
}
