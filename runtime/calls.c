/* calls.c -- walk 7: which call does a delta belong to? See calls.h; calls_end.c ends them. */
#include "calls.h"

#include "buf.h"
#include "err.h"
#include "extras.h"
#include "json.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* What a string member says; "" and NULL when it is absent. */
struct said {
    const char *text;
    cJSON *item;
};

/* One element of `tool_calls`, read. */
struct piece {
    cJSON *element;
    cJSON *body; /* its function or custom object, or the element itself */
    struct said id;
    struct said name;
    struct said type;
    struct rl_span args;
    cJSON *args_item; /* that holds them; NULL: they were written from one that is no string */
    int64_t index;
    bool has_index;
    bool is_custom;
};

enum verdict { CONTINUES, IS_NEW, IS_REPEAT };


void rl_call_free(struct rl_call *call)
{
    rl_tree_free(call->members);
    rl_tree_free(call->inner);
    rl_tree_free(call->id);
    rl_tree_free(call->type);
    rl_tree_free(call->name);
    rl_arguments_free(&call->arguments);
}


void rl_calls_free(struct rl_calls *calls)
{
    for (size_t i = 0; i < calls->len; i++)
        rl_call_free(&calls->items[i]);
    free(calls->items);
    *calls = (struct rl_calls){0};
}


int rl_calls_argument_text(const cJSON *item, struct rl_buf *scratch, struct rl_span *carried)
{
    const char *text = rl_json_text(item);
    if (text != NULL || item == NULL || cJSON_IsNull(item)) {
        *carried = (struct rl_span){text != NULL ? text : "", text != NULL ? strlen(text) : 0};
        return RL_OK;
    }
    int rc = rl_json_write(scratch, item);
    *carried = (struct rl_span){scratch->data, scratch->len};
    return rc;
}


static struct said say(const cJSON *object, const char *name)
{
    cJSON *item = rl_json_get(object, name);
    const char *text = rl_json_text(item);
    return text != NULL ? (struct said){text, item} : (struct said){"", NULL};
}


bool rl_calls_index(const cJSON *item, int64_t *index)
{
    if (rl_json_integer(item, index))
        return true;
    const char *text = rl_json_text(item);
    if (text == NULL || text[0] < '0' || text[0] > '9' || strlen(text) > 18)
        return false;
    char *end;
    *index = strtoll(text, &end, 10);
    return *end == '\0';
}


static int read_piece(struct piece *piece, cJSON *element, struct rl_buf *scratch)
{
    cJSON *function = rl_json_get(element, "function");
    cJSON *custom = rl_json_get(element, "custom");
    *piece = (struct piece){
        .element = element,
        .id = say(element, "id"),
        .type = say(element, "type"),
    };
    bool says_custom = cJSON_IsObject(custom) || strcmp(piece->type.text, "custom") == 0;
    piece->is_custom = says_custom && !cJSON_IsObject(function);
    piece->has_index = rl_calls_index(rl_json_get(element, "index"), &piece->index);
    piece->body = cJSON_IsObject(function) ? function : cJSON_IsObject(custom) ? custom : element;
    piece->name = say(piece->body, "name");
    cJSON *args = rl_json_get(piece->body, piece->is_custom ? "input" : "arguments");
    if (args == NULL && piece->body == element)
        args = rl_json_get(element, "input");
    piece->args_item = rl_json_text(args) != NULL ? args : NULL;
    return rl_calls_argument_text(args, scratch, &piece->args);
}


static struct rl_call *with_index(struct rl_calls *calls, int64_t index)
{
    for (size_t i = calls->len; i-- > 0;) {
        struct rl_call *call = &calls->items[i];
        if (call->has_index && (call->alias == index || call->index == index))
            return call;
    }
    return NULL;
}


static struct rl_call *with_id(struct rl_calls *calls, const char *id)
{
    for (size_t i = calls->len; id[0] != '\0' && i-- > 0;) {
        if (strcmp(rl_text_of(calls->items[i].id), id) == 0)
            return &calls->items[i];
    }
    return NULL;
}


static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}


static bool same_args(const struct rl_call *call, const struct piece *piece)
{
    return rl_text_len(call->arguments.text) == piece->args.len &&
           memcmp(rl_text_of(call->arguments.text), piece->args.at, piece->args.len) == 0;
}


/* The finished call once more, word for word? */
static bool repeats(struct rl_call *call, const struct piece *piece)
{
    return strcmp(rl_text_of(call->name), piece->name.text) == 0 && same_args(call, piece) &&
           rl_arguments_are_whole(&call->arguments);
}


/* Has it the {} so far that some proxies put before the real arguments? */
static bool is_prefix(const struct rl_call *call)
{
    return strcmp(rl_text_of(call->arguments.text), "{}") == 0;
}


