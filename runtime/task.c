/* task.c -- walk 9: coroutines that the runtime owns, and the one place that resumes them.
 *
 * A task is a C struct in a Lua userdata's keeping:
 *     registry[engine][task] = userdata                 while the task has not ended
 *     uservalues of the userdata = thread, reason, traceback, what to raise at the deadline
 * The struct outlives the userdata until libuv has closed its timer.
 */
#include "engine.h"
#include "interrupt.h"

#include <lauxlib.h>
#include <stdlib.h>


/* ------------------------------------------------------------------ the end of a task */

static void join_parent(struct rl_task *task, struct rl_task *parent)
{
    task->parent = parent;
    if (parent == NULL)
        return;
    task->next_child = parent->children;
    if (task->next_child != NULL)
        task->next_child->prev_child = task;
    parent->children = task;
}


static void leave_parent(struct rl_task *task)
{
    if (task->prev_child != NULL)
        task->prev_child->next_child = task->next_child;
    else if (task->parent != NULL)
        task->parent->children = task->next_child;
    if (task->next_child != NULL)
        task->next_child->prev_child = task->prev_child;
    if (task->parent != NULL && task->parent->children == NULL)
        rl_op_complete(&task->parent->childless);
    task->parent = task->next_child = task->prev_child = NULL;
}


static void on_task_timer_closed(uv_handle_t *timer)
{
    struct rl_task *task = timer->data;
    task->timer_open = false;
    task->engine->open_timers--;
    if (task->collected)
        free(task);
}


/* Everything that follows a task's last instruction; the Lua side is buried already. */
static void end_task(struct rl_task *task, enum rl_task_state state)
{
    task->state = state;
    task->engine->tasks--;
    for (struct rl_task *child = task->children; child != NULL; child = task->children) {
        leave_parent(child);
        join_parent(child, task->parent);
    }
    leave_parent(task);
    if (task->timer_open && !uv_is_closing((uv_handle_t *)&task->timer))
        uv_close((uv_handle_t *)&task->timer, on_task_timer_closed);
    rl_op_complete(&task->end);
}


/* The end of the Lua side. Stack: task's userdata, whether an error stands on top of the thread. */
static int l_bury(lua_State *L)
{
    lua_getiuservalue(L, 1, RL_THREAD);
    lua_State *thread = lua_tothread(L, -1);
    struct rl_task *task = *(struct rl_task **)lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, task->engine);
    lua_pushnil(L);
    lua_rawsetp(L, -2, task); /* registry[engine][task] = nil */
    if (lua_toboolean(L, 2))
        lua_resetthread(thread); /* keeps the error on top */
    return 0;
}


static void bury(lua_State *L, struct rl_task *task, bool failed, enum rl_task_state state)
{
    lua_pushcfunction(L, l_bury);
    rl_task_push(L, task);
    lua_pushboolean(L, failed);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* no memory; the task ends all the same */
    end_task(task, task->cancelled ? RL_TASK_CANCELLED : state);
}


/* Ends a task that may not run on: its grace is over, or it never began. */
static void close_by_force(lua_State *L, struct rl_task *task)
{
    struct rl_task *before = task->engine->running;
    task->engine->running = NULL; /* an await in a __close handler turns the loop */
    lua_resetthread(task->thread);
    task->engine->running = before;
    bury(L, task, false, RL_TASK_CANCELLED);
}


/* ------------------------------------------------------------------ resuming */

static bool is_over_its_grace(struct rl_task *task, bool begun)
{
    if (!task->cancelled)
        return false;
    return !begun || (!task->cancel_pending && uv_now(task->engine->loop) >= task->grace_end);
}


/* Tells the alarm whose code runs now. What was cancelled knows already: it has its grace. */
static void watch(struct rl_engine *engine, struct rl_task *task)
{
    uint64_t deadline_ns = task != NULL ? task->deadline_ns : 0;
    if (deadline_ns != 0 && task->cancelled)
        deadline_ns = task->grace_end * 1000000u;
    if (engine->interrupt != NULL)
        rl_interrupt_watch(engine->interrupt, task != NULL ? task->thread : NULL, deadline_ns);
}


void rl_task_watch(struct rl_engine *engine)
{
    watch(engine, engine->running);
}


