/* engine.c -- walk 9: turns the loop, and resumes between its turns.
 *
 * One engine per runtime. Tasks are resumed here, outside uv_run, so that Lua may turn the loop
 * itself where it cannot park. The exception is a uv_run that is not ours, of a host that owns the
 * loop or of a script that calls uv.run(): there an idle handle resumes, and what cannot park must
 * not wait.
 */
#include "engine.h"
#include "shield.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>


/* ------------------------------------------------------------------ the ready queue */

static void on_idle(uv_idle_t *idle);


/* A turn of libuv runs timers first and then waits, even if one of them did what is waited for. It
 * does not wait while an idle handle is active. */
void rl_engine_hurry(struct rl_engine *engine)
{
    if (!engine->closed)
        uv_idle_start(engine->idle, on_idle);
}


static void rest(struct rl_engine *engine)
{
    if (engine->ready_count == 0)
        uv_idle_stop(engine->idle);
}


void rl_engine_queue(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    task->state = RL_TASK_READY;
    task->next_ready = NULL;
    task->prev_ready = engine->ready_last;
    if (engine->ready_last != NULL)
        engine->ready_last->next_ready = task;
    else
        engine->ready = task;
    engine->ready_last = task;
    engine->ready_count++;
    rl_engine_hurry(engine);
}


void rl_engine_unqueue(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    if (task->prev_ready != NULL)
        task->prev_ready->next_ready = task->next_ready;
    else
        engine->ready = task->next_ready;
    if (task->next_ready != NULL)
        task->next_ready->prev_ready = task->prev_ready;
    else
        engine->ready_last = task->prev_ready;
    engine->ready_count--;
}


/* Resumes the tasks that are ready now, until uv_hrtime reaches <end_ns>; those that become ready
 * meanwhile wait for the next turn, so that no task starves the network. */
static bool resume_ready(lua_State *L, struct rl_engine *engine, uint64_t end_ns)
{
    bool any = engine->ready_count > 0;
    for (size_t left = engine->ready_count; left > 0 && engine->ready != NULL; left--) {
        if (engine->halted)
            break;
        struct rl_task *task = engine->ready;
        rl_engine_unqueue(task);
        rl_task_resume(L, task);
        if (end_ns != UINT64_MAX && uv_hrtime() >= end_ns)
            break;
    }
    return any;
}


/* ------------------------------------------------------------------ turning */

struct loop_run {
    uv_loop_t *loop;
    uv_run_mode mode;
    bool alive;
};


static int l_run_loop(lua_State *L)
{
    struct loop_run *run = lua_touserdata(L, 1);
    run->alive = uv_run(run->loop, run->mode) != 0;
    return 0;
}


/* uv_run, on the state that luv calls back on: when memory is missing there, luv raises past
 * libuv, and must not get past us. */
static bool run_protected(lua_State *L, struct loop_run *run)
{
    if (!lua_checkstack(L, RL_TURN_STACK))
        return true;
    lua_pushcfunction(L, l_run_loop);
    lua_pushlightuserdata(L, run);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    return run->alive;
}


/* What callbacks start is nobody's child; and they must not turn the loop that calls them. */
static bool run_loop(struct rl_engine *engine, uv_run_mode mode)
{
    struct loop_run run = {.loop = engine->loop, .mode = mode, .alive = true};
    struct rl_task *before = engine->running;
    engine->running = NULL;
    engine->in_loop = true;
    rest(engine);
    bool alive = run_protected(engine->main, &run);
    rest(engine);
    engine->in_loop = false;
    engine->running = before;
    return alive;
}


