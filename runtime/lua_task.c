/* lua_task.c -- beside the walk: tasks, sleeping and operations for Lua.
 *
 * The shape of every await: a function that Lua calls (l_…) starts something and parks; the
 * continuation (k_…) makes the Lua values. See task.h.
 */
#include "lua_core.h"

#include <math.h>

static const char *const state_names[] = {"ready", "running", "waiting",
                                          "done",  "failed",  "cancelled"};


int64_t rl_opt_ms(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return -1;
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0, index, "seconds, 0 or more, expected");
    if (seconds > 1e9) /* 30 years, and math.huge: no limit that anybody will see */
        return -1;
    return (int64_t)ceil(seconds * 1000);
}


static void check_callable(lua_State *L, int index)
{
    if (lua_isfunction(L, index))
        return;
    luaL_argcheck(L, luaL_getmetafield(L, index, "__call") != LUA_TNIL, index,
                  "a function expected");
    lua_pop(L, 1);
}


/* task = core.spawn(fn, ...) */
static int l_spawn(lua_State *L)
{
    check_callable(L, 1);
    rl_task_spawn(L, rl_engine_of(L), lua_gettop(L) - 1);
    return 1;
}


/* uv_hrtime in as many seconds as stand at <index>; 0: never */
static uint64_t deadline_at(lua_State *L, int index)
{
    int64_t ms = rl_opt_ms(L, index);
    return ms < 0 ? 0 : uv_hrtime() + (uint64_t)ms * 1000000u;
}


/* task = core.spawn_for(errand, seconds, failure, fn, ...) */
static int l_spawn_for(lua_State *L)
{
    enum { ERRAND = 1, SECONDS, FAILURE, FN };
    uint64_t deadline_ns = deadline_at(L, SECONDS);
    luaL_checktype(L, FAILURE, LUA_TTABLE);
    check_callable(L, FN);
    struct rl_task *task = rl_task_spawn(L, rl_engine_of(L), lua_gettop(L) - FN);
    rl_task_set_errand(L, task, ERRAND);
    rl_task_set_deadline(L, task, deadline_ns, FAILURE);
    return 1;
}


/* task | nil = core.running() */
static int l_running(lua_State *L)
{
    struct rl_task *task = rl_task_running(L, rl_engine_of(L));
    if (task == NULL)
        lua_pushnil(L);
    else
        rl_task_push(L, task);
    return 1;
}


static int k_sleep(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_pushboolean(L, 1);
    return 1;
}


/* true = core.sleep(seconds) */
static int l_sleep(lua_State *L)
{
    luaL_checknumber(L, 1);
    return rl_park(L, NULL, rl_opt_ms(L, 1), 0, k_sleep);
}


/* seconds = core.now() */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)uv_hrtime() / 1e9);
    return 1;
}


/* nil, failure for a wait that ended without its operation. */
static int push_unfinished(lua_State *L, enum rl_wake reason)
{
    if (reason == RL_WAKE_TIMEOUT)
        return rl_push_failure(L, "timeout", "the time to wait ran out");
    return rl_push_failure(L, "internal", "deadlock: nothing is left that could end this wait");
}


/* The words of a raised value that is no failure, as failure.from of lua/rille/failure.lua finds
 * them: an address would tell nobody anything. Pushes them. */
static const char *push_words(lua_State *L, int value)
{
    if (lua_isnil(L, value))
        return lua_pushliteral(L, "unknown error");
    if (lua_isstring(L, value) || luaL_getmetafield(L, value, "__tostring") != LUA_TNIL)
        return luaL_tolstring(L, value, NULL);
    if (lua_istable(L, value)) {
        lua_pushliteral(L, "message");
        if (lua_rawget(L, value) == LUA_TSTRING)
            return lua_tostring(L, -1);
    }
    return lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, value));
}


static int l_words(lua_State *L)
{
    push_words(L, 1);
    return 1;
}


/* The same of a value that whoever waits has not made: a __tostring that raises is the trouble of
 * the task that ended, not of the one that asks. A failure passes: it may be a cancel. */
