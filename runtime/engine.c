/* engine.c -- walk 9: turns the loop, and resumes between its turns.
 *
 * One engine per runtime. Invariant: tasks are resumed here, outside uv_run, so that Lua may turn
 * the loop itself where it cannot park.
 */
#include "engine.h"
#include "interrupt.h"

#include <lauxlib.h>
#include <string.h>


/* ------------------------------------------------------------------ turning */

/* A turn of libuv runs timers, then waits for events, even when a timer gave us what we wait for.
 */
void rl_engine_hurry(struct rl_engine *engine)
{
    if (engine->blocking)
        uv_stop(engine->loop); /* this turn does not wait; its end forgets that */
}


void rl_engine_queue(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    task->state = RL_TASK_READY;
    task->next_ready = NULL;
    *engine->ready_tail = task;
    engine->ready_tail = &task->next_ready;
    engine->ready_count++;
    rl_engine_hurry(engine);
}


/* Takes <task> out of the ready queue, wherever it stands. */
void rl_engine_unqueue(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    struct rl_task **link = &engine->ready;
    while (*link != task)
        link = &(*link)->next_ready;
    *link = task->next_ready;
    if (*link == NULL)
        engine->ready_tail = link;
    engine->ready_count--;
}


/* Resumes the tasks that are ready now; those that become ready meanwhile wait for the next
 * turn, so that no task starves the network. */
static bool resume_ready(lua_State *L, struct rl_engine *engine)
{
    bool any = engine->ready_count > 0;
    for (size_t left = engine->ready_count; left > 0 && engine->ready != NULL; left--) {
        struct rl_task *task = engine->ready;
        rl_engine_unqueue(task);
        rl_task_resume(L, task);
    }
    return any;
}


bool rl_engine_turn(lua_State *L, struct rl_engine *engine, bool wait)
{
    luaL_checkstack(L, 8, "a turn of the loop");
    bool resumed =
        resume_ready(L, engine); /* one of them may have done what the caller waits for */
    bool block = wait && !resumed && engine->ready_count == 0;
    struct rl_task *before = engine->running;
    bool was_blocking = engine->blocking;
    engine->running = NULL; /* what callbacks start is nobody's child */
    engine->blocking = block;
    bool alive = uv_run(engine->loop, block ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
    engine->blocking = was_blocking;
    engine->running = before;
    return alive || resumed || engine->ready_count > 0;
}


/* ------------------------------------------------------------------ engine */

void rl_engine_allow_interrupts(struct rl_engine *engine)
{
    engine->may_interrupt = true;
}


uv_loop_t *rl_engine_loop(struct rl_engine *engine)
{
    return engine->loop;
}


size_t rl_engine_tasks(const struct rl_engine *engine)
{
    return engine->tasks;
}


size_t rl_engine_ready(const struct rl_engine *engine)
{
    return engine->ready_count;
}


void **rl_engine_slot(struct rl_engine *engine, enum rl_slot slot, void (*close)(void *))
{
    if (engine->closed)
        return NULL;
    engine->slots[slot].close = close;
    return &engine->slots[slot].value;
}


/* Closes what is left on a loop of ours; luv has closed its own handles by then. */
static void on_walk_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}


static void close_loop(struct rl_engine *engine)
{
    if (!engine->owns_loop) {
        while (engine->open_timers > 0 && uv_run(engine->loop, UV_RUN_NOWAIT) != 0)
            continue;
        return;
    }
    uv_run(engine->loop, UV_RUN_NOWAIT);
    uv_walk(engine->loop, on_walk_close, NULL);
    while (uv_run(engine->loop, UV_RUN_DEFAULT) != 0)
        continue;
    uv_loop_close(engine->loop);
}


/* Closes every task that has not ended, what hangs on the engine, and the loop. */
static int l_engine_gc(lua_State *L)
{
    struct rl_engine *engine = lua_touserdata(L, 1);
    if (engine->closed)
        return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, engine);
    if (lua_istable(L, -1)) {
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            struct rl_task *task = *(struct rl_task **)lua_touserdata(L, -1);
            lua_pop(L, 1);
            if (task != NULL)
                rl_task_abandon(task);
        }
    }
    engine->closing = engine->closed = true;
    if (engine->interrupt != NULL)
        rl_interrupt_close(engine->interrupt);
    for (int i = 0; i < RL_SLOTS; i++)
        if (engine->slots[i].value != NULL)
            engine->slots[i].close(engine->slots[i].value);
    close_loop(engine);
    return 0;
}


static void make_class(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}


struct rl_engine *rl_engine_open(lua_State *L, uv_loop_t *loop)
{
    make_class(L, "rille.Engine", l_engine_gc);
    make_class(L, "rille.Task", rl_task_gc);
    struct rl_engine *engine = lua_newuserdatauv(L, sizeof(*engine), 0);
    memset(engine, 0, sizeof(*engine));
    engine->ready_tail = &engine->ready;
    engine->loop = loop;
    if (loop == NULL) {
        if (uv_loop_init(&engine->own_loop) < 0)
            luaL_error(L, "the event loop could not be opened: too many open files?");
        engine->loop = &engine->own_loop;
        engine->owns_loop = true;
    }
    luaL_setmetatable(L, "rille.Engine");
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, engine); /* registry[engine] = {} */
    return engine;
}
