/* choice.c -- walk 7: one choice, from its first element to its final object. See choice.h. */
#include "choice.h"

#include "err.h"
#include "extras.h"
#include "json.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>


struct rl_choice *rl_choice_new(int64_t index, size_t max_bytes)
{
    struct rl_choice *choice = calloc(1, sizeof(*choice));
    if (choice == NULL)
        return NULL;
    choice->index = index;
    choice->entry = cJSON_CreateObject();
    choice->message = cJSON_CreateObject();
    rl_buf_init(&choice->audio.bytes, max_bytes);
    rl_base64_init(&choice->audio.decoder);
    if (choice->entry != NULL && choice->message != NULL)
        return choice;
    rl_choice_free(choice);
    return NULL;
}


void rl_choice_free(struct rl_choice *choice)
{
    if (choice == NULL)
        return;
    cJSON *const owned[] = {choice->entry,        choice->message,       choice->role,
                            choice->content,      choice->refusal,       choice->thinking,
                            choice->details,      choice->finish_reason, choice->function_name,
                            choice->audio.members};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
        rl_tree_free(owned[i]);
    rl_calls_free(&choice->calls);
    rl_arguments_free(&choice->function_arguments);
    rl_buf_free(&choice->audio.bytes);
    free(choice);
}


/* The last finish_reason counts, but "" never replaces a word. */
static int take_finish(struct rl_choice *choice, cJSON *parent, cJSON *item,
                       struct rl_gather *gather)
{
    const char *reason = rl_json_text(item);
    if (reason == NULL || (reason[0] == '\0' && choice->finish_reason != NULL))
        return RL_OK;
    rl_tree_free(choice->finish_reason);
    choice->finish_reason = NULL;
    return rl_text_take(&choice->finish_reason, parent, item, &gather->room);
}


/* {content: [...], refusal: [...]}: the lists are appended, their nulls are places to be filled. */
static int take_logprobs(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    if (!cJSON_IsObject(item))
        return RL_OK;
    cJSON *kept = rl_json_get(choice->entry, "logprobs");
    int rc = RL_OK;
    if (!cJSON_IsObject(kept)) {
        rl_tree_remove(choice->entry, "logprobs");
        kept = cJSON_AddObjectToObject(choice->entry, "logprobs");
    }
    if (kept == NULL)
        return RL_ENOMEM;
    for (cJSON *next, *child = item->child; child != NULL && rc == RL_OK; child = next) {
        next = child->next;
        bool is_place = cJSON_IsNull(child) && rl_json_get(kept, child->string) == NULL;
        cJSON *member = rl_tree_take(item, child);
        rc = is_place ? rl_extras_keep(kept, member) : rl_extras_merge(kept, member, &gather->room);
    }
    return rc;
}


/* The members of a choice that have a meaning of their own. */
enum { DELTA, MESSAGE, FINISH, LOGPROBS, INDEX, VIEW };

static const char *const view_names[VIEW] = {"delta", "message", "finish_reason", "logprobs",
                                             "index"};


static bool is_known(const char *name)
{
    for (int i = 0; i < VIEW; i++) {
        if (name[0] == view_names[i][0] && strcmp(name, view_names[i]) == 0)
            return true;
    }
    return false;
}


/* Content filter results, native reasons, whatever: the last one wins; of a body, the first one
 * stays as sent. */
static int take_members(struct rl_choice *choice, cJSON *item, bool is_body,
                        struct rl_gather *gather)
{
    int rc = RL_OK;
    for (cJSON *next, *member = item->child; member != NULL && rc == RL_OK; member = next) {
        next = member->next;
        if (is_known(member->string))
            continue;
        bool stays = is_body && rl_json_get(choice->entry, member->string) == NULL;
        cJSON *taken = rl_tree_take(item, member);
        rc = stays ? rl_extras_keep(choice->entry, taken)
                   : rl_extras_set(choice->entry, taken, &gather->room);
    }
    return rc;
}


/* Deltas are joined. A whole message counts in a body, and in a stream as long as nothing else
 * came: some servers repeat the whole text at the end, some in every chunk. */
