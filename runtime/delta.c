/* delta.c -- walk 7: what one delta adds to its choice. See choice.h.
 *
 * A table by member name; what it does not know goes to extras.c. Types are checked before use:
 * false, null and [] stand for absence in the field.
 */
#include "choice.h"

#include "err.h"
#include "extras.h"
#include "json.h"
#include "tree.h"

#include <string.h>

/* Where reasoning may stand, the better source first: members of the message, then content parts,
 * then what reasoning_details say. */
static const char *const reasoning_names[] = {"reasoning_content", "reasoning", "reasoning_text",
                                              "thinking"};
enum {
    NAMED_SOURCES = sizeof(reasoning_names) / sizeof(reasoning_names[0]),
    FROM_PARTS = NAMED_SOURCES,
    FROM_DETAILS,
    SOURCES
};


/* What stands there: of each source its text, or NULL. */
static void find_reasoning(const struct rl_choice *choice, cJSON *found[SOURCES])
{
    rl_tree_pick(choice->message, reasoning_names, NAMED_SOURCES, found);
    for (int source = 0; source < NAMED_SOURCES; source++)
        if (rl_json_text(found[source]) == NULL)
            found[source] = NULL;
    found[FROM_PARTS] = choice->thinking;
    found[FROM_DETAILS] = choice->details;
}


const cJSON *rl_delta_reasoning(const struct rl_choice *choice)
{
    cJSON *found[SOURCES];
    find_reasoning(choice, found);
    for (int source = 0; source < SOURCES; source++) {
        if (rl_text_any(found[source]))
            return found[source];
    }
    return NULL;
}


/* Tells the observer the new end of <text>; half a surrogate pair waits for its other half, unless
 * <all>. */
static int tell(struct rl_choice *choice, enum rl_delta_kind kind, const cJSON *text, bool all,
                struct rl_gather *gather)
{
    size_t len = rl_text_len(text);
    size_t told = choice->told[kind];
    if (len <= told)
        return RL_OK;
    const unsigned char *tail = (const unsigned char *)text->valuestring + len;
    if (!all && len >= 3 && tail[-3] == 0xED && tail[-2] >= 0xA0 && tail[-2] <= 0xAF)
        len -= 3;
    if (len <= told)
        return RL_OK;
    choice->told[kind] = len;
    return gather->on_delta(gather->owner, kind, choice->index, text->valuestring + told,
                            len - told);
}


/* Servers send the same reasoning under two names; what says something first is told, the other is
 * not. */
static const cJSON *told_reasoning(struct rl_choice *choice)
{
    cJSON *found[SOURCES];
    find_reasoning(choice, found);
    for (int source = 0; source < SOURCES && !choice->has_source; source++) {
        choice->source = source;
        choice->has_source = rl_text_any(found[source]);
    }
    return choice->has_source ? found[choice->source] : NULL;
}


static int tell_all(struct rl_choice *choice, bool all, struct rl_gather *gather)
{
    if (gather->on_delta == NULL)
        return RL_OK;
    int rc = tell(choice, RL_DELTA_REASONING, told_reasoning(choice), all, gather);
    if (rc == RL_OK)
        rc = tell(choice, RL_DELTA_TEXT, choice->content, all, gather);
    if (rc == RL_OK)
        rc = tell(choice, RL_DELTA_REFUSAL, choice->refusal, all, gather);
    return rc;
}


static int append(struct rl_choice *choice, cJSON **text, const char *carried, size_t len,
                  struct rl_gather *gather)
{
    if (len > 0)
        choice->is_touched = true;
    return rl_text_append(text, carried, len, &gather->room);
}


static int add_text(struct rl_choice *choice, cJSON **text, const char *carried,
                    struct rl_gather *gather)
{
    return append(choice, text, carried, strlen(carried), gather);
}


/* Content; of text that says again what came before, the new end. */
static int add_content(struct rl_choice *choice, const char *carried, size_t len,
                       struct rl_gather *gather)
{
    size_t known = gather->is_cumulative ? rl_text_len(choice->content) : 0;
    if (known > 0 && len >= known && memcmp(carried, rl_text_of(choice->content), known) == 0) {
        carried += known;
        len -= known;
    }
    return append(choice, &choice->content, carried, len, gather);
}


