/* lua_usage.c -- beside the walk: what requests cost, added up. See lua/rille/agent/usage.lua.
 *
 * It is done for every request and every run around it, over a dozen members: in C a few thousand
 * instructions instead of twenty thousand.
 */
#include "lua_core.h"

#define MOST 9007199254740992.0 /* 2^53: beyond it numbers are not exact */

enum {
    DEEPEST = 100, /* tables in tables; what is beneath is no usage */
    DETAILS = 2    /* members that such a table mostly has */
};


static bool is_count(lua_State *L, int index)
{
    lua_Number value = lua_tonumber(L, index);
    return value >= 0 && value < MOST;
}


/* sum[key] = value, and what was there; <key>, value on top of the stack: the value goes. */
static void add_number(lua_State *L, int sum)
{
    lua_pushvalue(L, -2);
    bool has = lua_rawget(L, sum) == LUA_TNUMBER;
    if (has && lua_isinteger(L, -2) && lua_tointeger(L, -2) == 0) {
        lua_pop(L, 2); /* as most details are */
        return;
    }
    if (has)
        lua_arith(L, LUA_OPADD);
    else
        lua_pop(L, 1);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, sum);
}


/* Pushes sum[key], a new table where there is nothing; false when it is something else. */
static bool push_sum(lua_State *L, int sum)
{
    lua_pushvalue(L, -2);
    int type = lua_rawget(L, sum);
    if (type != LUA_TNIL)
        return type == LUA_TTABLE;
    lua_pop(L, 1);
    lua_createtable(L, 0, DETAILS);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -2);
    lua_rawset(L, sum);
    return true;
}


static void add(lua_State *L, int sum, int used, int depth)
{
    luaL_checkstack(L, 8, "usage");
    lua_pushnil(L);
    while (lua_next(L, used) != 0) {
        int type = lua_type(L, -1);
        if (type == LUA_TNUMBER && is_count(L, -1)) {
            add_number(L, sum);
            continue;
        }
        if (type == LUA_TTABLE && depth < DEEPEST) {
            if (push_sum(L, sum))
                add(L, lua_gettop(L), lua_gettop(L) - 1, depth + 1);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}


/* core.add_counts(sum, used): what is no table says nothing */
static int l_add_counts(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_istable(L, 2))
        add(L, 1, 2, 1);
    return 0;
}


int rl_open_usage(lua_State *L)
{
    static const luaL_Reg functions[] = {{"add_counts", l_add_counts}, {NULL, NULL}};
    rl_core_functions(L, functions);
    return 0;
}
