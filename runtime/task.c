/* task.c -- walk 9: coroutines that the runtime owns, and the one place that resumes them.
 *
 * A task is a C struct in a Lua userdata's keeping:
 *     registry[engine.known][task.slot] = userdata      while the task has not ended
 *     uservalues of the userdata = thread, reason, traceback, what to raise at the deadline
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


/* Everything that follows a task's last instruction; the Lua side is buried already. */
static void end_task(struct rl_task *task, enum rl_task_state state)
{
    task->state = state;
    task->has_errand = false;
    task->engine->tasks--;
    for (struct rl_task *child = task->children; child != NULL; child = task->children) {
        leave_parent(child);
        join_parent(child, task->parent);
    }
    leave_parent(task);
    rl_task_close_timer(task);
    rl_op_complete(&task->end);
}


/* known[slot], task.errand = nil. Both are there, so nothing is allocated or raised; and what has
 * an errand need not live as long as those who ask for the results. */
static void forget(lua_State *L, struct rl_task *task)
{
    if (!lua_checkstack(L, 3))
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->engine->known);
    lua_rawgeti(L, -1, task->slot);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, RL_ERRAND);
    lua_pop(L, 1);
    luaL_unref(L, -1, task->slot);
    task->slot = LUA_NOREF; /* another task gets it */
    lua_pop(L, 1);
}


/* The end of a coroutine that an error has stopped. Stack: task's userdata. */
static int l_reset(lua_State *L)
{
    lua_getiuservalue(L, 1, RL_THREAD);
    lua_resetthread(lua_tothread(L, -1)); /* keeps the error on top */
    return 0;
}


static void bury(lua_State *L, struct rl_task *task, bool failed, enum rl_task_state state)
{
    rl_task_cancel_children(L, task);
    if (failed) {
        lua_pushcfunction(L, l_reset);
        rl_task_push(L, task);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
            lua_pop(L, 1); /* no memory; the task ends all the same */
    }
    forget(L, task);
    end_task(task, task->cancelled ? RL_TASK_CANCELLED : state);
}


/* ------------------------------------------------------------------ resuming */

struct rl_aside rl_engine_set_aside(struct rl_engine *engine)
{
    struct rl_task *task = engine->running;
    struct rl_aside aside = {.task = task, .coroutine = task != NULL ? task->thread : NULL};
    if (engine->interrupt != NULL && rl_interrupt_running(engine->interrupt) != NULL)
        aside.coroutine = rl_interrupt_running(engine->interrupt); /* one of the script's own */
    engine->running = NULL;
    return aside;
}


void rl_engine_take_back(struct rl_engine *engine, struct rl_aside aside)
{
    engine->running = aside.task;
    rl_task_watch(engine, aside.coroutine);
}


void rl_task_enter(struct rl_engine *engine, struct rl_task *task)
{
    engine->running = task;
    rl_task_watch(engine, task->thread);
}


/* Is it cancelled, and may not even run to clean up? */
static bool has_to_end(const struct rl_task *task, bool begun)
{
    if (!task->cancelled)
        return false;
    bool has_met_it = task->bare || !task->cancel_pending; /* or nothing can be raised in it */
    return !begun || (has_met_it && rl_task_is_past_grace(task));
}


void rl_task_resume(lua_State *L, struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    bool begun = lua_status(task->thread) == LUA_YIELD;
    if (has_to_end(task, begun)) {
        rl_task_close_thread(task);
        bury(L, task, false, RL_TASK_CANCELLED);
        return;
    }
    struct rl_aside before = rl_engine_set_aside(engine);
    int results = 0;
    int arguments = begun ? 0 : lua_gettop(task->thread) - 1;
    task->state = RL_TASK_RUNNING;
    task->begun = true;
    rl_task_enter(engine, task);
    int status = lua_resume(task->thread, L, arguments, &results);
    rl_engine_take_back(engine, before);
    task->is_inner = false;
    task->returned = status == LUA_OK;
    if (status != LUA_YIELD) {
        bury(L, task, status != LUA_OK, status == LUA_OK ? RL_TASK_DONE : RL_TASK_FAILED);
    } else {
        task->bare = task->state != RL_TASK_WAITING;
        if (task->bare) { /* a coroutine.yield of the script's own: let the others run */
            lua_pop(task->thread, results);
            rl_engine_queue(task);
        }
    }
}