int rl_delta_add_text(struct rl_choice *choice, int call, struct rl_span carried,
                      struct rl_gather *gather)
{
    if (call >= 0)
        return rl_calls_add_arguments(&choice->calls, call, carried, &gather->room);
    int rc = add_content(choice, carried.at, carried.len, gather);
    return rc != RL_OK ? rc : tell_all(choice, false, gather);
}


/* A thinking part: text, or a list of text parts, under one of several names. */
static int take_thinking(struct rl_choice *choice, const cJSON *part, struct rl_gather *gather)
{
    static const char *const names[] = {"thinking", "reasoning", "text", "summary", "content"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const cJSON *item = rl_json_get(part, names[i]);
        if (rl_json_text(item) != NULL)
            return add_text(choice, &choice->thinking, rl_json_text(item), gather);
        if (!cJSON_IsArray(item))
            continue;
        const cJSON *piece;
        cJSON_ArrayForEach(piece, item)
        {
            const char *text = rl_json_text(piece);
            if (text == NULL)
                text = rl_json_text(rl_json_get(piece, "text"));
            int rc = text != NULL ? add_text(choice, &choice->thinking, text, gather) : RL_OK;
            if (rc != RL_OK)
                return rc;
        }
        return RL_OK;
    }
    return RL_OK;
}


static int take_part(struct rl_choice *choice, const cJSON *part, struct rl_gather *gather)
{
    const char *type = rl_json_text(rl_json_get(part, "type"));
    const char *text = rl_json_text(rl_json_get(part, "text"));
    const char *refusal = rl_json_text(rl_json_get(part, "refusal"));
    if (rl_json_text(part) != NULL)
        return add_content(choice, rl_json_text(part), strlen(rl_json_text(part)), gather);
    if (type != NULL && (strstr(type, "think") != NULL || strstr(type, "reason") != NULL))
        return take_thinking(choice, part, gather);
    if (type != NULL && strcmp(type, "refusal") == 0 && refusal != NULL)
        return add_text(choice, &choice->refusal, refusal, gather);
    bool is_text = type == NULL || strcmp(type, "text") == 0 || strcmp(type, "output_text") == 0;
    return is_text && text != NULL ? add_text(choice, &choice->content, text, gather) : RL_OK;
}


/* All takers: <item> stays in its delta. */
typedef int taker(struct rl_choice *choice, cJSON *item, struct rl_gather *gather);


static int take_content(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    int rc = RL_OK;
    if (!cJSON_IsArray(item))
        return take_part(choice, item, gather);
    for (cJSON *part = item->child; part != NULL && rc == RL_OK; part = part->next)
        rc = take_part(choice, part, gather);
    return rc;
}


static int take_refusal(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    const char *text = rl_json_text(item);
    return text != NULL ? add_text(choice, &choice->refusal, text, gather) : RL_OK;
}


static int take_role(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    const char *role = rl_json_text(item);
    if (role == NULL || role[0] == '\0' || strcmp(role, rl_text_of(choice->role)) == 0)
        return RL_OK;
    rl_tree_free(choice->role);
    choice->role = NULL;
    return rl_text_append(&choice->role, role, strlen(role), &gather->room);
}


static int take_calls(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    int rc = RL_OK;
    if (cJSON_IsObject(item))
        rc = rl_calls_take(&choice->calls, item, choice->is_whole, &gather->room);
    for (cJSON *call = cJSON_IsArray(item) ? item->child : NULL; call != NULL && rc == RL_OK;
         call = call->next)
        rc = rl_calls_take(&choice->calls, call, choice->is_whole, &gather->room);
    if (choice->calls.len > 0)
        choice->is_touched = true;
    return rc;
}


static int take_function(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    if (!cJSON_IsObject(item))
        return RL_OK;
    choice->has_function = true;
    const char *name = rl_json_text(rl_json_get(item, "name"));
    int rc = RL_OK;
    if (name != NULL)
        rc = rl_calls_add_name(&choice->function_name, name, &gather->room);
    struct rl_buf scratch;
    struct rl_span text = {"", 0};
    rl_buf_init(&scratch, gather->room.bytes);
    if (rc == RL_OK)
        rc = rl_calls_argument_text(rl_json_get(item, "arguments"), &scratch, &text);
    if (rc == RL_OK)
        rc = rl_arguments_append(&choice->function_arguments, text.at, text.len, &gather->room);
    if (rl_text_any(choice->function_name) || text.len > 0)
        choice->is_touched = true;
    rl_buf_free(&scratch);
    return rc;
}


