/* http_head.c -- walk 5: the head of a response. See http_head.h. */
#include "http_head.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ORDINARY_BYTES = 1000 }; /* of most heads: their buffer need not grow */


void rl_http_head_init(struct rl_http_head *head)
{
    *head = (struct rl_http_head){0};
    rl_buf_init(&head->fields, 2 * RL_HTTP_HEAD_MAX);
}


void rl_http_head_free(struct rl_http_head *head)
{
    rl_buf_free(&head->fields);
}


static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_blank(**text)) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*text)[*len - 1]))
        (*len)--;
}


/* Adds text, for which there is room, and its NUL. One inside would end it early; nothing we send
 * or show needs one. Returns where it stands. */
static char *add_text(struct rl_buf *out, const char *text, size_t len)
{
    char *added = memcpy(out->data + out->len, text, len);
    out->len += len + 1;
    added[len] = out->data[out->len] = '\0';
    for (char *nul = added; (nul = memchr(nul, '\0', len - (size_t)(nul - added))) != NULL;)
        *nul = ' ';
    return added;
}


static void lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}


/* "HTTP/1.1 200 OK" begins a head, also the one after an interim response. */
static void begin(struct rl_http_head *head, const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);
    rl_buf_clear(&head->fields);
    rl_buf_reserve(&head->fields, ORDINARY_BYTES);
    head->complete = false;
    head->version = len > 5 && line[5] == '2' ? 2 : 1;
    head->status = 0;
    for (const char *c = space != NULL ? space + 1 : line + len; c < line + len; c++) {
        if (*c < '0' || *c > '9' || head->status > 99)
            break;
        head->status = head->status * 10 + (*c - '0');
    }
}


static void add_field(struct rl_http_head *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line)
        return;
    const char *value = colon + 1;
    size_t name_len = (size_t)(colon - line);
    size_t value_len = len - name_len - 1;
    trim(&line, &name_len);
    trim(&value, &value_len);
    if (rl_buf_reserve(&head->fields, name_len + value_len + 2) != RL_OK)
        return;
    lower(add_text(&head->fields, line, name_len));
    add_text(&head->fields, value, value_len);
}


/* A stream may go on for long. */
static void end(struct rl_http_head *head)
{
    head->complete = true;
    rl_buf_trim(&head->fields);
}


int rl_http_head_line(struct rl_http_head *head, const char *line, size_t len)
{
    if (head->complete && head->status >= 200)
        return RL_OK; /* trailers: nobody asks for them */
    head->bytes += len;
    if (head->bytes > RL_HTTP_HEAD_MAX)
        return RL_ETOOBIG;
    if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
        begin(head, line, len);
    else if (len == 0 || line[0] == '\r' || line[0] == '\n')
        end(head);
    else
        add_field(head, line, len);
    return head->fields.status;
}


bool rl_http_head_next(const struct rl_http_head *head, size_t *position, const char **name,
                       const char **value)
{
    if (*position >= head->fields.len)
        return false;
    *name = head->fields.data + *position;
    *value = *name + strlen(*name) + 1;
    *position = (size_t)(*value - head->fields.data) + strlen(*value) + 1;
    return true;
}


const char *rl_http_head_get(const struct rl_http_head *head, const char *name)
{
    const char *field;
    const char *value;
    for (size_t at = 0; rl_http_head_next(head, &at, &field, &value);)
        if (strcasecmp(field, name) == 0)
            return value;
    return NULL;
}