void rl_task_start(lua_State *L, struct rl_task *task)
{
    rl_engine_unqueue(task);
    rl_task_resume(L, task);
}


/* One level deep, and not where loops are turned inside loops (the main thread's own is one): the C
 * stack and Lua's count of its levels hold many tasks, but not any number. */
void rl_task_start_inside(lua_State *L, struct rl_task *task)
{
    struct rl_task *waiter = rl_task_running(L, task->engine);
    bool is_new = task->state == RL_TASK_READY && lua_status(task->thread) == LUA_OK;
    bool is_shallow = waiter != NULL && !waiter->is_inner && task->engine->nesting <= 1;
    if (!is_new || !is_shallow || waiter->cancelled || !lua_isyieldable(L))
        return;
    task->is_inner = true;
    rl_task_start(L, task);
    if (rl_task_is_late(waiter)) /* it waited all that time: it meets its deadline where it waits */
        rl_task_cancel_late(L, waiter);
}


/* ------------------------------------------------------------------ what a task's coroutine runs
 */

/* A message handler: task.traceback = where it failed; failures say enough themselves. */
static int l_keep_traceback(lua_State *L)
{
    struct rl_task *task = rl_task_running(L, rl_engine_of(L));
    luaL_getmetatable(L, "rille.Failure");
    bool is_failure = lua_getmetatable(L, 1) && lua_rawequal(L, -1, -2);
    if (task == NULL || is_failure)
        return lua_settop(L, 1), 1;
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
    lua_rawgeti(L, LUA_REGISTRYINDEX, rl_engine_of(L)->handler);
    lua_insert(L, 1);
    return k_body(L, lua_pcallk(L, nargs, LUA_MULTRET, 1, 0, k_body), 0);
}


static int share(lua_State *L, struct rl_engine *engine, lua_CFunction function)
{
    lua_pushlightuserdata(L, engine);
    lua_pushcclosure(L, function, 1);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}


void rl_task_open(lua_State *L, struct rl_engine *engine)
{
    lua_newtable(L);
    engine->known = luaL_ref(L, LUA_REGISTRYINDEX);
    engine->body = share(L, engine, l_body);
    engine->handler = share(L, engine, l_keep_traceback);
    luaL_getmetatable(L, "rille.Task");
    engine->task_class = lua_topointer(L, -1);
    engine->class = luaL_ref(L, LUA_REGISTRYINDEX);
}


/* ------------------------------------------------------------------ tasks as Lua sees them */

/* A task's userdata and its coroutine, which holds what it will run; the struct is not known to the
 * engine yet. Stack: fn, ... -> userdata */
static struct rl_task *make_task(lua_State *L, struct rl_engine *engine, int nargs)
{
    struct rl_task **box = lua_newuserdatauv(L, sizeof(*box), RL_USERVALUES);
    *box = NULL;
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->class);
    lua_setmetatable(L, -2);
    lua_insert(L, -nargs - 2);
    lua_State *thread = lua_newthread(L);
    lua_setiuservalue(L, -nargs - 3, RL_THREAD);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->body);
    lua_insert(L, -nargs - 2);
    if (!lua_checkstack(thread,
                        nargs + 2)) /* nothing may be raised in <thread>: nobody protects it */
        luaL_error(L, "not enough memory for the arguments of a task");
    lua_xmove(L, thread, nargs + 2);
    struct rl_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        luaL_error(L, "not enough memory");
    *box = task;
    task->engine = engine;
    task->thread = thread;
    task->slot = LUA_NOREF;
    task->state = RL_TASK_DONE; /* nothing to end as long as nobody knows it */
    return task;
}


struct rl_task *rl_task_spawn(lua_State *L, struct rl_engine *engine, int nargs)
{
    if (engine->closing)
        luaL_error(L, "the runtime is being closed");
    luaL_checkstack(L, 8, "a task");
    struct rl_task *task = make_task(L, engine, nargs);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->known);
    lua_pushvalue(L, -2);
    task->slot = luaL_ref(L, -2); /* known[slot] = userdata */
    lua_pop(L, 1);
    join_parent(task, engine->running);
    rl_task_inherit_deadline(L, task);
    engine->tasks++;
    rl_engine_queue(task);
    return task;
}