/* <piece> arrived where <call> stands: does it go on with it? */
static enum verdict judge(struct rl_call *call, const struct piece *piece)
{
    const char *name = rl_text_of(call->name);
    const char *id = rl_text_of(call->id);
    if (piece->name.text[0] == '\0' || name[0] == '\0')
        return CONTINUES;
    bool same_id = strcmp(piece->id.text, id) == 0;
    bool extends = starts_with(piece->name.text, name);
    if (piece->id.text[0] != '\0' && !same_id && (id[0] != '\0' || !extends))
        return IS_NEW;
    bool opens = piece->args.len > 0 && (piece->args.at[0] == '{' || piece->args.at[0] == '[');
    if (opens && !call->is_custom && rl_arguments_are_whole(&call->arguments)) {
        if (same_id && repeats(call, piece))
            return IS_REPEAT;
        return same_id && id[0] != '\0' && is_prefix(call) ? CONTINUES : IS_NEW;
    }
    if (extends || !rl_text_any(call->arguments.text))
        return CONTINUES;
    return IS_NEW;
}


static bool is_unfinished(struct rl_call *call, const struct piece *piece)
{
    return strcmp(rl_text_of(call->name), piece->name.text) == 0 &&
           !rl_arguments_are_whole(&call->arguments);
}


/* An index that is known: its latest call, unless the id names another one. */
static enum verdict judge_indexed(struct rl_calls *calls, const struct piece *piece,
                                  struct rl_call **call)
{
    struct rl_call *named = with_id(calls, piece->id.text);
    if (named != NULL && piece->name.text[0] == '\0')
        *call = named;
    return judge(*call, piece);
}


/* No index: the id decides, then the name, then the last call. */
static enum verdict judge_unindexed(struct rl_calls *calls, const struct piece *piece,
                                    struct rl_call **call)
{
    *call = with_id(calls, piece->id.text);
    if (*call != NULL)
        return judge(*call, piece);
    if (calls->len == 0)
        return IS_NEW;
    *call = &calls->items[calls->len - 1];
    if (piece->name.text[0] == '\0')
        return CONTINUES;
    return piece->id.text[0] == '\0' && is_unfinished(*call, piece) ? CONTINUES : IS_NEW;
}


/* An index that was never seen: still an old call when the id says so. */
static enum verdict judge_unseen(struct rl_calls *calls, const struct piece *piece,
                                 struct rl_call **call)
{
    *call = with_id(calls, piece->id.text);
    if (*call == NULL || (piece->name.text[0] != '\0' && !is_unfinished(*call, piece)))
        return IS_NEW;
    if (!(*call)->has_index)
        (*call)->index = piece->index;
    (*call)->has_index = true;
    (*call)->alias = piece->index;
    return CONTINUES;
}


static enum verdict find_call(struct rl_calls *calls, const struct piece *piece, bool is_whole,
                              struct rl_call **call)
{
    enum verdict verdict = IS_NEW;
    if (!is_whole) {
        *call = piece->has_index ? with_index(calls, piece->index) : NULL;
        verdict = *call != NULL      ? judge_indexed(calls, piece, call)
                  : piece->has_index ? judge_unseen(calls, piece, call)
                                     : judge_unindexed(calls, piece, call);
    }
    struct rl_call *twin = verdict == IS_NEW ? with_id(calls, piece->id.text) : NULL;
    return twin != NULL && repeats(twin, piece) ? IS_REPEAT : verdict;
}


int rl_calls_push(struct rl_calls *calls, const struct rl_call *call)
{
    if (calls->len == RL_CALLS_MAX)
        return RL_ETOOBIG;
    if (calls->len == calls->cap) {
        size_t cap = calls->cap > 0 ? calls->cap * 2 : 4;
        struct rl_call *items = realloc(calls->items, cap * sizeof(*items));
        if (items == NULL)
            return RL_ENOMEM;
        calls->items = items;
        calls->cap = cap;
    }
    calls->items[calls->len++] = *call;
    return RL_OK;
}


static int add_call(struct rl_calls *calls, const struct piece *piece, struct rl_call **call)
{
    struct rl_call fresh = {
        .index = piece->index,
        .alias = piece->index,
        .has_index = piece->has_index,
        .is_custom = piece->is_custom,
        .arrival = calls->len,
    };
    int rc = rl_calls_push(calls, &fresh);
    if (rc == RL_OK)
        *call = &calls->items[calls->len - 1];
    return rc;
}


int rl_calls_add_name(cJSON **name, const char *piece, struct rl_room *room)
{
    const char *old = rl_text_of(*name);
    if (strcmp(piece, old) == 0)
        return RL_OK;
    size_t known = starts_with(piece, old) ? strlen(old) : 0;
    return rl_text_append(name, piece + known, strlen(piece + known), room);
}


/* Moves what <said> says, a member of <parent>, to <*text> when it says something and nothing was
 * set before. */
static int take_first(cJSON **text, cJSON *parent, const struct said *said, struct rl_room *room)
{
    bool is_first = said->text[0] != '\0' && *text == NULL;
    return is_first ? rl_text_take(text, parent, said->item, room) : RL_OK;
}


static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}


