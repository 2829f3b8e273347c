/* lua_chat_body.c -- walk 3: the bytes of a chat request. See lua_chat_body.h. */
#include "lua_chat_body.h"

#include "buf.h"

enum { MAX_REQUEST = 1 << 30 }; /* bytes */


int rl_chat_body_take(struct rl_chat_body *body, const struct rl_transcript *messages)
{
    rl_transcript_init(&body->messages);
    return rl_transcript_clone(&body->messages, messages);
}


void rl_chat_body_free(struct rl_chat_body *body)
{
    rl_transcript_free(&body->messages);
}


/* The list of messages: the opening one, which is no part of the transcript, and the transcript. */
static void add_messages(const struct rl_chat_body *body, size_t size, struct rl_buf *out)
{
    const struct rl_text *opening = &body->plan->opening;
    rl_buf_addc(out, '[');
    rl_buf_add(out, opening->data, opening->len);
    if (opening->len > 0 && size > 0)
        rl_buf_addc(out, ',');
    rl_transcript_add_wire(&body->messages, body->plan->key.data, out);
    rl_buf_addc(out, ']');
}


char *rl_chat_body_join(const struct rl_chat_body *body, size_t *len)
{
    struct rl_buf out;
    const struct rl_chat_plan *plan = body->plan;
    size_t size = rl_transcript_wire_size(&body->messages, plan->key.data);
    rl_buf_init(&out, MAX_REQUEST);
    rl_buf_reserve(&out, plan->head.len + plan->opening.len + plan->tail.len + size + 3);
    rl_buf_add(&out, plan->head.data, plan->head.len);
    add_messages(body, size, &out);
    rl_buf_add(&out, plan->tail.data, plan->tail.len);
    char *bytes = rl_buf_take(&out, len);
    if (bytes == NULL)
        rl_buf_free(&out);
    return bytes;
}
