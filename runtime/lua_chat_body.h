/* lua_chat_body.h -- walk 3: the bytes of a chat request: head [opening, messages] tail.
 *
 * They are put together from bytes that stand already: the texts of a plan and the messages of a
 * transcript, each encoded once. A short body is joined and sent with the head; while an answer is
 * awaited the joined copy is freed, and what it was joined from is kept, as pointers, should the
 * connection turn out to have died. A long one is never joined: it is read as it is sent.
 */
#ifndef RL_LUA_CHAT_BODY_H
#define RL_LUA_CHAT_BODY_H

#include "lua_chat_plan.h"
#include "transcript.h"

struct rl_chat_body {
    const struct rl_chat_plan *plan; /* the owner of the body keeps it alive, */
    struct rl_text opening;          /* and the message before the first one */
    struct rl_transcript messages;   /* as they were when the request was made */
    size_t first;                    /* the first of them that is sent */
    size_t len;                      /* bytes of it all */
    size_t piece, offset;            /* how far it was read */
};

/* Takes the messages as they are now; plan and opening are there. */
void rl_chat_body_take(struct rl_chat_body *body, struct rl_transcript *messages);

void rl_chat_body_free(struct rl_chat_body *body);

/* Copies the next bytes, at most <room>, and returns how many; from the beginning where <at> is 0.
 */
size_t rl_chat_body_read(struct rl_chat_body *body, size_t at, char *to, size_t room);

/* All bytes, malloc'd; NULL without memory. */
char *rl_chat_body_join(struct rl_chat_body *body);

#endif
