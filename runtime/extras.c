/* extras.c -- walk 7: how unknown members are joined. See extras.h. */
#include "extras.h"

#include "err.h"
#include "json.h"
#include "tree.h"

#include <stdint.h>
#include <string.h>

/* Look-ups in cJSON are linear: an object that is searched again and again has no more members than
 * this, and an indexed item is searched among this many last ones. */
enum { MAX_MEMBERS = 1024 };


static bool is_wide(const cJSON *object)
{
    size_t members = 0;
    for (const cJSON *child = object->child; child != NULL && members <= MAX_MEMBERS;)
        members++, child = child->next;
    return members > MAX_MEMBERS;
}


/* What <tree> costs: bytes of its strings and names, and nodes. */
static void weigh(const cJSON *tree, struct rl_room *sum)
{
    sum->nodes++;
    if (tree->string != NULL)
        sum->bytes += strlen(tree->string);
    if (cJSON_IsString(tree))
        sum->bytes += rl_text_len(tree);
    for (const cJSON *child = tree->child; child != NULL; child = child->next)
        weigh(child, sum);
}


static int pay(const cJSON *tree, struct rl_room *room)
{
    struct rl_room sum = {0};
    weigh(tree, &sum);
    return rl_room_take(room, sum.bytes, sum.nodes);
}


static void refund(const cJSON *tree, struct rl_room *room)
{
    weigh(tree, room);
}


int rl_extras_keep(cJSON *object, cJSON *item)
{
    if (item == NULL)
        return RL_ENOMEM;
    cJSON_AddItemToArray(object, item); /* links it under the name that it has, and cannot fail */
    return is_wide(object) ? RL_ETOOBIG : RL_OK;
}


int rl_extras_set(cJSON *object, cJSON *item, struct rl_room *room)
{
    if (item == NULL)
        return RL_ENOMEM;
    if (cJSON_IsNull(item)) {
        rl_tree_free(item);
        return RL_OK;
    }
    cJSON *old = rl_json_get(object, item->string);
    if (old != NULL)
        refund(old, room);
    int rc = pay(item, room);
    if (rc != RL_OK) {
        rl_tree_free(item);
        return rc;
    }
    if (old == NULL)
        return rl_extras_keep(object, item);
    rl_tree_replace(object, old, item);
    return RL_OK;
}


/* Does the name of a string member say that its deltas are fragments? */
static bool names_text(const char *name)
{
    static const char *const words[] = {"reason", "think", "text", "content", "summary"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(name, words[i]) != NULL)
            return true;
    }
    return false;
}


static int append_text(cJSON *old, cJSON *item, struct rl_room *room)
{
    int rc = rl_text_append(&old, item->valuestring, strlen(item->valuestring), room);
    rl_tree_free(item);
    return rc;
}


static bool same_text(const cJSON *a, const cJSON *b, const char *name)
{
    const char *left = rl_json_text(rl_json_get(a, name));
    const char *right = rl_json_text(rl_json_get(b, name));
    return left == NULL || right == NULL || strcmp(left, right) == 0;
}


/* The item of <array> that <piece> continues: equal index, and equal type and id where both have
 * one. */
static cJSON *find_indexed(cJSON *array, const cJSON *piece)
{
    int64_t wanted;
    if (array->child == NULL || !cJSON_IsObject(piece) ||
        !rl_json_integer(rl_json_get(piece, "index"), &wanted))
        return NULL;
    cJSON *item = array->child->prev; /* cJSON: the first item's prev is the last item */
    for (int steps = 0; steps < MAX_MEMBERS; steps++, item = item->prev) {
        int64_t index;
        if (rl_json_integer(rl_json_get(item, "index"), &index) && index == wanted &&
            same_text(item, piece, "type") && same_text(item, piece, "id"))
            return item;
        if (item == array->child)
            break;
    }
    return NULL;
}


/* Moves the members of <piece> into <item>: fragments are joined, the rest replaced. Deletes
 * <piece>. */
static int merge_indexed(cJSON *item, cJSON *piece, struct rl_room *room)
{
    int rc = RL_OK;
    while (rc == RL_OK && piece->child != NULL) {
        cJSON *member = cJSON_DetachItemViaPointer(piece, piece->child);
        cJSON *old = rl_json_get(item, member->string);
        bool joins = strcmp(member->string, "text") == 0 || strcmp(member->string, "data") == 0 ||
                     strcmp(member->string, "summary") == 0;
        if (joins && rl_json_text(old) != NULL && rl_json_text(member) != NULL)
            rc = append_text(old, member, room);
        else
            rc = rl_extras_set(item, member, room);
    }
    rl_tree_free(piece);
    return rc;
}


/* Moves the items of <more> to the end of <array>, or into the items that they continue. Deletes
 * <more>. */
static int append_items(cJSON *array, cJSON *more, struct rl_room *room)
{
    int rc = RL_OK;
    while (rc == RL_OK && more->child != NULL) {
        cJSON *piece = cJSON_DetachItemViaPointer(more, more->child);
        cJSON *item = find_indexed(array, piece);
        if (item != NULL) {
            rc = merge_indexed(item, piece, room);
            continue;
        }
        rc = cJSON_IsObject(piece) && is_wide(piece) ? RL_ETOOBIG : pay(piece, room);
        if (rc != RL_OK)
            rl_tree_free(piece);
        else
            cJSON_AddItemToArray(array, piece);
    }
    rl_tree_free(more);
    return rc;
}


static int merge_members(cJSON *old, cJSON *item, struct rl_room *room)
{
    int rc = is_wide(old) ? RL_ETOOBIG : RL_OK;
    while (rc == RL_OK && item->child != NULL)
        rc = rl_extras_merge(old, cJSON_DetachItemViaPointer(item, item->child), room);
    rl_tree_free(item);
    return rc;
}


/* The first array of a member goes the way of the later ones: its own items may continue each
 * other. */
static int start_array(cJSON *object, cJSON *item, struct rl_room *room)
{
    cJSON *items = item->child;
    item->child = NULL;
    cJSON *more = cJSON_CreateArray();
    if (more == NULL) {
        item->child = items;
        rl_tree_free(item);
        return RL_ENOMEM;
    }
    more->child = items;
    const char *name = item->string;
    int rc = rl_extras_set(object, item, room);
    if (rc == RL_OK)
        return append_items(rl_json_get(object, name), more, room);
    rl_tree_free(more);
    return rc;
}


int rl_extras_merge(cJSON *object, cJSON *item, struct rl_room *room)
{
    cJSON *old = item != NULL ? rl_json_get(object, item->string) : NULL;
    if (cJSON_IsObject(item) && cJSON_IsObject(old))
        return merge_members(old, item, room);
    if (cJSON_IsArray(item))
        return cJSON_IsArray(old) ? append_items(old, item, room) : start_array(object, item, room);
    if (item != NULL && names_text(item->string) && rl_json_text(item) != NULL &&
        rl_json_text(old) != NULL)
        return append_text(old, item, room);
    return rl_extras_set(object, item, room);
}
