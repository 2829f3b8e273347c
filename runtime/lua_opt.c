/* lua_opt.c -- beside the walk: reads an options table into a C struct. See lua_opt.h. */
#include "lua_opt.h"

#include "lua_core.h"

#include <stdint.h>
#include <string.h>


static int wrong_type(lua_State *L, const struct rl_opt *option, const char *expected)
{
    return luaL_error(L, "option '%s': %s expected, got %s", option->name, expected,
                      luaL_typename(L, -1));
}


static void read_text(lua_State *L, const struct rl_opt *option, struct rl_text *text)
{
    *text = (struct rl_text){NULL, 0};
    if (lua_isnil(L, -1))
        return;
    if (lua_type(L, -1) != LUA_TSTRING)
        wrong_type(L, option, "string");
    text->data = lua_tolstring(L, -1, &text->len);
}


static void read_integer(lua_State *L, const struct rl_opt *option, int64_t *value)
{
    *value = -1;
    if (lua_isnil(L, -1))
        return;
    int exact = 0;
    *value = lua_tointegerx(L, -1, &exact);
    if (!exact || *value < 0)
        wrong_type(L, option, "an integer, 0 or more,");
}


static void read_seconds(lua_State *L, const struct rl_opt *option, int64_t *value)
{
    if (!lua_isnoneornil(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
        wrong_type(L, option, "number of seconds");
    *value = rl_opt_ms(L, lua_gettop(L));
}


/* The value of <option> is on top of the stack. */
static void read_option(lua_State *L, const struct rl_opt *option, char *out)
{
    void *member = out + option->offset;
    if ((option->flags & RL_OPT_REQUIRED) && lua_isnil(L, -1))
        luaL_error(L, "option '%s' is missing", option->name);
    switch (option->type) {
    case RL_OPT_STRING: read_text(L, option, member); break;
    case RL_OPT_INTEGER: read_integer(L, option, member); break;
    case RL_OPT_SECONDS: read_seconds(L, option, member); break;
    case RL_OPT_BOOLEAN: *(bool *)member = lua_toboolean(L, -1); break;
    case RL_OPT_VALUE: *(int *)member = !lua_isnil(L, -1); break;
    }
}


static bool is_known(const struct rl_opt *options, const char *name)
{
    for (; options->name != NULL; options++)
        if (strcmp(options->name, name) == 0)
            return true;
    return false;
}


void rl_opt_read(lua_State *L, int index, const struct rl_opt *options, void *out)
{
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING || !is_known(options, lua_tostring(L, -1)))
            luaL_error(L, "unknown option '%s'", luaL_tolstring(L, -1, NULL));
    }
    for (; options->name != NULL; options++) {
        lua_getfield(L, index, options->name);
        read_option(L, options, out);
        lua_pop(L, 1); /* the table keeps its strings alive */
    }
}
