/* lua_chat_body.c -- walk 3: the bytes of a chat request. See lua_chat_body.h. */
#include "lua_chat_body.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>

/* The pieces of a body: these three, the messages, "]" and the tail. */
enum { HEAD, BRACKET, OPENING, MESSAGES };

struct piece {
    struct rl_text text;
    bool comma; /* before it */
};


/* Nothing at all for a message that another one says. */
static struct piece message_piece(const struct rl_chat_body *body, size_t i)
{
    struct piece piece;
    const struct rl_text *key = &body->plan->key;
    if (i < body->messages.plain && key->data != NULL) {
        const struct rl_message_text *message = rl_transcript_message(&body->messages, i);
        piece.text = (struct rl_text){message->plain, message->plain_len};
        piece.comma = i > 0 || body->opening.len > 0;
        return piece;
    }
    size_t key_size = key->data != NULL ? key->len + 1 : 0;
    piece.text.data = rl_transcript_form(&body->messages, i, key->data, key_size, &piece.text.len);
    piece.comma = piece.text.len > 0 && (i > body->first || body->opening.len > 0);
    return piece;
}


static bool get_piece(const struct rl_chat_body *body, size_t i, struct piece *piece)
{
    size_t end = MESSAGES + body->messages.count;
    piece->comma = false;
    if (i >= MESSAGES && i < end)
        *piece = message_piece(body, i - MESSAGES);
    else if (i == HEAD)
        piece->text = body->plan->head;
    else if (i == OPENING)
        piece->text = body->opening;
    else if (i == end + 1)
        piece->text = body->plan->tail;
    else
        piece->text = (struct rl_text){i == BRACKET ? "[" : "]", 1};
    return i <= end + 1;
}


void rl_chat_body_take(struct rl_chat_body *body, struct rl_transcript *messages)
{
    const struct rl_chat_plan *plan = body->plan;
    rl_transcript_measure(messages);
    rl_transcript_clone(&body->messages, messages);
    while (body->first < messages->count && message_piece(body, body->first).text.len == 0)
        body->first++;
    size_t size = rl_transcript_wire_size(&body->messages, plan->key.data);
    bool comma = size > 0 && body->opening.len > 0;
    body->len = plan->head.len + body->opening.len + comma + size + plan->tail.len + 2;
}


void rl_chat_body_free(struct rl_chat_body *body)
{
    rl_transcript_free(&body->messages);
}


/* Copies what is left of a piece, as far as there is room. */
static size_t read_piece(struct rl_chat_body *body, const struct piece *piece, char *to,
                         size_t room)
{
    size_t done = 0;
    size_t offset = body->offset;
    if (piece->comma && offset == 0)
        to[done++] = ',';
    else
        offset -= piece->comma;
    size_t len = piece->text.len - offset;
    if (len > room - done)
        len = room - done;
    if (len > 0)
        memcpy(to + done, piece->text.data + offset, len);
    return done + len;
}


size_t rl_chat_body_read(struct rl_chat_body *body, size_t at, char *to, size_t room)
{
    size_t done = 0;
    struct piece piece;
    if (at == 0)
        body->piece = body->offset = 0;
    while (done < room && get_piece(body, body->piece, &piece)) {
        size_t len = read_piece(body, &piece, to + done, room - done);
        done += len;
        body->offset += len;
        if (body->offset < piece.comma + piece.text.len)
            break;
        body->piece++;
        body->offset = 0;
    }
    return done;
}


char *rl_chat_body_join(struct rl_chat_body *body)
{
    char *bytes = malloc(body->len + 1);
    if (bytes != NULL)
        rl_chat_body_read(body, 0, bytes, body->len);
    return bytes;
}
