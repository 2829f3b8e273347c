/* lua_embed.c -- beside the walk: a host's C code and lua/rille/embed.lua. See lua_embed.h. */
#include "lua_embed.h"

#include "lua_core.h"

#include <stdlib.h>
#include <string.h>


/* ------------------------------------------------------------------ calls of C tools */

static void give_up(struct rille_call *call)
{
    if (--call->owners > 0)
        return;
    free(call->content);
    free(call);
}


bool rl_embed_answer(struct rille_call *call, const char *content, bool failed)
{
    size_t len = strlen(content);
    call->content = malloc(len + 1);
    if (call->content != NULL)
        memcpy(call->content, content, len + 1);
    bool copied = call->content != NULL;
    call->failed = failed || !copied;
    call->answered = true;
    if (!call->dropped)
        rl_op_complete(&call->op);
    give_up(call);
    return copied;
}


static int l_call_gc(lua_State *L)
{
    struct rille_call **box = lua_touserdata(L, 1);
    if (*box == NULL)
        return 0;
    (*box)->dropped = true;
    give_up(*box);
    *box = NULL;
    return 0;
}


static int k_host_call(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct rille_call *call = (struct rille_call *)ctx;
    const char *content =
        call->content != NULL ? call->content : "not enough memory for the answer";
    if (rl_wake_reason(L) != RL_WAKE_DONE) {
        call->failed = true;
        content = "the host's event loop has nothing left that could answer";
    }
    if (call->failed)
        return rl_push_failure(L, "internal", content);
    lua_pushstring(L, content);
    return 1;
}


/* content | nil, failure = core.host_call(tool, arguments) */
static int l_host_call(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
    struct rl_embed_tool *tool = lua_touserdata(L, 1);
    const char *arguments = luaL_checkstring(L, 2);
    struct rille_call **box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = NULL;
    luaL_setmetatable(L, "rille.HostCall");
    struct rille_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return luaL_error(L, "not enough memory");
    call->owners = 2;
    *box = call;
    tool->run(call, arguments, tool->user);
    return rl_park(L, &call->op, -1, (lua_KContext)call, k_host_call);
}


/* core.host_event(run, event [, ended, text]): hands an event out; after the last one, the run's
 * end */
static int l_host_event(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
    struct rl_embed_run *run = lua_touserdata(L, 1);
    const char *event = luaL_checkstring(L, 2);
    if (lua_toboolean(L, 3))
        run->on_end(run,
                    luaL_optstring(L, 4, NULL)); /* first: the host may ask inside its callback */
    run->on_event(run, event);
    return 0;
}


/* ------------------------------------------------------------------ starting Lua from C */

/* The task whose userdata is on top has ended: replaces it by its one result, or raises. */
static void take_result(lua_State *L, struct rl_task *task)
{
    int index = lua_gettop(L);
    int count = rl_task_results(L, index);
    if (rl_task_state(task) != RL_TASK_DONE) {
        lua_pop(L, 1); /* the traceback */
        lua_error(L);
    }
    if (count == 0)
        lua_pushnil(L);
    lua_settop(L, index + 1);
    lua_remove(L, index);
}


/* The function and its arguments on top of the stack, as a task -> one result. */
static void run_now(lua_State *L, struct rl_engine *engine, int nargs)
{
    struct rl_task *task = rl_task_spawn(L, engine, nargs);
    rl_task_start(L, task);
    if (rl_task_state(task) >= RL_TASK_DONE) {
        take_result(L, task);
    } else {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}


/* registry[name] = what the compiled-in module returned; pushes it */
static void push_module(lua_State *L, struct rl_engine *engine, const char *name)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, name) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushstring(L, name);
    run_now(L, engine, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
}


void rl_embed(lua_State *L, struct rl_engine *engine, const char *name, int nargs)
{
    luaL_checkstack(L, nargs + 8, "a call of the host");
    push_module(L, engine, "rille.embed");
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    lua_insert(L, -nargs - 1);
    run_now(L, engine, nargs);
}


int rl_embed_main(lua_State *L, struct rl_engine *engine, const char *name)
{
    push_module(L, engine, name);
    lua_getfield(L, -1, "main");
    lua_remove(L, -2);
    lua_insert(L, -2);
    struct rl_task *task = rl_task_spawn(L, engine, 1);
    bool alive = true;
    while (rl_task_state(task) < RL_TASK_DONE && alive)
        alive = rl_engine_turn(L, engine, true);
    if (rl_task_state(task) < RL_TASK_DONE)
        luaL_error(L, "deadlock: the script waits for something that can never happen");
    take_result(L, task);
    int status = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return status;
}


/* ------------------------------------------------------------------ registration */

static const luaL_Reg functions[] = {
    {"host_call", l_host_call},
    {"host_event", l_host_event},
    {NULL, NULL},
};

static const luaL_Reg call_methods[] = {{"__gc", l_call_gc}, {NULL, NULL}};


int rl_open_embed(lua_State *L)
{
    rl_core_class(L, "rille.HostCall", call_methods);
    rl_core_functions(L, functions);
    return 0;
}
