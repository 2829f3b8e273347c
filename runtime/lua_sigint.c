/* lua_sigint.c -- beside the walk: Ctrl-C for the program. See lua/rille/cli/interrupt.lua.
 *
 * Only the program asks for it: the library installs no handler. One signal is waited for, with a
 * handler that the system itself takes away: the next one ends the process, also while Lua code
 * spins and the loop does not turn.
 * Source: https://docs.libuv.org/en/v1.x/signal.html
 */
#include "engine.h"
#include "lua_core.h"

#include <signal.h>
#include <stdlib.h>

static const char SIGINT_CLASS[] = "rille.Sigint";

/* The callback is registry[<this>]. */
struct sigint {
    uv_signal_t handle;
    lua_State *main;
};


static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static void on_signal(uv_signal_t *handle, int number)
{
    struct sigint *sigint = handle->data;
    (void)number;
    lua_rawgetp(sigint->main, LUA_REGISTRYINDEX, sigint);
    rl_call_back(sigint->main, 0, 0, 0);
}


/* handle:close(): the signal has its default again */
static int l_close(lua_State *L)
{
    struct sigint **box = luaL_checkudata(L, 1, SIGINT_CLASS);
    struct sigint *sigint = *box;
    struct rl_engine *engine = rl_engine_of(L);
    *box = NULL;
    if (sigint == NULL)
        return 0;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, sigint);
    if (engine->closed && engine->owns_loop) /* which has closed the handle */
        free(sigint);
    else
        uv_close((uv_handle_t *)&sigint->handle, on_closed);
    return 0;
}


/* handle = core.on_sigint(callback) */
static int l_on_sigint(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct sigint **box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = NULL;
    luaL_setmetatable(L, SIGINT_CLASS);
    struct sigint *sigint = malloc(sizeof(*sigint));
    if (sigint == NULL)
        return luaL_error(L, "not enough memory");
    uv_signal_init(rl_engine_of(L)->loop, &sigint->handle);
    sigint->handle.data = sigint;
    *box = sigint;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    sigint->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, sigint);
    int status = uv_signal_start_oneshot(&sigint->handle, on_signal, SIGINT);
    if (status < 0)
        return luaL_error(L, "cannot wait for Ctrl-C: %s", uv_strerror(status));
    uv_unref((uv_handle_t *)&sigint->handle);
    return 1;
}


int rl_open_sigint(lua_State *L)
{
    static const luaL_Reg functions[] = {{"on_sigint", l_on_sigint}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"close", l_close}, {"__gc", l_close}, {NULL, NULL}};
    rl_core_class(L, SIGINT_CLASS, methods);
    rl_core_functions(L, functions);
    return 0;
}
