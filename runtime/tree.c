/* tree.c -- beside the walk: building cJSON trees. See tree.h. */
#include "tree.h"

#include "names.h"

#include <string.h>


bool rl_tree_put(cJSON *object, const char *name, cJSON *item)
{
    if (item == NULL)
        return false;
    cJSON *old = cJSON_GetObjectItemCaseSensitive(object, name);
    if (old == NULL) {
        const char *known = rl_name_find(name, strlen(name));
        if (known != NULL ? cJSON_AddItemToObjectCS(object, known, item)
                          : cJSON_AddItemToObject(object, name, item))
            return true;
        cJSON_Delete(item);
        return false;
    }
    if ((item->type & cJSON_StringIsConst) == 0) /* cJSON's own replacing forgets to look */
        cJSON_free(item->string);
    item->string = old->string;
    item->type = (item->type & ~cJSON_StringIsConst) | (old->type & cJSON_StringIsConst);
    old->string = NULL;
    cJSON_ReplaceItemViaPointer(object, old, item);
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
