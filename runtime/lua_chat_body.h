/* lua_chat_body.h -- walk 3: the bytes of a chat request: head .. messages .. tail.
 *
 * They are joined from bytes that stand already: the texts of a plan and the messages of a
 * transcript, each encoded once. While an answer is awaited the joined copy is freed; what it was
 * joined from is kept, as pointers, to join it again should the connection turn out to have died.
 */
#ifndef RL_LUA_CHAT_BODY_H
#define RL_LUA_CHAT_BODY_H

#include "lua_chat_plan.h"
#include "transcript.h"

struct rl_chat_body {
    const struct rl_chat_plan *plan; /* the owner of the body keeps it alive */
    struct rl_transcript messages;   /* as they were when the request was made */
};

/* Takes a copy of the list of messages (not of the messages). Returns 0 or RL_ENOMEM. */
int rl_chat_body_take(struct rl_chat_body *body, const struct rl_transcript *messages);

void rl_chat_body_free(struct rl_chat_body *body);

/* The joined bytes, malloc'd, and their number; NULL without memory or beyond 1 GiB. */
char *rl_chat_body_join(const struct rl_chat_body *body, size_t *len);

#endif