/* Moves the members of <from> that are not <known> into <*to>. */
static int take_unknown(cJSON **to, cJSON *from, const char *const *known, struct rl_room *room)
{
    int rc = RL_OK;
    for (cJSON *next, *member = from->child; rc == RL_OK && member != NULL; member = next) {
        next = member->next;
        if (is_one_of(member->string, known))
            continue;
        if (*to == NULL)
            *to = cJSON_CreateObject();
        if (*to == NULL)
            return RL_ENOMEM;
        rc = rl_extras_merge(*to, rl_tree_take(from, member), room);
    }
    return rc;
}


static int take_extras(struct rl_call *call, const struct piece *piece, struct rl_room *room)
{
    static const char *const outer[] = {"index", "id", "type", "function", "custom", NULL};
    static const char *const inner[] = {"name", "arguments", "input", NULL};
    static const char *const flat[] = {"index", "id",        "type",  "function", "custom",
                                       "name",  "arguments", "input", NULL};
    if (piece->body == piece->element)
        return take_unknown(&call->members, piece->element, flat, room);
    int rc = take_unknown(&call->inner, piece->body, inner, room);
    return rc != RL_OK ? rc : take_unknown(&call->members, piece->element, outer, room);
}


static int take_arguments(struct rl_call *call, const struct piece *piece, struct rl_room *room)
{
    if (piece->args.len == 0)
        return RL_OK;
    if (piece->args_item != NULL)
        return rl_arguments_take(&call->arguments, piece->body, piece->args_item, room);
    return rl_arguments_append(&call->arguments, piece->args.at, piece->args.len, room);
}


static int take_piece(struct rl_call *call, const struct piece *piece, struct rl_room *room)
{
    int rc = take_first(&call->id, piece->element, &piece->id, room);
    if (rc == RL_OK)
        rc = take_first(&call->type, piece->element, &piece->type, room);
    if (rc == RL_OK && call->name == NULL)
        rc = take_first(&call->name, piece->body, &piece->name, room);
    else if (rc == RL_OK)
        rc = rl_calls_add_name(&call->name, piece->name.text, room);
    if (rc == RL_OK)
        rc = take_arguments(call, piece, room);
    if (piece->is_custom)
        call->is_custom = true;
    return rc != RL_OK ? rc : take_extras(call, piece, room);
}


/* Is every member but <names> absent, or null? */
static bool has_only(const cJSON *object, const char *const *names)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        if (!cJSON_IsNull(member) && !is_one_of(member->string, names))
            return false;
    }
    return true;
}


/* A text that a call has already, or an empty one. */
static bool is_known(const cJSON *object, const char *name, const cJSON *text)
{
    const cJSON *item = rl_json_get(object, name);
    const char *said = rl_json_text(item);
    return item == NULL || cJSON_IsNull(item) ||
           (said != NULL && (said[0] == '\0' || strcmp(said, rl_text_of(text)) == 0));
}


int rl_calls_only_add_arguments(struct rl_calls *calls, const cJSON *list)
{
    static const char *const outer[] = {"index", "id", "type", "function", NULL};
    static const char *const inner[] = {"arguments", NULL};
    const cJSON *element = cJSON_IsArray(list) ? list->child : NULL;
    if (!cJSON_IsObject(element) || element->next != NULL || !has_only(element, outer))
        return -1;
    const cJSON *function = rl_json_get(element, "function");
    const cJSON *index = rl_json_get(element, "index");
    if (!cJSON_IsObject(function) || !has_only(function, inner) || !cJSON_IsNumber(index))
        return -1;
    int64_t number;
    struct rl_call *call = rl_calls_index(index, &number) ? with_index(calls, number) : NULL;
    struct rl_call *named = with_id(calls, say(element, "id").text);
    bool adds = call != NULL && (named == NULL || named == call) && /* of equal ids the last one */
                cJSON_GetArraySize(function) == 1 && rl_json_text(function->child) != NULL &&
                cJSON_GetArraySize(element) <= 4 && is_known(element, "id", call->id) &&
                is_known(element, "type", call->type);
    return adds ? (int)(call - calls->items) : -1;
}


int rl_calls_add_arguments(struct rl_calls *calls, int number, struct rl_span carried,
                           struct rl_room *room)
{
    if (carried.len == 0)
        return RL_OK;
    return rl_arguments_append(&calls->items[number].arguments, carried.at, carried.len, room);
}


int rl_calls_take(struct rl_calls *calls, cJSON *element, bool is_whole, struct rl_room *room)
{
    if (!cJSON_IsObject(element))
        return RL_OK;
    struct rl_buf scratch;
    rl_buf_init(&scratch, room->bytes);
    struct piece piece;
    struct rl_call *call = NULL;
    int rc = read_piece(&piece, element, &scratch);
    enum verdict verdict = CONTINUES;
    if (rc == RL_OK)
        verdict = find_call(calls, &piece, is_whole, &call);
    if (rc == RL_OK && verdict == IS_NEW)
        rc = add_call(calls, &piece, &call);
    if (rc == RL_OK && verdict != IS_REPEAT)
        rc = take_piece(call, &piece, room);
    rl_buf_free(&scratch);
    return rc;
}
