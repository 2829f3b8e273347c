/* lua_plain.c -- beside the walk: is this a message of the ordinary shape? See lua_plain.h. */
#include "lua_plain.h"

#include "json.h"
#include "lua_json.h"
#include "span.h"

#include <lauxlib.h>
#include <string.h>

/* Members, as bits; OTHER is any that has no business in a plain message. */
enum { ROLE = 1, CONTENT = 2, CALL_ID = 4, CALLS = 8, OTHER = 16 };
static const char *const message_members[] = {"role", "content", "tool_call_id", "tool_calls",
                                              NULL};

enum { ID = 1, TYPE = 2, FUNCTION = 4 };
static const char *const call_members[] = {"id", "type", "function", NULL};

enum { NAME = 1, ARGUMENTS = 2 };
static const char *const function_members[] = {"name", "arguments", NULL};


static unsigned bit_of(const char *const *names, const char *name)
{
    for (unsigned i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return 1u << i;
    return OTHER;
}


/* What the table at <index> holds; OTHER for no table, and for one that a metatable marks. */
static unsigned members(lua_State *L, int index, const char *const *names)
{
    unsigned found = 0;
    if (!lua_istable(L, index) || lua_getmetatable(L, index) != 0)
        return OTHER; /* what is left on the stack goes with the rest of it */
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1))
        found |= lua_type(L, -2) == LUA_TSTRING ? bit_of(names, lua_tostring(L, -2)) : OTHER;
    return found;
}


/* Pushes table[name], which is there; its text, NULL for none. */
static const char *push_text(lua_State *L, int table, const char *name, size_t *len)
{
    lua_pushstring(L, name);
    return lua_rawget(L, table) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
}


static bool has_text(lua_State *L, int table, const char *name, size_t max_bytes)
{
    size_t len = 0;
    return push_text(L, table, name, &len) != NULL && len <= max_bytes;
}


static bool is_object(const char *text, size_t len)
{
    struct rl_span span = rl_span_trim(text, len);
    return span.len > 0 && span.at[0] == '{' && rl_json_is_complete(text, len);
}


static bool is_plain_function(lua_State *L, int index)
{
    size_t len = 0;
    if (members(L, index, function_members) != (NAME | ARGUMENTS) ||
        !has_text(L, index, "name", SIZE_MAX))
        return false;
    const char *arguments = push_text(L, index, "arguments", &len);
    return arguments != NULL && is_object(arguments, len);
}


static bool is_plain_call(lua_State *L, int index)
{
    size_t len = 0;
    if (members(L, index, call_members) != (ID | TYPE | FUNCTION) ||
        !has_text(L, index, "id", RL_PLAIN_ID))
        return false;
    const char *type = push_text(L, index, "type", &len);
    if (type == NULL || strcmp(type, "function") != 0 || len != strlen("function"))
        return false;
    lua_getfield(L, index, "function"); /* no metatable: raw */
    return is_plain_function(L, lua_gettop(L));
}


/* Is the table on top of the stack marked as an array, or not at all? */
static bool may_be_list(lua_State *L)
{
    if (lua_getmetatable(L, -1) == 0)
        return true;
    rl_lua_push_array_metatable(L);
    bool is_array = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_array;
}


/* A list that is not empty, of plain calls, without holes. */
static bool has_plain_calls(lua_State *L, int message)
{
    size_t count = 0;
    lua_getfield(L, message, "tool_calls");
    int calls = lua_gettop(L);
    if (!lua_istable(L, calls) || !may_be_list(L))
        return false;
    for (lua_pushnil(L); lua_next(L, calls) != 0; count++) {
        if (!is_plain_call(L, calls + 2))
            return false;
        lua_settop(L, calls + 1); /* the key */
    }
    return count > 0 && count == lua_rawlen(L, calls);
}


static bool is_plain_assistant(lua_State *L, int index, unsigned found)
{
    if ((found & ~(unsigned)CALLS) != (ROLE | CONTENT))
        return false;
    lua_getfield(L, index, "content");
    bool has_content = lua_type(L, -1) == LUA_TSTRING;
    if (!has_content && (lua_touserdata(L, -1) != NULL || !lua_islightuserdata(L, -1)))
        return false; /* neither a text nor null */
    return found & CALLS ? has_plain_calls(L, index) : has_content;
}


static bool is_plain(lua_State *L, int index)
{
    size_t len = 0;
    unsigned found = members(L, index, message_members);
    if (!(found & ROLE) || (found & OTHER))
        return false;
    const char *role = push_text(L, index, "role", &len);
    if (role == NULL || strlen(role) != len)
        return false;
    if (strcmp(role, "assistant") == 0)
        return is_plain_assistant(L, index, found);
    if (strcmp(role, "tool") == 0)
        return found == (ROLE | CONTENT | CALL_ID) && has_text(L, index, "content", SIZE_MAX) &&
               has_text(L, index, "tool_call_id", RL_PLAIN_ID);
    if (strcmp(role, "user") != 0 && strcmp(role, "system") != 0)
        return false;
    return found == (ROLE | CONTENT) && has_text(L, index, "content", SIZE_MAX);
}


bool rl_lua_is_plain(lua_State *L, int index)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 16, "a message");
    bool plain = is_plain(L, lua_absindex(L, index));
    lua_settop(L, top);
    return plain;
}
