/* lua_canned.c -- beside the walk: a scripted model's response, out of Lua. See lua_canned.h. */
#include "lua_canned.h"

#include "lua_http_options.h"

#include <lauxlib.h>

static const size_t *read_cuts(lua_State *L, size_t *count)
{
    luaL_checktype(L, -1, LUA_TTABLE);
    *count = (size_t)lua_rawlen(L, -1);
    size_t *cuts = lua_newuserdatauv(L, (*count + 1) * sizeof(*cuts), 0);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        lua_Integer cut = luaL_checkinteger(L, -1);
        cuts[i] = cut > 0 ? (size_t)cut : 0;
        lua_pop(L, 1);
    }
    return cuts;
}


void rl_lua_read_canned(lua_State *L, struct rl_canned_response *response)
{
    luaL_checktype(L, -1, LUA_TTABLE);
    luaL_checkstack(L, 8, "a scripted response");
    int table = lua_gettop(L);
    lua_getfield(L, table, "status");
    response->status = (int)luaL_optinteger(L, -1, 200);
    lua_getfield(L, table, "body");
    response->body = luaL_optlstring(L, -1, "", &response->body_len);
    if (lua_getfield(L, table, "headers") != LUA_TNIL)
        response->headers = rl_lua_header_lines(L, -1, &response->header_count);
    if (lua_getfield(L, table, "cuts") != LUA_TNIL)
        response->cuts = read_cuts(L, &response->cut_count);
}