/* Each piece of audio is base64 of its own; only the decoded bytes can be joined. */
static int take_audio_data(struct rl_audio *audio, const char *text, struct rl_gather *gather)
{
    size_t len = strlen(text);
    int rc = rl_room_take(&gather->room, len, 0);
    if (rc == RL_OK)
        rc = rl_base64_decode(&audio->decoder, &audio->bytes, text, len);
    return rc == RL_ESYNTAX ? RL_OK : rc; /* what cannot be read is left out */
}


static int take_audio(struct rl_choice *choice, cJSON *item, struct rl_gather *gather)
{
    struct rl_audio *audio = &choice->audio;
    int rc = RL_OK;
    if (!cJSON_IsObject(item) || item->child == NULL)
        return RL_OK;
    if (audio->members == NULL)
        audio->members = cJSON_CreateObject();
    if (audio->members == NULL)
        return RL_ENOMEM;
    choice->is_touched = true;
    for (cJSON *next, *member = item->child; member != NULL && rc == RL_OK; member = next) {
        next = member->next;
        cJSON *old = rl_json_get(audio->members, member->string);
        const char *text = rl_json_text(member);
        bool is_script = text != NULL && old != NULL && strcmp(member->string, "transcript") == 0;
        if (text != NULL && strcmp(member->string, "data") == 0) {
            rc = take_audio_data(audio, text, gather);
        } else if (is_script) {
            rc = rl_text_append(&old, text, strlen(text), &gather->room);
        } else {
            rc = rl_extras_set(audio->members, rl_tree_take(item, member), &gather->room);
        }
    }
    return rc;
}


static const struct {
    const char *name;
    taker *take;
} takers[] = {
    {"content", take_content}, {"role", take_role},   {"tool_calls", take_calls},
    {"refusal", take_refusal}, {"audio", take_audio}, {"function_call", take_function},
};


/* Where a whole text may go as it is: content, refusal or role, when it says something first. */
static cJSON **place_of(struct rl_choice *choice, const cJSON *member, taker *take)
{
    cJSON **place = take == take_content   ? &choice->content
                    : take == take_refusal ? &choice->refusal
                    : take == take_role    ? &choice->role
                                           : NULL;
    const char *text = place != NULL && *place == NULL ? rl_json_text(member) : NULL;
    return text != NULL && text[0] != '\0' ? place : NULL;
}


static taker *taker_of(const char *name)
{
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        if (takers[i].name[0] == name[0] && strcmp(takers[i].name, name) == 0)
            return takers[i].take;
    }
    return NULL;
}


/* What reasoning_details say in plain text. */
static int take_details(struct rl_choice *choice, const cJSON *details, struct rl_gather *gather)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, details)
    {
        const char *text = rl_json_text(rl_json_get(item, "text"));
        if (text == NULL)
            text = rl_json_text(rl_json_get(item, "summary"));
        int rc = text != NULL ? add_text(choice, &choice->details, text, gather) : RL_OK;
        if (rc != RL_OK)
            return rc;
    }
    return RL_OK;
}


/* Details that were told alternately say what they say one after the other. */
static int order_details(struct rl_choice *choice, struct rl_gather *gather)
{
    const cJSON *details = rl_json_get(choice->message, "reasoning_details");
    if (choice->details == NULL || details == NULL)
        return RL_OK;
    gather->room.bytes += rl_text_len(choice->details); /* the same bytes once more */
    gather->room.nodes++;
    rl_tree_free(choice->details);
    choice->details = NULL;
    return take_details(choice, details, gather);
}


int rl_delta_finish(struct rl_choice *choice, struct rl_gather *gather)
{
    int rc = tell_all(choice, true, gather);
    return rc != RL_OK ? rc : order_details(choice, gather);
}


static bool is_reasoning(const char *name)
{
    for (int i = 0; i < NAMED_SOURCES; i++) {
        if (strcmp(name, reasoning_names[i]) == 0)
            return true;
    }
    return false;
}