/* luaL_checkudata would look the class up by its name each time. */
static bool is_task(lua_State *L, int index)
{
    const struct rl_engine *engine = rl_engine_of(L);
    if (engine == NULL || !lua_getmetatable(L, index))
        return false;
    bool is = lua_topointer(L, -1) == engine->task_class;
    lua_pop(L, 1);
    return is && lua_type(L, index) == LUA_TUSERDATA;
}


struct rl_task *rl_task_check(lua_State *L, int index)
{
    if (!is_task(L, index))
        luaL_checkudata(L, index, "rille.Task"); /* raises */
    struct rl_task *task = *(struct rl_task **)lua_touserdata(L, index);
    if (task == NULL) /* a finalizer holds it, and its own has run */
        luaL_error(L, "the runtime is being closed");
    return task;
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


bool rl_task_has_begun(const struct rl_task *task)
{
    return task->begun;
}


bool rl_task_has_returned(const struct rl_task *task)
{
    return task->returned;
}


struct rl_task *rl_task_running(lua_State *L, struct rl_engine *engine)
{
    return engine->running != NULL && engine->running->thread == L ? engine->running : NULL;
}


void rl_task_push(lua_State *L, const struct rl_task *task)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->engine->known);
    lua_rawgeti(L, -1, task->slot);
    lua_remove(L, -2);
}


void rl_task_set_errand(lua_State *L, struct rl_task *task, int errand)
{
    errand = lua_absindex(L, errand);
    if (task->state >= RL_TASK_DONE)
        return;
    rl_task_push(L, task);
    lua_pushvalue(L, errand);
    lua_setiuservalue(L, -2, RL_ERRAND);
    lua_pop(L, 1);
    task->has_errand = true;
}


void rl_task_push_errand(lua_State *L, const struct rl_task *task)
{
    while (task != NULL && !task->has_errand)
        task = task->parent;
    if (task == NULL) {
        lua_pushnil(L);
        return;
    }
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, RL_ERRAND);
    lua_remove(L, -2);
}


/* One value of a coroutine that has ended -> the top of <L>. */
static void push_from(lua_State *L, lua_State *thread, int index)
{
    if (!lua_checkstack(thread, 1)) /* nothing may be raised in <thread>: nobody protects it */
        luaL_error(L, "not enough memory");
    lua_pushvalue(thread, index);
    lua_xmove(thread, L, 1);
}


int rl_task_returned(lua_State *L, int index)
{
    struct rl_task *task = rl_task_check(L, index);
    int count = lua_gettop(task->thread);
    luaL_checkstack(L, count, "results of a task");
    for (int i = 1; i <= count; i++)
        push_from(L, task->thread, i);
    return count;
}


int rl_task_results(lua_State *L, int index)
{
    struct rl_task *task = rl_task_check(L, index);
    task->observed = true;
    index = lua_absindex(L, index);
    if (task->state == RL_TASK_DONE)
        return rl_task_returned(L, index);
    if (task->state == RL_TASK_CANCELLED)
        lua_getiuservalue(L, index, RL_REASON);
    else
        push_from(L, task->thread, -1);
    lua_getiuservalue(L, index, RL_TRACEBACK);
    return 2;
}


/* ------------------------------------------------------------------ collecting */

/* A failure that nobody asked about is not swallowed. */
static void warn_unobserved(lua_State *L)
{
    lua_warning(L, "rille: a task failed and nobody joined it: ", 1);
    lua_warning(L, luaL_tolstring(L, -1, NULL), 0);
}


/* Gives up the struct of a task. One that has not ended is still linked with others. */
static void release(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    if (task->state < RL_TASK_DONE)
        rl_task_abandon(task);
    if (engine->closing && !engine->closed) {
        task->next_dead = engine->dead;
        engine->dead = task;
        return;
    }
    free(task);
}


/* Before its end a task is collected only because its state is being closed. */
int rl_task_gc(lua_State *L)
{
    struct rl_task **box = lua_touserdata(L, 1);
    struct rl_task *task = *box;
    if (task == NULL)
        return 0;
    *box = NULL;
    bool is_news =
        task->state == RL_TASK_FAILED && !task->observed && lua_checkstack(task->thread, 1);
    if (is_news)
        push_from(L, task->thread, -1);
    release(task);
    if (is_news)
        warn_unobserved(L);
    return 0;
}