/* A hook in the coroutine that runs: its task is past its deadline. */
static void on_deadline(lua_State *L, void *owner)
{
    struct rl_task *task = ((struct rl_engine *)owner)->running;
    if (task == NULL)
        return;
    rl_task_cancel_late(L, task);
    rl_task_raise(L, task);
}


void rl_task_switch(struct rl_engine *engine, lua_State *to)
{
    if (engine->interrupt != NULL)
        rl_interrupt_switch(engine->interrupt, to);
}


/* What a task starts has no longer to run than the task. */
static void inherit_deadline(lua_State *L, struct rl_task *task)
{
    uint64_t bound_ns = task->parent != NULL ? task->parent->deadline_ns : 0;
    if (bound_ns == 0 || (task->deadline_ns != 0 && task->deadline_ns <= bound_ns))
        return;
    task->deadline_ns = bound_ns;
    rl_task_push(L, task);
    rl_task_push(L, task->parent);
    lua_getiuservalue(L, -1, RL_LATE);
    lua_setiuservalue(L, -3, RL_LATE); /* task.late = parent.late */
    lua_pop(L, 2);
}


bool rl_task_set_deadline(lua_State *L, struct rl_task *task, uint64_t deadline_ns, int reason)
{
    struct rl_engine *engine = task->engine;
    if (task->state >= RL_TASK_DONE)
        return true;
    reason = lua_absindex(L, reason);
    rl_task_push(L, task);
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, -2, RL_LATE);
    lua_pop(L, 1);
    task->deadline_ns = deadline_ns;
    inherit_deadline(L, task);
    if (task->state == RL_TASK_WAITING)
        rl_task_arm(task);
    if (engine->interrupt == NULL && engine->may_interrupt) {
        engine->interrupt = rl_interrupt_open(on_deadline, engine);
        engine->may_interrupt = engine->interrupt != NULL;
    }
    watch(engine, engine->running);
    return engine->interrupt != NULL;
}


void rl_task_resume(lua_State *L, struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    bool begun = lua_status(task->thread) == LUA_YIELD;
    if (is_over_its_grace(task, begun)) {
        close_by_force(L, task);
        return;
    }
    struct rl_task *before = engine->running;
    int results = 0;
    engine->running = task;
    task->state = RL_TASK_RUNNING;
    int arguments = begun ? 0 : lua_gettop(task->thread) - 1;
    watch(engine, task);
    int status = lua_resume(task->thread, L, arguments, &results);
    watch(engine, before);
    engine->running = before;
    if (status != LUA_YIELD) {
        bury(L, task, status != LUA_OK, status == LUA_OK ? RL_TASK_DONE : RL_TASK_FAILED);
    } else if (task->state != RL_TASK_WAITING) { /* a bare coroutine.yield: let the others run */
        lua_pop(task->thread, results);
        rl_engine_queue(task);
    }
}


void rl_task_start(lua_State *L, struct rl_task *task)
{
    rl_engine_unqueue(task);
    rl_task_resume(L, task);
}


/* ------------------------------------------------------------------ what a task's coroutine runs
 */

/* A message handler: task.traceback = where it failed; failures say enough themselves. */
static int l_keep_traceback(lua_State *L)
{
    struct rl_task *task = rl_task_running(L, rl_engine_of(L));
    if (task == NULL || lua_type(L, 1) == LUA_TTABLE)
        return 1;
    rl_task_push(L, task);
    luaL_traceback(L, L, NULL, 1);
    lua_setiuservalue(L, -2, RL_TRACEBACK);
    lua_settop(L, 1);
    return 1;
}


static int k_body(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L) - 1;
}


/* fn, ... -> what fn returns. Protected here, so that what is to be closed after an error may wait,
 * too. */
static int l_body(lua_State *L)
{
    int nargs = lua_gettop(L) - 1;
    lua_pushlightuserdata(L, rl_engine_of(L));
    lua_pushcclosure(L, l_keep_traceback, 1);
    lua_insert(L, 1);
    return k_body(L, lua_pcallk(L, nargs, LUA_MULTRET, 1, 0, k_body), 0);
}


/* ------------------------------------------------------------------ tasks as Lua sees them */

