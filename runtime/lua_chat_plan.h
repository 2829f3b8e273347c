/* lua_chat_plan.h -- walk 3: what many chat requests have in common, read from Lua once.
 *
 * A plan is where a request goes, its header lines, its limits, and its body around the messages.
 * It is never changed: requests under way share it, and it lives as long as the last of them.
 */
#ifndef RL_LUA_CHAT_PLAN_H
#define RL_LUA_CHAT_PLAN_H

#include "form.h"
#include "http.h"
#include "lua_opt.h"

#include <lua.h>
#include <stdbool.h>

struct rl_chat_plan {
    const char *class;           /* rl_core_check */
    struct rl_http_request http; /* its texts are Lua's, and kept by the plan */
    struct rl_text head, tail;   /* of the body: head [opening, messages] tail */
    struct rl_text key;          /* of the messages' wire forms; without data: their own texts */
    bool plain_serves;           /* plain messages need no form */
    bool has_rules;              /* messages that need one get it by */
    struct rl_form_rules rules;  /* these, as far as they go */
    int n;                       /* choices asked for */
    bool is_cumulative;          /* message.h */
};

/* Pushes the plan that the options table at <index> describes. Raises for what is wrong in it. */
struct rl_chat_plan *rl_push_chat_plan(lua_State *L, int index);

/* The plan at <index>; raises when there is none. */
struct rl_chat_plan *rl_check_chat_plan(lua_State *L, int index);

#endif
