/* tree.c -- beside the walk: building cJSON trees. See tree.h. */
#include "tree.h"

#include "names.h"

#include <string.h>


void rl_tree_free(cJSON *item)
{
    for (cJSON *next; item != NULL; item = next) {
        next = item->next;
        if ((item->type & RL_TREE_PASSING) != 0)
            continue; /* all of it is in the block */
        if (item->child != NULL)
            rl_tree_free(item->child);
        if (item->valuestring != NULL && (item->type & cJSON_IsReference) == 0)
            cJSON_free(item->valuestring);
        if (item->string != NULL && (item->type & cJSON_StringIsConst) == 0)
            cJSON_free(item->string);
        if ((item->type & RL_TREE_LENT) == 0)
            cJSON_free(item);
    }
}


static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = cJSON_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}


/* Fills <to>, a new item. A text that could grow (text.h) is as long as it is here. */
static bool copy_item(cJSON *to, const cJSON *from)
{
    bool is_text = cJSON_IsString(from);
    to->type = from->type & 0xFF;
    to->valueint = is_text ? 0 : from->valueint;
    to->valuedouble = is_text ? 0 : from->valuedouble;
    if (is_text && (to->valuestring = copy_text(from->valuestring)) == NULL)
        return false;
    if (from->string != NULL && rl_name_number(from->string) >= 0) {
        to->string = from->string;
        to->type |= cJSON_StringIsConst;
    } else if (from->string != NULL && (to->string = copy_text(from->string)) == NULL) {
        return false;
    }
    for (const cJSON *child = from->child; child != NULL; child = child->next) {
        cJSON *copy = cJSON_CreateNull();
        if (copy == NULL)
            return false;
        cJSON_AddItemToArray(to, copy);
        if (!copy_item(copy, child))
            return false;
    }
    return true;
}


cJSON *rl_tree_copy(const cJSON *item)
{
    cJSON *copy = item != NULL ? cJSON_CreateNull() : NULL;
    if (copy == NULL || copy_item(copy, item))
        return copy;
    rl_tree_free(copy);
    return NULL;
}


/* All from <item> on lies in a block that stays. */
static void stay(cJSON *item)
{
    for (; item != NULL; item = item->next) {
        item->type &= ~RL_TREE_PASSING;
        stay(item->child);
    }
}


cJSON *rl_tree_empty(cJSON *object)
{
    cJSON *taken = cJSON_CreateObject();
    if (taken == NULL)
        return NULL;
    stay(object->child);
    taken->string = object->string;
    taken->type |= cJSON_StringIsConst;
    taken->child = object->child;
    object->child = NULL;
    return taken;
}


cJSON *rl_tree_take(cJSON *parent, cJSON *item)
{
    if ((item->type & RL_TREE_PASSING) != 0)
        return rl_tree_copy(item);
    return parent != NULL ? cJSON_DetachItemViaPointer(parent, item) : item;
}


void rl_tree_replace(cJSON *parent, cJSON *old, cJSON *item)
{
    cJSON *last = parent->child->prev; /* cJSON: the first item's prev is the last item */
    item->next = old->next;
    item->prev = old->prev;
    if (old == parent->child)
        parent->child = item;
    else
        old->prev->next = item;
    if (old == last)
        parent->child->prev = item;
    else
        old->next->prev = item;
    old->next = old->prev = NULL;
    rl_tree_free(old);
}


void rl_tree_remove(cJSON *object, const char *name)
{
    rl_tree_free(cJSON_DetachItemFromObjectCaseSensitive(object, name));
}


bool rl_tree_put(cJSON *object, const char *name, cJSON *item)
{
    if (item == NULL)
        return false;
    cJSON *old = NULL;
    rl_tree_pick(object, &name, 1, &old);
    if (old == NULL) {
        const char *known = rl_name_find(name, strlen(name));
        if (known != NULL ? cJSON_AddItemToObjectCS(object, known, item)
                          : cJSON_AddItemToObject(object, name, item))
            return true;
        rl_tree_free(item);
        return false;
    }
    if ((item->type & cJSON_StringIsConst) == 0) /* cJSON's own replacing forgets to look */
        cJSON_free(item->string);
    item->string = old->string;
    item->type = (item->type & ~cJSON_StringIsConst) | (old->type & cJSON_StringIsConst);
    old->string = NULL;
    rl_tree_replace(object, old, item);
    return true;
}


void rl_tree_pick(const cJSON *object, const char *const *names, size_t count, cJSON **found)
{
    for (size_t i = 0; i < count; i++)
        found[i] = NULL;
    for (cJSON *member = cJSON_IsObject(object) ? object->child : NULL; member != NULL;
         member = member->next) {
        const char *name = member->string;
        for (size_t i = 0; i < count; i++) {
            if (names[i][0] == name[0] && strcmp(names[i], name) == 0)
                found[i] = member;
        }
    }
}