struct rl_task *rl_task_spawn(lua_State *L, struct rl_engine *engine, int nargs)
{
    struct rl_task **box = lua_newuserdatauv(L, sizeof(*box), RL_USERVALUES);
    *box = NULL;
    luaL_setmetatable(L, "rille.Task");
    lua_State *thread = lua_newthread(L);
    lua_setiuservalue(L, -2, RL_THREAD);
    struct rl_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        luaL_error(L, "not enough memory");
    *box = task;
    task->engine = engine;
    task->thread = thread;
    task->state = RL_TASK_DONE; /* nothing to end should the next lines raise */
    luaL_checkstack(thread, nargs + 2, "arguments of a task");
    lua_pushlightuserdata(thread, engine);
    lua_pushcclosure(thread, l_body, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, engine);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, task); /* registry[engine][task] = userdata */
    lua_pop(L, 1);
    lua_insert(L, -nargs - 2);
    lua_xmove(L, thread, nargs + 1);

    join_parent(task, engine->running);
    inherit_deadline(L, task);
    engine->tasks++;
    rl_engine_queue(task);
    return task;
}


struct rl_task *rl_task_check(lua_State *L, int index)
{
    return *(struct rl_task **)luaL_checkudata(L, index, "rille.Task");
}


struct rl_op *rl_task_childless(struct rl_task *task)
{
    task->childless.done = task->children == NULL;
    return &task->childless;
}


struct rl_op *rl_task_end(struct rl_task *task)
{
    return &task->end;
}


struct rl_task *rl_task_parent(const struct rl_task *task)
{
    return task->parent;
}


enum rl_task_state rl_task_state(const struct rl_task *task)
{
    return task->state;
}


void rl_task_cancel(lua_State *L, struct rl_task *task, int reason)
{
    if (task->cancelled || task->state >= RL_TASK_DONE)
        return;
    reason = lua_absindex(L, reason);
    luaL_checkstack(L, 4, "cancelling a task");
    rl_task_push(L, task);
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, -2, RL_REASON);
    lua_pop(L, 1);
    task->cancelled = task->cancel_pending = true;
    task->grace_end = uv_now(task->engine->loop) + RL_GRACE_MS;
    if (task->state == RL_TASK_WAITING)
        rl_task_wake(task, RL_WAKE_DONE);
    for (struct rl_task *child = task->children; child != NULL; child = child->next_child)
        rl_task_cancel(L, child, reason);
}


int rl_task_results(lua_State *L, int index)
{
    struct rl_task *task = rl_task_check(L, index);
    task->observed = true;
    index = lua_absindex(L, index);
    if (task->state == RL_TASK_DONE) {
        int count = lua_gettop(task->thread);
        luaL_checkstack(task->thread, count, "results of a task");
        luaL_checkstack(L, count, "results of a task");
        for (int i = 1; i <= count; i++)
            lua_pushvalue(task->thread, i);
        lua_xmove(task->thread, L, count);
        return count;
    }
    if (task->state == RL_TASK_CANCELLED) {
        lua_getiuservalue(L, index, RL_REASON);
    } else {
        lua_pushvalue(task->thread, -1);
        lua_xmove(task->thread, L, 1);
    }
    lua_getiuservalue(L, index, RL_TRACEBACK);
    return 2;
}


/* A failure that nobody asked about is not swallowed. */
static void warn_unobserved(lua_State *L, struct rl_task *task)
{
    if (task->state != RL_TASK_FAILED || task->observed || lua_gettop(task->thread) == 0)
        return;
    lua_pushvalue(task->thread, -1);
    lua_xmove(task->thread, L, 1);
    lua_warning(L, "rille: a task failed and nobody joined it: ", 1);
    lua_warning(L, luaL_tolstring(L, -1, NULL), 0);
    lua_pop(L, 2);
}


/* The last of a task whose state is being closed: what is to be closed in it is closed. */
void rl_task_abandon(struct rl_task *task)
{
    task->engine->closing = true;
    rl_task_unpark(task);
    lua_resetthread(task->thread);
}


int rl_task_gc(lua_State *L)
{
    struct rl_task **box = lua_touserdata(L, 1);
    struct rl_task *task = *box;
    if (task == NULL)
        return 0;
    *box = NULL;
    warn_unobserved(L, task);
    task->collected = true;
    if (task->state < RL_TASK_DONE) /* collected before its end: the state is being closed */
        rl_task_abandon(task);
    if (!task->timer_open)
        free(task);
    else if (!uv_is_closing((uv_handle_t *)&task->timer))
        uv_close((uv_handle_t *)&task->timer, on_task_timer_closed);
    return 0;
}
