/* text.c -- beside the walk: string items that grow. See text.h. */
#include "text.h"

#include "err.h"

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


/* Makes room for <need> bytes with the NUL. Memory comes from cJSON, which will free it. */
static int grow(cJSON *text, size_t len, size_t need)
{
    size_t cap = FIRST_CAPACITY;
    while (cap < need)
        cap += cap / 2;
    char *bytes = cJSON_malloc(cap);
    if (bytes == NULL)
        return RL_ENOMEM;
    memcpy(bytes, text->valuestring, len + 1);
    if ((text->type & cJSON_IsReference) == 0)
        cJSON_free(text->valuestring);
    text->type &= ~cJSON_IsReference; /* it lay in a block (tree.h) */
    text->valuestring = bytes;
    text->valuedouble = (double)cap;
    return RL_OK;
}


int rl_text_append(cJSON **text, const char *carried, size_t len, struct rl_room *room)
{
    int rc = rl_room_take(room, len, *text == NULL ? 1 : 0);
    if (rc != RL_OK)
        return rc;
    if (*text == NULL)
        *text = cJSON_CreateString("");
    if (*text == NULL)
        return RL_ENOMEM;
    size_t old = rl_text_len(*text);
    size_t need = old + len + 1;
    if (need > INT_MAX)
        return RL_ETOOBIG;
    if ((double)need > (*text)->valuedouble)
        rc = grow(*text, old, need);
    if (rc != RL_OK)
        return rc;
    memcpy((*text)->valuestring + old, carried, len);
    (*text)->valuestring[old + len] = '\0';
    (*text)->valueint = (int)(old + len);
    return RL_OK;
}
