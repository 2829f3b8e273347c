/* lua_chat_body.h -- walk 3: the bytes of a chat request: head .. messages .. tail.
 *
 * They are joined from bytes that stand already: strings of Lua and the messages of a transcript,
 * each encoded once. While an answer is awaited the joined copy is freed; what it was joined from
 * is kept, as pointers, to join it again should the connection turn out to have died.
 */
#ifndef RL_LUA_CHAT_BODY_H
#define RL_LUA_CHAT_BODY_H

#include "http.h"
#include "lua_opt.h"
#include "transcript.h"

#include <lua.h>

enum { RL_CHAT_BODY_TEXTS = 5 }; /* uservalues that keep the strings */

struct rl_chat_body {
    struct rl_text head, opening, tail, key; /* Lua's; see rl_chat_body_anchor */
    struct rl_transcript messages;           /* as they were when the request was made */
};

/* Keeps the strings of the options table at <index> in the first uservalues of the userdata on top
 * of the stack, which holds the body. */
void rl_chat_body_anchor(lua_State *L, int index);

/* Takes a copy of the list of messages (not of the messages). Returns 0 or RL_ENOMEM. */
int rl_chat_body_take(struct rl_chat_body *body, const struct rl_transcript *messages);

void rl_chat_body_free(struct rl_chat_body *body);

/* The joined bytes, malloc'd, and their number; NULL without memory or beyond 1 GiB. */
char *rl_chat_body_join(const struct rl_chat_body *body, size_t *len);

#endif