static const char *push_words_safely(lua_State *L, int value)
{
    lua_pushcfunction(L, l_words);
    lua_pushvalue(L, value);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK && rl_is_failure(L, lua_gettop(L)))
        lua_error(L);
    const char *words = lua_tostring(L, -1);
    return words != NULL ? words : "an error without words";
}


/* The value that was raised and the traceback above it -> nil, failure. */
static int push_raised(lua_State *L)
{
    int traceback = lua_gettop(L), value = traceback - 1;
    lua_pushnil(L);
    if (rl_is_failure(L, value)) {
        lua_pushvalue(L, value);
        return 2;
    }
    rl_new_failure(L, "internal", push_words_safely(L, value));
    lua_pushvalue(L, traceback);
    lua_setfield(L, -2, "traceback");
    if (lua_istable(L, value)) {
        lua_pushvalue(L, value);
        lua_setfield(L, -2, "detail");
    }
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}


static int k_join(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (rl_wake_reason(L) != RL_WAKE_DONE)
        return push_unfinished(L, rl_wake_reason(L));
    int count = rl_task_results(L, 1);
    if (rl_task_state(rl_task_check(L, 1)) == RL_TASK_DONE)
        return count;
    return push_raised(L);
}


/* ... | nil, failure = task:join([seconds]) */
static int l_join(lua_State *L)
{
    struct rl_task *task = rl_task_check(L, 1);
    struct rl_engine *engine = rl_engine_of(L);
    luaL_argcheck(L, task != rl_task_running(L, engine), 1, "a task cannot wait for itself");
    return rl_park(L, rl_task_end(task), rl_opt_ms(L, 2), 0, k_join);
}