/* Moves <member>, which the specification does not name, into the message. */
static int take_unknown(struct rl_choice *choice, cJSON *delta, cJSON *member,
                        struct rl_gather *gather)
{
    const char *text = rl_json_text(member);
    if (text != NULL && text[0] != '\0' && is_reasoning(member->string))
        choice->is_touched = true;
    int rc = RL_OK;
    if (strcmp(member->string, "reasoning_details") == 0)
        rc = take_details(choice, member, gather);
    if (rc != RL_OK)
        return rc;
    return rl_extras_merge(choice->message, rl_tree_take(delta, member), &gather->room);
}


/* In a plain message: is this member to stand as it was sent? */
static bool stands_as_sent(const struct rl_choice *choice, const cJSON *member, taker *take)
{
    if (rl_json_get(choice->message, member->string) != NULL)
        return false;
    bool is_absent = cJSON_IsNull(member) || cJSON_IsFalse(member) ||
                     (cJSON_IsArray(member) && member->child == NULL);
    return take == NULL || take == take_audio || is_absent;
}


static int keep_as_sent(struct rl_choice *choice, cJSON *message, cJSON *member,
                        struct rl_gather *gather)
{
    int rc = RL_OK;
    const char *text = rl_json_text(member);
    if (cJSON_IsObject(member) || (text != NULL && text[0] != '\0'))
        choice->is_touched = true;
    if (strcmp(member->string, "reasoning_details") == 0)
        rc = take_details(choice, member, gather);
    if (rc != RL_OK)
        return rc;
    return rl_extras_keep(choice->message, rl_tree_take(message, member));
}


/* Does a later member of the same name count in place of this one? Asked only of those that would
 * be joined. */
static bool is_overridden(const cJSON *member, taker *take)
{
    if (take == NULL && !is_reasoning(member->string))
        return false;
    for (const cJSON *later = member->next; later != NULL; later = later->next) {
        if (later->string[0] == member->string[0] && strcmp(later->string, member->string) == 0)
            return true;
    }
    return false;
}


static int take_member(struct rl_choice *choice, cJSON *delta, cJSON *member, bool is_whole,
                       struct rl_gather *gather)
{
    taker *take = taker_of(member->string);
    if (is_overridden(member, take))
        return RL_OK;
    cJSON **place = place_of(choice, member, take);
    if (place != NULL) {
        choice->is_touched = choice->is_touched || take != take_role;
        return rl_text_take(place, delta, member, &gather->room);
    }
    if (is_whole && stands_as_sent(choice, member, take))
        return keep_as_sent(choice, delta, member, gather);
    return take != NULL ? take(choice, member, gather)
                        : take_unknown(choice, delta, member, gather);
}


int rl_delta_take(struct rl_choice *choice, cJSON *delta, bool is_whole, struct rl_gather *gather)
{
    int rc = RL_OK;
    choice->is_whole = is_whole;
    for (cJSON *next, *member = delta->child; member != NULL && rc == RL_OK; member = next) {
        next = member->next;
        rc = take_member(choice, delta, member, is_whole, gather);
    }
    return rc != RL_OK ? rc : tell_all(choice, false, gather);
}


bool rl_delta_only_adds_text(struct rl_choice *choice, const cJSON *delta, int *call)
{
    cJSON *member, *content = NULL, *calls = NULL;
    cJSON_ArrayForEach(member, delta)
    {
        const char *text = rl_json_text(member);
        bool is_content = strcmp(member->string, "content") == 0;
        bool are_calls = strcmp(member->string, "tool_calls") == 0;
        if ((is_content && content != NULL) || (are_calls && calls != NULL) ||
            strcmp(member->string, "arguments") == 0)
            return false; /* one of two counts, whatever they are */
        if (is_content)
            content = member;
        else if (are_calls && cJSON_IsArray(member))
            calls = member;
        else if (!cJSON_IsNull(member) && (text == NULL || strcmp(member->string, "role") != 0 ||
                                           strcmp(text, rl_text_of(choice->role)) != 0))
            return false;
    }
    *call = calls != NULL ? rl_calls_only_add_arguments(&choice->calls, calls) : -1;
    return calls != NULL ? *call >= 0 && (content == NULL || cJSON_IsNull(content))
                         : rl_json_text(content) != NULL;
}
