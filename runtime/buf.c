/* buf.c -- beside the walk: a growing byte buffer with a ceiling. See buf.h. */
#include "buf.h"

#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };


void rl_buf_init(struct rl_buf *buf, size_t max)
{
    *buf = (struct rl_buf){.max = max};
}


void rl_buf_free(struct rl_buf *buf)
{
    free(buf->data);
    rl_buf_init(buf, buf->max);
}


void rl_buf_clear(struct rl_buf *buf)
{
    buf->len = 0;
    buf->status = RL_OK;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}


int rl_buf_reserve(struct rl_buf *buf, size_t more)
{
    if (buf->status != RL_OK)
        return buf->status;
    if (more > buf->max - buf->len)
        return buf->status = RL_ETOOBIG;
    size_t need = buf->len + more + 1; /* the NUL; max is far below SIZE_MAX */
    if (need <= buf->cap)
        return RL_OK;
    size_t cap = buf->cap > FIRST_CAPACITY ? buf->cap : FIRST_CAPACITY;
    while (cap < need)
        cap += cap / 2;
    char *data = realloc(buf->data, cap);
    if (data == NULL)
        return buf->status = RL_ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return RL_OK;
}


void rl_buf_trim(struct rl_buf *buf)
{
    char *data = buf->data != NULL ? realloc(buf->data, buf->len + 1) : NULL;
    if (data == NULL)
        return;
    buf->data = data;
    buf->cap = buf->len + 1;
}


int rl_buf_add(struct rl_buf *buf, const void *bytes, size_t len)
{
    if (rl_buf_reserve(buf, len) != RL_OK)
        return buf->status;
    if (len > 0)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return RL_OK;
}


int rl_buf_adds(struct rl_buf *buf, const char *text)
{
    return rl_buf_add(buf, text, strlen(text));
}


int rl_buf_addc(struct rl_buf *buf, char byte)
{
    if (buf->status != RL_OK || buf->len + 1 >= buf->cap || buf->len >= buf->max)
        return rl_buf_add(buf, &byte, 1);
    buf->data[buf->len++] = byte;
    buf->data[buf->len] = '\0';
    return RL_OK;
}


int rl_buf_addf(struct rl_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0 && rl_buf_reserve(buf, (size_t)len) == RL_OK) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    return buf->status;
}


void rl_buf_consume(struct rl_buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
    } else {
        memmove(buf->data, buf->data + len, buf->len - len);
        buf->len -= len;
    }
    if (buf->data != NULL)
        buf->data[buf->len] = '\0';
}


char *rl_buf_take(struct rl_buf *buf, size_t *len)
{
    rl_buf_reserve(buf, 0);
    if (buf->status != RL_OK)
        return NULL;
    buf->data[buf->len] = '\0';
    char *data = buf->data;
    if (len != NULL)
        *len = buf->len;
    rl_buf_init(buf, buf->max);
    return data;
}
