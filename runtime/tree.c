/* tree.c -- beside the walk: building cJSON trees. See tree.h. */
#include "tree.h"

#include <stddef.h>


bool rl_tree_put(cJSON *object, const char *name, cJSON *item)
{
    if (item == NULL)
        return false;
    cJSON *old = cJSON_GetObjectItemCaseSensitive(object, name);
    if (old == NULL) {
        if (cJSON_AddItemToObject(object, name, item))
            return true;
        cJSON_Delete(item);
        return false;
    }
    cJSON_free(
        item->string); /* cJSON's own replacing forgets to look whether the name was copied */
    item->string = old->string;
    old->string = NULL;
    cJSON_ReplaceItemViaPointer(object, old, item);
    return true;
}
