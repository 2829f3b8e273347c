/* lua_canned.h -- beside the walk: a scripted model's response, out of Lua. */
#ifndef RL_LUA_CANNED_H
#define RL_LUA_CANNED_H

#include "canned.h"

#include <lua.h>

/* Reads the response {status, body, headers, cuts} on top of the stack; leaves what keeps it alive
 * above it. Raises for what is none. */
void rl_lua_read_canned(lua_State *L, struct rl_canned_response *response);

#endif
