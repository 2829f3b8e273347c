/* lua_same.c -- beside the walk: core.snapshot and core.same: a copy of data, and does it still say
 * the same? And the same question to the environment.
 *
 * For what is kept as long as the options that it was made of stay as they were: tables of scripts,
 * which anybody may change in place, are compared with a copy. No metamethod is called.
 */
#include "lua_core.h"
#include "lua_json.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LEVELS = 128 }; /* what JSON allows; deeper tables are never the same */

static bool is_same(lua_State *L, int a, int b, int level);


/* Have both the same metatable, or none? */
static bool same_metatable(lua_State *L, int a, int b)
{
    int has_a = lua_getmetatable(L, a);
    int has_b = lua_getmetatable(L, b);
    bool same = has_a == has_b && (has_a == 0 || lua_rawequal(L, -1, -2));
    lua_pop(L, has_a + has_b);
    return same;
}


/* Does b hold all that a holds? <count> gets the number of a's members. */
static bool holds(lua_State *L, int a, int b, int level, size_t *count)
{
    lua_pushnil(L);
    for (*count = 0; lua_next(L, a) != 0; ++*count) {
        lua_pushvalue(L, -2);
        lua_rawget(L, b);
        int top = lua_gettop(L);
        if (!is_same(L, top - 1, top, level)) {
            lua_settop(L, top - 3);
            return false;
        }
        lua_pop(L, 2);
    }
    return true;
}


static size_t count_members(lua_State *L, int table)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        count++;
    return count;
}


static bool same_tables(lua_State *L, int a, int b, int level)
{
    size_t count;
    if (level == MOST_LEVELS || !same_metatable(L, a, b))
        return false;
    luaL_checkstack(L, 6, "tables to compare");
    return holds(L, a, b, level + 1, &count) && count_members(L, b) == count;
}


/* 1 and 1.0 are equal, and not the same: JSON, at least, may tell them apart. */
static bool is_same(lua_State *L, int a, int b, int level)
{
    if (lua_rawequal(L, a, b))
        return lua_isinteger(L, a) == lua_isinteger(L, b);
    return lua_istable(L, a) && lua_istable(L, b) && same_tables(L, a, b, level);
}


/* boolean = core.same(a, b) */
static int l_same(lua_State *L)
{
    luaL_checkany(L, 2);
    lua_pushboolean(L, is_same(L, 1, 2, 0));
    return 1;
}


/* boolean = core.same_members(table, names, values): is each of these members the value in its
 * place? No __index is asked. */
static int l_same_members(lua_State *L)
{
    enum { TABLE = 1, NAMES, VALUES };
    for (int i = TABLE; i <= VALUES; i++)
        luaL_checktype(L, i, LUA_TTABLE);
    lua_settop(L, VALUES);
    bool same = true;
    lua_Integer count = (lua_Integer)lua_rawlen(L, NAMES);
    for (lua_Integer i = 1; same && i <= count; i++) {
        lua_rawgeti(L, NAMES, i);
        int is = lua_rawget(L, TABLE);
        int was = lua_rawgeti(L, VALUES, i);
        same = is == was && (is == LUA_TNIL || is_same(L, VALUES + 1, VALUES + 2, 0));
        lua_settop(L, VALUES);
    }
    lua_pushboolean(L, same);
    return 1;
}


/* ------------------------------------------------------------------ copies */

enum kind { DATA, CONSTANT, OBJECT };

/* Pushes the metatable of the table at <index>, or nil. What is the table? */
static enum kind push_metatable(lua_State *L, int index)
{
    if (lua_getmetatable(L, index) == 0) {
        lua_pushnil(L);
        return DATA;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_TYPE]);
    const char *type = lua_rawget(L, -2) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    enum kind kind = strcmp(type, "absent") == 0 ? CONSTANT : OBJECT;
    if (strcmp(type, "array") == 0 || strcmp(type, "object") == 0)
        kind = DATA;
    lua_pop(L, 1);
    return kind;
}


/* Pushes a copy of the value at <index>; false, with nothing pushed, for what holds an object. */
static bool push_copy(lua_State *L, int index, int level)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 8, "tables to copy");
    enum kind kind = lua_istable(L, index) ? push_metatable(L, index) : CONSTANT;
    if (kind == CONSTANT) {
        lua_settop(L, top);
        lua_pushvalue(L, index);
        return true;
    }
    if (kind == OBJECT || level == MOST_LEVELS) {
        lua_settop(L, top);
        return false;
    }
    lua_createtable(L, (int)lua_rawlen(L, index), 0);
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
        int value = lua_gettop(L);
        lua_pushvalue(L, value - 1);
        if (!push_copy(L, value, level + 1)) {
            lua_settop(L, top);
            return false;
        }
        lua_rawset(L, top + 2); /* copy[key] = the member's */
        lua_pop(L, 1);
    }
    lua_insert(L, top + 1);
    lua_setmetatable(L, top + 1);
    return true;
}


/* copy | nil = core.snapshot(value) */
static int l_snapshot(lua_State *L)
{
    luaL_checkany(L, 1);
    if (!push_copy(L, 1, 0))
        lua_pushnil(L);
    return 1;
}


/* ------------------------------------------------------------------ the environment */

/* boolean = core.environment_says(noted) */
static int l_environment_says(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    bool same = true;
    for (lua_pushnil(L); same && lua_next(L, 1) != 0; lua_settop(L, 2)) {
        if (lua_type(L, 2) != LUA_TSTRING)
            return luaL_error(L, "names of variables expected");
        const char *noted = lua_type(L, 3) == LUA_TSTRING ? lua_tostring(L, 3) : "";
        const char *now = getenv(lua_tostring(L, 2));
        same = strcmp(now != NULL ? now : "", noted) == 0;
    }
    lua_pushboolean(L, same);
    return 1;
}


static const luaL_Reg functions[] = {
    {"same", l_same},
    {"same_members", l_same_members},
    {"snapshot", l_snapshot},
    {"environment_says", l_environment_says},
    {NULL, NULL},
};


int rl_open_same(lua_State *L)
{
    rl_core_functions(L, functions);
    return 0;
}