static int take_text(struct rl_choice *choice, cJSON *const *view, bool is_body,
                     struct rl_gather *gather)
{
    bool has_delta = cJSON_IsObject(view[DELTA]);
    bool has_message = cJSON_IsObject(view[MESSAGE]);
    if (has_message && (is_body || (!has_delta && !choice->is_touched)))
        return rl_delta_take(choice, view[MESSAGE], true, gather);
    return has_delta ? rl_delta_take(choice, view[DELTA], false, gather) : RL_OK;
}


int rl_choice_take(struct rl_choice *choice, cJSON *item, bool is_body, struct rl_gather *gather)
{
    cJSON *view[VIEW];
    rl_tree_pick(item, view_names, VIEW, view);
    bool is_empty_finish = choice->finish_reason != NULL && !rl_text_any(choice->finish_reason);
    size_t before = gather->room.bytes;
    int rc = take_text(choice, view, is_body, gather);
    if (is_empty_finish && gather->room.bytes < before)
        choice->is_finish_void = true;
    if (rc == RL_OK)
        rc = take_finish(choice, item, view[FINISH], gather);
    if (rc == RL_OK)
        rc = take_logprobs(choice, view[LOGPROBS], gather);
    return rc != RL_OK ? rc : take_members(choice, item, is_body, gather);
}


bool rl_choice_only_adds_text(struct rl_choice *choice, const cJSON *item,
                              struct rl_again_place *place)
{
    const cJSON *member;
    int deltas = 0;
    place->choice = choice->index;
    if (choice->finish_reason != NULL || choice->is_whole)
        return false;
    cJSON_ArrayForEach(member, item)
    {
        if (strcmp(member->string, "delta") == 0)
            deltas +=
                cJSON_IsObject(member) && rl_delta_only_adds_text(choice, member, &place->call) ? 1
                                                                                                : 2;
        else if (!cJSON_IsNull(member) &&
                 (strcmp(member->string, "index") != 0 || !cJSON_IsNumber(member)))
            return false;
    }
    return deltas == 1;
}


static int finish_audio(struct rl_audio *audio)
{
    int rc = rl_base64_finish(&audio->decoder, &audio->bytes);
    if (audio->members == NULL || audio->bytes.len == 0 || (rc != RL_OK && rc != RL_ESYNTAX))
        return audio->members == NULL || rc == RL_ESYNTAX ? RL_OK : rc;
    struct rl_buf text;
    rl_buf_init(&text, audio->bytes.max * 2);
    rc = rl_base64_encode(&text, audio->bytes.data, audio->bytes.len);
    if (rc == RL_OK && cJSON_AddStringToObject(audio->members, "data", text.data) == NULL)
        rc = RL_ENOMEM;
    rl_buf_free(&text);
    return rc;
}


/* As for the calls of the list: what has neither name nor arguments is none, and of several values
 * the only one that says something counts. */
static int finish_function(struct rl_choice *choice, struct rl_gather *gather)
{
    struct rl_arguments old = choice->function_arguments;
    struct rl_span value = {"{}", 2};
    bool is_empty = rl_arguments_are_empty(&old);
    if (choice->has_function && !rl_text_any(choice->function_name) && !rl_text_any(old.text))
        choice->has_function = false;
    if (!choice->has_function ||
        (!is_empty && (rl_arguments_are_json(&old) || rl_arguments_split(&old, &value, 1) == 0)))
        return RL_OK;
    choice->function_arguments = (struct rl_arguments){0};
    int rc = rl_arguments_append(&choice->function_arguments, value.at, value.len, &gather->room);
    rl_arguments_free(&old);
    return rc;
}


int rl_choice_finish(struct rl_choice *choice, struct rl_gather *gather)
{
    int rc = rl_delta_finish(choice, gather);
    if (rc == RL_OK)
        rc = rl_calls_finish(&choice->calls, &gather->ids, &gather->room);
    if (rc == RL_OK)
        rc = finish_function(choice, gather);
    return rc != RL_OK ? rc : finish_audio(&choice->audio);
}


bool rl_choice_has_valid_calls(const struct rl_choice *choice)
{
    return rl_calls_are_valid(&choice->calls) &&
           (!choice->has_function || rl_arguments_are_json(&choice->function_arguments));
}


bool rl_choice_is_finished(const struct rl_choice *choice)
{
    return choice->finish_reason != NULL &&
           (rl_text_any(choice->finish_reason) || !choice->is_finish_void);
}


