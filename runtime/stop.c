/* stop.c -- beside the walk: ending a task before its time: cancel, deadline, force.
 *
 * A cancelled task meets a failure at its await and has RL_GRACE_MS to clean up, of which it may
 * compute for RL_SPIN_MS at a time. What still runs then is closed by force. See task.h.
 */
#include "engine.h"

#include <lauxlib.h>


/* ------------------------------------------------------------------ cancel */

bool rl_task_is_cancelled(const struct rl_task *task)
{
    return task->cancelled || rl_task_is_late(task);
}


bool rl_task_is_past_grace(const struct rl_task *task)
{
    return task->cancelled && uv_now(task->engine->loop) >= task->grace_end;
}


/* task.reason = <reason> */
static void cancel_one(lua_State *L, struct rl_task *task, int reason)
{
    rl_task_push(L, task);
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, -2, RL_REASON);
    lua_pop(L, 1);
    task->cancelled = task->cancel_pending = true;
    task->grace_end = uv_now(task->engine->loop) + RL_GRACE_MS;
    if (task->state == RL_TASK_WAITING)
        rl_task_wake(task, RL_WAKE_DONE);
    else if (task->turning)
        rl_engine_hurry(task->engine);
}


/* The next one in a walk through <root> and all that is below it, parents first; NULL at the end.
 * Not by recursion: chains of tasks may be long. */
static struct rl_task *next_below(const struct rl_task *root, struct rl_task *task, bool descend)
{
    if (descend && task->children != NULL)
        return task->children;
    while (task != root && task->next_child == NULL)
        task = task->parent;
    return task != root ? task->next_child : NULL;
}


void rl_task_cancel(lua_State *L, struct rl_task *task, int reason)
{
    if (task->cancelled || task->state >= RL_TASK_DONE)
        return;
    reason = lua_absindex(L, reason);
    luaL_checkstack(L, 4, "cancelling a task");
    uv_update_time(task->engine->loop); /* the grace begins now, not when the loop last turned */
    for (struct rl_task *one = task; one != NULL;) {
        bool is_new = !one->cancelled; /* else what cleans up for it is left alone */
        if (is_new)
            cancel_one(L, one, reason);
        one = next_below(task, one, is_new);
    }
}


void rl_task_cancel_children(lua_State *L, struct rl_task *task)
{
    if (!task->cancelled || task->children == NULL)
        return;
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, RL_REASON);
    for (struct rl_task *child = task->children; child != NULL; child = child->next_child)
        rl_task_cancel(L, child, -1);
    lua_pop(L, 2);
}


int rl_task_raise(lua_State *L, struct rl_task *task)
{
    task->cancel_pending = false;
    luaL_checkstack(L, 2, "a failure");
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, RL_REASON);
    return lua_error(L);
}


/* ------------------------------------------------------------------ deadlines */

/* task:cancel(task.late) */
static void cancel_late(lua_State *L, struct rl_task *task)
{
    luaL_checkstack(L, 4, "a deadline");
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, RL_LATE);
    rl_task_cancel(L, task, -1);
    lua_pop(L, 2);
}


/* uv_hrtime until which the running task may go on without waiting; 0: for ever. */
static uint64_t end_of_run_ns(const struct rl_task *task)
{
    if (!task->cancelled && !task->forced)
        return task->deadline_ns;
    uint64_t spin_end = uv_hrtime() + RL_SPIN_MS * UINT64_C(1000000);
    uint64_t grace_end = task->grace_end * UINT64_C(1000000);
    return task->forced || spin_end < grace_end ? spin_end : grace_end;
}


void rl_task_watch(struct rl_engine *engine, lua_State *L)
{
    if (engine->interrupt != NULL)
        rl_interrupt_watch(engine->interrupt, L,
                           engine->running != NULL ? end_of_run_ns(engine->running) : 0);
}


/* Waiting, it has met its deadline: from here on it cleans up, and is watched for that. */
void rl_task_cancel_late(lua_State *L, struct rl_task *task)
{
    cancel_late(L, task);
    rl_task_watch(task->engine, L);
}


/* Running, it has met its deadline, or has computed for too long while it cleaned up. */
static void on_strike(lua_State *L, void *owner)
{
    struct rl_task *task = ((struct rl_engine *)owner)->running;
    if (task == NULL)
        return;
    if (rl_task_is_late(task))
        cancel_late(L, task);
    rl_task_raise(L, task);
}


void rl_task_switch(struct rl_engine *engine, lua_State *to)
{
    if (engine->interrupt != NULL)
        rl_interrupt_switch(engine->interrupt, to);
}


static void open_interrupt(lua_State *L, struct rl_engine *engine)
{
    if (engine->interrupt != NULL || !engine->may_interrupt)
        return;
    engine->interrupt = rl_interrupt_open(L, on_strike, engine);
    engine->may_interrupt = engine->interrupt != NULL;
}


void rl_task_inherit_deadline(lua_State *L, struct rl_task *task)
{
    const struct rl_task *parent = task->parent;
    uint64_t bound_ns = parent != NULL && !parent->cancelled ? parent->deadline_ns : 0;
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
    rl_task_inherit_deadline(L, task);
    if (task->state == RL_TASK_WAITING || task->turning)
        rl_task_arm(L, task);
    open_interrupt(L, engine);
    if (task == engine->running)
        rl_task_watch(engine, L);
    return engine->interrupt != NULL;
}


/* ------------------------------------------------------------------ force */

void rl_task_close_thread(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    struct rl_aside before = rl_engine_set_aside(engine);
    task->forced = true;
    rl_task_enter(engine, task);
    lua_resetthread(task->thread);
    rl_engine_take_back(engine, before);
}


void rl_task_abandon(struct rl_task *task)
{
    task->engine->closing = true;
    if (task->state >= RL_TASK_DONE)
        return;
    rl_task_unpark(task);
    if (task->state == RL_TASK_READY)
        rl_engine_unqueue(task);
    task->state = RL_TASK_CANCELLED;
    rl_task_close_timer(task);
    rl_task_close_thread(task);
}
