/* lua_chat_body.c -- walk 3: the bytes of a chat request. See lua_chat_body.h. */
#include "lua_chat_body.h"

#include "buf.h"

enum { MAX_REQUEST = 1 << 30 }; /* bytes */

static const char *const text_names[RL_CHAT_BODY_TEXTS] = {"head", "opening", "tail", "key",
                                                           "body"};


void rl_chat_body_anchor(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    for (int i = 0; i < RL_CHAT_BODY_TEXTS; i++) {
        lua_getfield(L, index, text_names[i]);
        lua_setiuservalue(L, -2, i + 1); /* userdata.uservalues[i + 1] = options[name] */
    }
}


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
    rl_buf_addc(out, '[');
    rl_buf_add(out, body->opening.data, body->opening.len);
    if (body->opening.len > 0 && size > 0)
        rl_buf_addc(out, ',');
    rl_transcript_add_wire(&body->messages, body->key.data, out);
    rl_buf_addc(out, ']');
}


char *rl_chat_body_join(const struct rl_chat_body *body, size_t *len)
{
    struct rl_buf out;
    size_t size = rl_transcript_wire_size(&body->messages, body->key.data);
    rl_buf_init(&out, MAX_REQUEST);
    rl_buf_reserve(&out, body->head.len + body->opening.len + body->tail.len + size + 3);
    rl_buf_add(&out, body->head.data, body->head.len);
    add_messages(body, size, &out);
    rl_buf_add(&out, body->tail.data, body->tail.len);
    char *bytes = rl_buf_take(&out, len);
    if (bytes == NULL)
        rl_buf_free(&out);
    return bytes;
}