static int k_outcome(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    struct rl_task *task = rl_task_check(L, 1);
    if (rl_wake_reason(L) != RL_WAKE_DONE)
        return push_unfinished(L, rl_wake_reason(L));
    int count = rl_task_results(L, 1);
    if (rl_task_state(task) == RL_TASK_FAILED) {
        push_raised(L);
        lua_pushboolean(L, 0);
        lua_replace(L, -3);
        return 2;
    }
    if (rl_task_state(task) == RL_TASK_CANCELLED) {
        lua_pop(L, 1); /* the traceback */
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_insert(L, -count - 1);
    return count + 1;
}


/* true, ... | false, failure | nil, why = task:outcome() */
static int l_outcome(lua_State *L)
{
    struct rl_task *task = rl_task_check(L, 1);
    luaL_argcheck(L, task != rl_task_running(L, rl_engine_of(L)), 1,
                  "a task cannot wait for itself");
    lua_settop(L, 1);
    rl_task_start_inside(L, task);
    return rl_park(L, rl_task_end(task), -1, 0, k_outcome);
}


/* true, ... | false = task:returned() */
static int l_returned(lua_State *L)
{
    bool has_returned = rl_task_has_returned(rl_task_check(L, 1));
    lua_settop(L, 1);
    lua_pushboolean(L, has_returned);
    return has_returned ? 1 + rl_task_returned(L, 1) : 1;
}


/* task:cancel([reason]) */
static int l_cancel(lua_State *L)
{
    struct rl_task *task = rl_task_check(L, 1);
    if (lua_type(L, 2) == LUA_TTABLE)
        lua_settop(L, 2);
    else
        rl_new_failure(L, "cancelled", luaL_optstring(L, 2, "the task was cancelled"));
    rl_task_cancel(L, task, -1);
    return 0;
}


/* enforced = task:deadline(seconds, failure) */
static int l_deadline(lua_State *L)
{
    struct rl_task *task = rl_task_check(L, 1);
    uint64_t deadline_ns = deadline_at(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_pushboolean(L, rl_task_set_deadline(L, task, deadline_ns, 3));
    return 1;
}


/* name = task:status() */
static int l_status(lua_State *L)
{
    lua_pushstring(L, state_names[rl_task_state(rl_task_check(L, 1))]);
    return 1;
}


/* begun = task:has_begun() */
static int l_has_begun(lua_State *L)
{
    lua_pushboolean(L, rl_task_has_begun(rl_task_check(L, 1)));
    return 1;
}


/* cancelled = task:is_cancelled() */
static int l_is_cancelled(lua_State *L)
{
    lua_pushboolean(L, rl_task_is_cancelled(rl_task_check(L, 1)));
    return 1;
}


/* value | nil = task:errand() */
static int l_errand(lua_State *L)
{
    rl_task_push_errand(L, rl_task_check(L, 1));
    return 1;
}


/* task | nil = task:parent() */
static int l_parent(lua_State *L)
{
    struct rl_task *parent = rl_task_parent(rl_task_check(L, 1));
    if (parent == NULL)
        lua_pushnil(L);
    else
        rl_task_push(L, parent);
    return 1;
}


static int k_childless(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}


/* core.childless(): until all that the calling task has spawned has ended */
static int l_childless(lua_State *L)
{
    struct rl_task *task = rl_task_running(L, rl_engine_of(L));
    if (task == NULL)
        return luaL_error(L, "core.childless: only inside a task");
    return rl_park(L, rl_task_childless(task), -1, 0, k_childless);
}


static int k_run(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}


/* core.run(): until nothing is left to do */
static int l_run(lua_State *L)
{
    struct rl_op never = {0}; /* completed by nobody: the wait ends when the loop is empty */
    if (rl_task_running(L, rl_engine_of(L)) != NULL)
        return luaL_error(L, "core.run: not inside a task");
    return rl_park(L, &never, -1, 0, k_run);
}


/* ------------------------------------------------------------------ operations */

/* op = core.op() */
static int l_op(lua_State *L)
{
    struct rl_op *op = lua_newuserdatauv(L, sizeof(*op), 1);
    *op = (struct rl_op){0};
    luaL_setmetatable(L, "rille.Op");
    return 1;
}


/* op:complete(...)   op.values = {n = count, ...} */
static int l_complete(lua_State *L)
{
    struct rl_op *op = luaL_checkudata(L, 1, "rille.Op");
    if (op->done)
        return 0;
    int count = lua_gettop(L) - 1;
    if (count > 0) {
        lua_createtable(L, count, 1);
        lua_insert(L, 2);
        for (int i = count; i >= 1; i--)
            lua_rawseti(L, 2, i);
        lua_pushinteger(L, count);
        lua_setfield(L, 2, "n");
        lua_setiuservalue(L, 1, 1);
    }
    rl_op_complete(op);
    return 0;
}


/* op:reset(): it can be completed, and waited for, once more */
static int l_reset(lua_State *L)
{
    struct rl_op *op = luaL_checkudata(L, 1, "rille.Op");
    op->done = false;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    return 0;
}


static int k_wait(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (rl_wake_reason(L) != RL_WAKE_DONE)
        return push_unfinished(L, rl_wake_reason(L));
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
        return 0;
    int values = lua_gettop(L);
    lua_getfield(L, values, "n");
    int count = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, count, "values of an operation");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, values, i);
    return count;
}


/* ... | nil, failure = op:wait([seconds]) */
static int l_wait(lua_State *L)
{
    struct rl_op *op = luaL_checkudata(L, 1, "rille.Op");
    return rl_park(L, op, rl_opt_ms(L, 2), 0, k_wait);
}


static const luaL_Reg functions[] = {
    {"spawn", l_spawn},     {"spawn_for", l_spawn_for},
    {"running", l_running}, {"sleep", l_sleep},
    {"now", l_now},         {"run", l_run},
    {"op", l_op},           {"childless", l_childless},
    {NULL, NULL},
};

static const luaL_Reg task_methods[] = {
    {"join", l_join},           {"outcome", l_outcome}, {"returned", l_returned},
    {"has_begun", l_has_begun}, {"cancel", l_cancel},   {"is_cancelled", l_is_cancelled},
    {"deadline", l_deadline},   {"errand", l_errand},   {"parent", l_parent},
    {"status", l_status},       {NULL, NULL},
};

static const luaL_Reg op_methods[] = {
    {"complete", l_complete},
    {"reset", l_reset},
    {"wait", l_wait},
    {NULL, NULL},
};


int rl_open_task(lua_State *L)
{
    rl_core_class(L, "rille.Task", task_methods);
    rl_core_class(L, "rille.Op", op_methods);
    rl_core_functions(L, functions);
    return 0;
}