const char *rl_choice_effective(const struct rl_choice *choice)
{
    static const struct {
        const char *raw;
        const char *effective;
    } words[] = {
        {"", "stop"},
        {"stop", "stop"},
        {"eos", "stop"},
        {"eos_token", "stop"},
        {"end_turn", "stop"},
        {"stop_sequence", "stop"},
        {"length", "length"},
        {"max_tokens", "length"},
        {"model_length", "length"},
        {"tool_calls", "tool_calls"},
        {"tool_use", "tool_calls"},
        {"function_call", "tool_calls"},
        {"content_filter", "content_filter"},
        {"safety", "content_filter"},
        {"error", "error"},
        {"insufficient_system_resource", "error"},
        {"abort", "error"},
    };
    const char *reason = rl_text_of(choice->finish_reason), *effective = "unknown";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        bool may_be = (reason[0] | 0x20) == (words[i].raw[0] | 0x20);
        if (may_be && strcasecmp(words[i].raw, reason) == 0)
            effective = words[i].effective;
    }
    bool has_calls = choice->calls.len > 0 || choice->has_function;
    if (has_calls && (strcmp(effective, "stop") == 0 || strcmp(effective, "unknown") == 0))
        return "tool_calls";
    if (!has_calls && strcmp(effective, "tool_calls") == 0)
        return "stop";
    return effective;
}


/* Hands out a member of the choice. */
static cJSON *move(cJSON **item)
{
    cJSON *moved = *item;
    *item = NULL;
    return moved;
}


static cJSON *move_or_text(cJSON **item, const char *otherwise)
{
    return *item != NULL ? move(item) : cJSON_CreateString(otherwise);
}


static bool has_other_than_text(const struct rl_choice *choice)
{
    const cJSON *audio = choice->audio.members;
    if (audio == NULL)
        audio = rl_json_get(choice->message, "audio");
    return choice->calls.len > 0 || choice->has_function || rl_text_any(choice->refusal) ||
           (cJSON_IsObject(audio) && audio->child != NULL);
}


static bool build_content(struct rl_choice *choice)
{
    if (!rl_text_any(choice->content) && has_other_than_text(choice))
        return rl_tree_put(choice->message, "content", cJSON_CreateNull());
    return rl_tree_put(choice->message, "content", move_or_text(&choice->content, ""));
}


static bool build_function(struct rl_choice *choice)
{
    cJSON *function = cJSON_CreateObject();
    bool ok =
        function != NULL &&
        rl_tree_put(function, "name", move_or_text(&choice->function_name, "")) &&
        rl_tree_put(function, "arguments", move_or_text(&choice->function_arguments.text, ""));
    if (ok)
        return rl_tree_put(choice->message, "function_call", function);
    rl_tree_free(function);
    return false;
}


static bool build_message(struct rl_choice *choice)
{
    cJSON *message = choice->message;
    bool ok = build_content(choice) &&
              rl_tree_put(message, "role", move_or_text(&choice->role, "assistant"));
    if (ok && choice->refusal != NULL && (choice->is_whole || rl_text_any(choice->refusal)))
        ok = rl_tree_put(message, "refusal", move(&choice->refusal));
    if (ok && choice->calls.len > 0)
        ok = rl_tree_put(message, "tool_calls", rl_calls_build(&choice->calls));
    if (ok && choice->has_function)
        ok = build_function(choice);
    if (ok && choice->audio.members != NULL && choice->audio.members->child != NULL)
        ok = rl_tree_put(message, "audio", move(&choice->audio.members));
    return ok;
}


static cJSON *move_or_null(cJSON **item)
{
    return *item != NULL ? move(item) : cJSON_CreateNull();
}


cJSON *rl_choice_build(struct rl_choice *choice)
{
    choice->effective = rl_choice_effective(choice);
    if (!rl_tree_put(choice->entry, "index", rl_json_new_integer(choice->index)) ||
        !rl_tree_put(choice->entry, "finish_reason", move_or_null(&choice->finish_reason)) ||
        !build_message(choice))
        return NULL;
    choice->reasoning = rl_text_of(rl_delta_reasoning(choice));
    if (!rl_tree_put(choice->entry, "message", move(&choice->message)))
        return NULL;
    return move(&choice->entry);
}
