/* text.c -- beside the walk: string items that grow. See text.h. */
#include "text.h"

#include "err.h"
#include "tree.h"

#include <limits.h>
#include <string.h>

enum { FIRST_CAPACITY = 32 };


int rl_room_take(struct rl_room *room, size_t bytes, size_t nodes)
{
    if (bytes > room->bytes || nodes > room->nodes)
        return RL_ETOOBIG;
    room->bytes -= bytes;
    room->nodes -= nodes;
    return RL_OK;
}


size_t rl_text_len(const cJSON *text)
{
    if (text == NULL)
        return 0;
    return text->valuedouble > 0 ? (size_t)text->valueint : strlen(text->valuestring);
}


const char *rl_text_of(const cJSON *text)
{
    return text != NULL ? text->valuestring : "";
}


bool rl_text_any(const cJSON *text)
{
    return text != NULL && text->valuestring[0] != '\0';
}


/* Bytes of room for a text that needs so many. */
static size_t room_for(size_t need)
{
    size_t cap = FIRST_CAPACITY;
    while (cap < need)
        cap += cap / 2;
    return cap;
}


/* Makes room for <need> bytes with the NUL. Memory comes from cJSON, which will free it. */
static int grow(cJSON *text, size_t len, size_t need)
{
    size_t cap = room_for(need);
    char *bytes = cJSON_malloc(cap);
    if (bytes == NULL)
        return RL_ENOMEM;
    if (len > 0)
        memcpy(bytes, text->valuestring, len);
    if ((text->type & cJSON_IsReference) == 0)
        cJSON_free(text->valuestring);
    text->type &= ~cJSON_IsReference; /* it lay in a block (tree.h) */
    text->valuestring = bytes;
    text->valuedouble = (double)cap;
    return RL_OK;
}


/* A string without bytes yet, which no one may see. */
static cJSON *new_text(void)
{
    cJSON *text = cJSON_CreateNull();
    if (text != NULL)
        text->type = cJSON_String;
    return text;
}


int rl_text_append(cJSON **text, const char *carried, size_t len, struct rl_room *room)
{
    int rc = rl_room_take(room, len, *text == NULL ? 1 : 0);
    if (rc != RL_OK)
        return rc;
    cJSON *item = *text != NULL ? *text : new_text();
    if (item == NULL)
        return RL_ENOMEM;
    size_t old = *text != NULL ? rl_text_len(item) : 0;
    size_t need = old + len + 1;
    if (need > INT_MAX)
        rc = RL_ETOOBIG;
    else if ((double)need > item->valuedouble)
        rc = grow(item, old, need);
    if (rc != RL_OK) {
        if (*text == NULL)
            cJSON_free(item);
        return rc;
    }
    memcpy(item->valuestring + old, carried, len);
    item->valuestring[old + len] = '\0';
    item->valueint = (int)(old + len);
    *text = item;
    return RL_OK;
}


int rl_text_take(cJSON **text, cJSON *parent, cJSON *item, struct rl_room *room)
{
    size_t len = strlen(item->valuestring);
    if (*text != NULL || len >= INT_MAX || (item->type & RL_TREE_PASSING) != 0)
        return rl_text_append(text, item->valuestring, len, room);
    int rc = rl_room_take(room, len, 1);
    if (rc != RL_OK)
        return rc;
    *text = cJSON_DetachItemViaPointer(parent, item);
    item->valueint = (int)len;
    item->valuedouble = (double)(len + 1);
    return RL_OK;
}
