/* response_again.c -- walk 7: what may come again without a tree, or with half of one. See
 * response.h.
 *
 * An event is looked at when it has been taken: what says nothing new then says nothing new as long
 * as the members of the response stay as they are.
 */
#include "response.h"

#include "err.h"
#include "json.h"
#include "reply_error.h"

#include <string.h>

enum {
    LONGEST_REST = 2048
}; /* bytes of a chunk without its head: below every limit of whole ones */


/* Does this member of a chunk say nothing new, and is it nothing but a value, and no choices? */
static bool is_mute(const struct rl_response *response, const cJSON *member)
{
    const char *name = member->string;
    bool is_apart = rl_response_is_apart(name);
    if (is_apart && name[0] == 'c')
        return false;
    if (cJSON_IsNull(member))
        return true;
    if (cJSON_IsObject(member) || cJSON_IsArray(member) || strcmp(name, "content") == 0 ||
        strcmp(name, "arguments") == 0)
        return false;
    if (is_apart)
        return name[0] == 'o'; /* an object's type, padding */
    return !rl_response_counts(member, rl_json_get(response->root, name), true);
}


/* The first member from <member> on that is not mute; NULL when all of them are. */
static const cJSON *skip_mute(const struct rl_response *response, const cJSON *member)
{
    while (member != NULL && is_mute(response, member))
        member = member->next;
    return member;
}


static bool adds_text(const struct rl_response *response, const cJSON *item,
                      struct rl_again_place *place)
{
    int64_t index = rl_response_index(item);
    for (size_t i = 0; i < response->count; i++)
        if (response->choices[i]->index == index)
            return rl_choice_only_adds_text(response->choices[i], item, place);
    return false;
}


/* Would taking these choices, and the members behind them, add to one text of one choice and change
 * nothing else, as often as they come again with another one? */
static bool only_adds_text(const struct rl_response *response, const cJSON *choices,
                           struct rl_again_place *place)
{
    const cJSON *item = cJSON_IsArray(choices) ? choices->child : NULL;
    return cJSON_IsObject(item) && item->next == NULL && adds_text(response, item, place) &&
           skip_mute(response, choices->next) == NULL;
}


/* Keeps what is to be known of a chunk from its <choices> on; <head> bytes stand before them. */
static void keep(struct rl_response *response, const cJSON *choices, struct rl_span data,
                 size_t head, bool is_padded)
{
    struct rl_again_place place;
    if (only_adds_text(response, choices, &place))
        rl_again_keep(&response->again, data, head, place, is_padded);
    else
        rl_again_keep_head(&response->again, data, head);
}


void rl_response_expect(struct rl_response *response, const cJSON *chunk, struct rl_span data)
{
    bool is_watched = response->gather.on_chunk != NULL; /* whoever wants chunks gets trees */
    const cJSON *choices = NULL;
    if (!is_watched && response->root != NULL && !response->is_body && cJSON_IsObject(chunk))
        choices = skip_mute(response, chunk->child);
    bool is_padded = rl_json_get(chunk, "obfuscation") != NULL;
    if (choices != NULL && strcmp(choices->string, "choices") == 0)
        keep(response, choices, data, rl_again_find_head(data), is_padded);
    else
        rl_again_forget(&response->again);
}


static bool repeats_text(struct rl_response *response, struct rl_span data, int *rc)
{
    struct rl_choice *choice;
    struct rl_span text;
    if (!rl_again_matches(&response->again, data, &text))
        return false;
    *rc = rl_response_find(response, response->again.place.choice, &choice);
    if (*rc == RL_OK)
        *rc = rl_delta_add_text(choice, response->again.place.call, text, &response->gather);
    return true;
}


/* The tree of a chunk without the head that came before; NULL when it has another one, and where
 * the whole chunk is asked for: it is no JSON, or an error. */
static cJSON *parse_rest(const struct rl_response *response, struct rl_span data)
{
    char rest[LONGEST_REST];
    size_t head = rl_again_begins(&response->again, data);
    if (head == 0 || data.len - head >= sizeof(rest))
        return NULL;
    rest[0] = '{';
    memcpy(rest + 1, data.at + head, data.len - head);
    cJSON *tree = rl_json_parse(rest, data.len - head + 1, NULL, RL_JSON_PASSING, NULL);
    if (tree == NULL || !rl_reply_is_error(tree, false))
        return tree;
    cJSON_free(tree);
    return NULL;
}


/* Takes <rest>. When it could not be taken, the usage is still that of an earlier block. */
static int take_rest(struct rl_response *response, cJSON *rest)
{
    response->rest = rest;
    int rc = rl_response_take(response, rest, false);
    if (rc != RL_OK && response->block == rest) {
        response->block = response->rest;
        response->rest = rest;
    }
    return rc;
}


static bool repeats_head(struct rl_response *response, struct rl_span data, int *rc)
{
    cJSON *rest = parse_rest(response, data);
    if (rest == NULL)
        return false;
    *rc = take_rest(response, rest);
    if (*rc == RL_OK && response->again.head > 0)
        keep(response, rest->child, data, response->again.head,
             rl_json_get(rest, "obfuscation") != NULL);
    cJSON_free(response->rest); /* this one, or one that it replaced */
    response->rest = NULL;
    return true;
}


bool rl_response_repeats(struct rl_response *response, struct rl_span data, int *rc)
{
    return repeats_text(response, data, rc) || repeats_head(response, data, rc);
}