bool rl_engine_turn(lua_State *L, struct rl_engine *engine, bool wait)
{
    luaL_checkstack(L, RL_TURN_STACK, "a turn of the loop");
    bool resumed =
        resume_ready(L, engine, UINT64_MAX); /* it may have been what the caller waits for */
    bool block = wait && !resumed && engine->ready_count == 0;
    bool alive = run_loop(engine, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    return alive || resumed || engine->ready_count > 0;
}


void rl_engine_pump(lua_State *L, struct rl_engine *engine, uint64_t max_ns)
{
    uint64_t end_ns = uv_hrtime() + max_ns;
    luaL_checkstack(L, RL_TURN_STACK, "a turn of the loop");
    do {
        resume_ready(L, engine, max_ns > 0 ? end_ns : UINT64_MAX);
        if (!engine->halted)
            run_loop(engine, UV_RUN_NOWAIT);
    } while (engine->ready_count > 0 && !engine->halted && uv_hrtime() < end_ns);
}


static int l_resume_ready(lua_State *L)
{
    resume_ready(L, lua_touserdata(L, 1), UINT64_MAX);
    return 0;
}


/* Tasks are ready, and the loop turns: who turns it? When it is not run_loop, nobody else resumes.
 */
static void on_idle(uv_idle_t *idle)
{
    struct rl_engine *engine = idle->data;
    lua_State *L = engine->main;
    if (engine->in_loop || !lua_checkstack(L, RL_TURN_STACK))
        return;
    struct rl_aside before = rl_engine_set_aside(engine);
    engine->in_loop = true;
    lua_pushcfunction(L, l_resume_ready);
    lua_pushlightuserdata(L, engine);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* no memory; the next turn tries again */
    engine->in_loop = false;
    rest(engine);
    rl_engine_take_back(engine, before);
}


/* ------------------------------------------------------------------ what others ask */

void rl_engine_allow_interrupts(struct rl_engine *engine)
{
    engine->may_interrupt = true;
}


void rl_engine_halt(struct rl_engine *engine)
{
    engine->halted = true;
}


uv_loop_t *rl_engine_loop(struct rl_engine *engine)
{
    return engine->loop;
}


size_t rl_engine_tasks(const struct rl_engine *engine)
{
    return engine->tasks;
}


int rl_engine_timeout_ms(const struct rl_engine *engine)
{
    if (engine->ready_count > 0)
        return 0;
    if (!uv_loop_alive(engine->loop))
        return -1;
    uv_update_time(engine->loop); /* the host may have been busy since the last turn */
    return uv_backend_timeout(engine->loop);
}


void **rl_engine_slot(struct rl_engine *engine, enum rl_slot slot, void (*close)(void *))
{
    if (engine->closed)
        return NULL;
    engine->slots[slot].close = close;
    return &engine->slots[slot].value;
}


/* ------------------------------------------------------------------ closing */

static void on_idle_closed(uv_handle_t *idle)
{
    struct rl_engine *engine = idle->data;
    engine->open_handles--;
    free(idle);
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
    engine->in_loop = true;
    if (engine->owns_loop) {
        uv_run(engine->loop, UV_RUN_NOWAIT);
        uv_walk(engine->loop, on_walk_close, NULL);
        while (uv_run(engine->loop, UV_RUN_DEFAULT) != 0)
            continue;
        uv_loop_close(engine->loop);
    } else { /* the host's goes on; ours must be off it before their memory goes */
        while (uv_run(engine->loop, UV_RUN_NOWAIT) != 0 && engine->open_handles > 0)
            continue;
    }
}


/* Ends every task that has not ended yet. Their userdata may be gone: Lua collects in the order it
 * likes when a state closes. */
static void abandon_tasks(lua_State *L, struct rl_engine *engine)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->known);
    if (lua_istable(L, -1)) {
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            struct rl_task **box = lua_touserdata(L, -1); /* NULL: a slot that is free */
            lua_pop(L, 1);
            if (box != NULL && *box != NULL)
                rl_task_abandon(*box);
        }
    }
    lua_pop(L, 1);
}


static void free_dead(struct rl_engine *engine)
{
    while (engine->dead != NULL) {
        struct rl_task *task = engine->dead;
        engine->dead = task->next_dead;
        free(task);
    }
}


/* Ends every task, closes what hangs on the engine, and the loop. */
static int l_engine_gc(lua_State *L)
{
    struct rl_engine *engine = lua_touserdata(L, 1);
    if (engine->closed)
        return 0;
    struct rl_shield shield;
    rl_shield_raise(&shield);
    engine->closing = engine->closed = true;
    abandon_tasks(L, engine);
    if (engine->interrupt != NULL)
        rl_interrupt_close(engine->interrupt);
    engine->interrupt = NULL;
    engine->may_interrupt = false;
    for (int i = 0; i < RL_SLOTS; i++)
        if (engine->slots[i].value != NULL)
            engine->slots[i].close(engine->slots[i].value);
    uv_close((uv_handle_t *)engine->idle, on_idle_closed);
    close_loop(engine);
    free_dead(engine);
    rl_shield_lower(&shield);
    return 0;
}


/* ------------------------------------------------------------------ opening */

static void make_class(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0); /* a script that got hold of its finaliser could call it with anything */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}


static void open_loop(lua_State *L, struct rl_engine *engine, uv_loop_t *loop)
{
    engine->loop = loop;
    engine->idle = malloc(sizeof(*engine->idle));
    if (engine->idle == NULL)
        luaL_error(L, "not enough memory");
    if (loop == NULL) {
        if (uv_loop_init(&engine->own_loop) < 0) {
            free(engine->idle);
            luaL_error(L, "the event loop could not be opened: too many open files?");
        }
        engine->loop = &engine->own_loop;
        engine->owns_loop = true;
    }
    uv_idle_init(engine->loop, engine->idle);
    engine->idle->data = engine;
    engine->open_handles = 1;
}


struct rl_engine *rl_engine_open(lua_State *L, uv_loop_t *loop)
{
    make_class(L, "rille.Engine", l_engine_gc);
    make_class(L, "rille.Task", rl_task_gc);
    struct rl_engine *engine = lua_newuserdatauv(L, sizeof(*engine), 0);
    memset(engine, 0, sizeof(*engine));
    engine->closed = true; /* nothing to close should the next lines raise */
    luaL_setmetatable(L, "rille.Engine");
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    engine->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    rl_task_open(L, engine);
    open_loop(L, engine, loop);
    engine->closed = false;
    return engine;
}
