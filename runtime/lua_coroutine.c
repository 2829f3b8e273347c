/* lua_coroutine.c -- beside the walk: makes deadlines reach coroutines of the script's own.
 *
 * A task's deadline stops the code that runs; when that is a coroutine inside the task, the engine
 * has to know it. So coroutine.resume, wrap and close say who runs and hand over to Lua's own
 * functions, which are called as plain C in the same frame: a switch costs next to nothing.
 * Nothing is anchored: whoever runs stands on the stack of the function that resumed it.
 * Source: Lua 5.4 reference manual, section 6.2.
 */
#include "lua_core.h"

#include <lualib.h>

/* Lua's own functions; upvalue 2 of ours. */
struct originals {
    struct rl_engine *engine;
    lua_CFunction resume, close;
};

enum {
    THREAD = 1, /* upvalue of a wrapped coroutine */
    ORIGINALS = 2
};


static const struct originals *originals_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(ORIGINALS));
}


/* Calls <original>, which lets the coroutine at index 1 run with the arguments above it. */
static int run_inside(lua_State *L, lua_CFunction original)
{
    struct rl_engine *engine = originals_of(L)->engine;
    lua_State *inner = lua_tothread(L, 1);
    /* with room for the arguments nothing can be raised before control is back */
    if (inner == NULL || !lua_checkstack(inner, lua_gettop(L)))
        return original(L);
    rl_task_switch(engine, inner);
    int count = original(L);
    rl_task_switch(engine, L); /* the task's first deadline may have been set inside */
    return count;
}


/* see coroutine.resume in the reference manual */
static int l_resume(lua_State *L)
{
    return run_inside(L, originals_of(L)->resume);
}


/* see coroutine.close; what is to be closed in the coroutine runs in it */
static int l_close(lua_State *L)
{
    lua_State *inner = lua_tothread(L, 1);
    lua_Debug frame;
    bool runs = inner == L ||
                (inner != NULL && lua_status(inner) == LUA_OK && lua_getstack(inner, 0, &frame));
    const struct originals *own = originals_of(L);
    return runs ? own->close(L) : run_inside(L, own->close); /* the former raises */
}


/* The error that ended a wrapped coroutine, on top of the stack, is raised in its caller, with the
 * caller's position. */
static int raise_inner(lua_State *L)
{
    lua_State *inner = lua_tothread(L, lua_upvalueindex(THREAD));
    if (lua_status(inner) != LUA_OK && lua_status(inner) != LUA_YIELD) {
        int error = lua_gettop(L);
        if (run_inside(L, originals_of(L)->close) == 1)
            lua_settop(L, error); /* what it had to close raised nothing of its own */
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}


/* By way of resume: Lua's own function would raise past us, and whoever runs would stay unknown. */
static int l_wrapped(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(THREAD));
    lua_insert(L, 1);
    int count = run_inside(L, originals_of(L)->resume);
    if (lua_toboolean(L, -count))
        return count - 1;
    return raise_inner(L);
}


/* see coroutine.wrap in the reference manual */
static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *inner = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, inner, 1);
    lua_pushvalue(L, lua_upvalueindex(ORIGINALS));
    lua_pushcclosure(L, l_wrapped, ORIGINALS);
    return 1;
}


/* Reads Lua's own functions from the table at <coroutine>; false when a host put others there. */
static bool find_originals(lua_State *L, int coroutine, struct originals *found)
{
    int top = lua_gettop(L);
    lua_getfield(L, coroutine, "resume");
    lua_getfield(L, coroutine, "close");
    lua_getfield(L, coroutine, "wrap");
    found->resume = lua_tocfunction(L, -3);
    found->close = lua_tocfunction(L, -2);
    bool is_whole = lua_tocfunction(L, -1) != NULL;
    lua_settop(L, top);
    return is_whole && found->resume != NULL && found->close != NULL;
}


/* Puts ours in place of Lua's own. The module gets nothing. */
int rl_open_coroutine(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"resume", l_resume}, {"close", l_close}, {"wrap", l_wrap}, {NULL, NULL}};
    int top = lua_gettop(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_COLIBNAME) == LUA_TTABLE) {
        lua_pushlightuserdata(L, rl_core_engine(L));
        struct originals *own = lua_newuserdatauv(L, sizeof(*own), 0);
        *own = (struct originals){.engine = rl_core_engine(L)};
        if (find_originals(L, top + 2, own))
            luaL_setfuncs(L, functions, ORIGINALS);
    }
    lua_settop(L, top);
    return 0;
}
