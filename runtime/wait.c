/* wait.c -- walk 9: parking a task on an operation, and waking it.
 *
 * Every way out of a wait passes rl_task_wake: completion, time, cancel. See task.h.
 */
#include "engine.h"
#include "shield.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { DEEPEST_NESTING = 40 }; /* loops turned inside loops, well below Lua's 200 C levels */


/* ------------------------------------------------------------------ waiting and waking */

static void link_waiter(struct rl_task *task, struct rl_op *op)
{
    task->op = op;
    task->prev_waiter = NULL;
    task->next_waiter = op->waiters;
    if (op->waiters != NULL)
        op->waiters->prev_waiter = task;
    op->waiters = task;
}


void rl_task_unpark(struct rl_task *task)
{
    if (task->op == NULL)
        return;
    if (task->prev_waiter != NULL)
        task->prev_waiter->next_waiter = task->next_waiter;
    else
        task->op->waiters = task->next_waiter;
    if (task->next_waiter != NULL)
        task->next_waiter->prev_waiter = task->prev_waiter;
    task->op = NULL;
}


/* The only way out of WAITING, whatever the cause. */
void rl_task_wake(struct rl_task *task, enum rl_wake reason)
{
    rl_task_unpark(task);
    if (task->timer_open)
        uv_timer_stop(&task->timer);
    task->wake = reason;
    rl_engine_queue(task);
}


void rl_op_complete(struct rl_op *op)
{
    op->done = true;
    while (op->waiters != NULL)
        rl_task_wake(op->waiters, RL_WAKE_DONE);
    if (op->turner != NULL)
        rl_engine_hurry(op->turner);
}


static bool is_late(const struct rl_task *task)
{
    return task->deadline_ns != 0 && !task->cancelled && uv_hrtime() >= task->deadline_ns;
}


static void on_task_timer(uv_timer_t *timer);


/* Starts, moves or stops the timer of a parked task: its wait's end or its deadline, what comes
 * first. */
void rl_task_arm(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    uint64_t at = task->wait_end;
    if (task->deadline_ns != 0 && !task->cancelled && task->deadline_ns / 1000000u + 1 < at)
        at = task->deadline_ns / 1000000u + 1;
    if (at != UINT64_MAX && !task->timer_open) {
        uv_timer_init(engine->loop, &task->timer);
        task->timer.data = task;
        task->timer_open = true;
        engine->open_timers++;
    }
    uint64_t now = uv_now(engine->loop);
    if (at != UINT64_MAX)
        uv_timer_start(&task->timer, on_task_timer, at > now ? at - now : 0, 0);
    else if (task->timer_open)
        uv_timer_stop(&task->timer);
}


static void on_task_timer(uv_timer_t *timer)
{
    struct rl_task *task = timer->data;
    if (uv_now(task->engine->loop) >= task->wait_end || is_late(task))
        rl_task_wake(task, RL_WAKE_TIMEOUT);
    else
        rl_task_arm(task); /* the deadline it was set for was moved */
}


/* ------------------------------------------------------------------ parking */

struct rl_engine *rl_engine_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}


enum rl_wake rl_wake_reason(lua_State *L)
{
    return rl_engine_of(L)->wake;
}


struct rl_task *rl_task_running(lua_State *L, struct rl_engine *engine)
{
    return engine->running != NULL && engine->running->thread == L ? engine->running : NULL;
}


void rl_task_push(lua_State *L, struct rl_task *task)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, task->engine);
    lua_rawgetp(L, -1, task);
    lua_remove(L, -2);
}


int rl_task_raise(lua_State *L, struct rl_task *task)
{
    task->cancel_pending = false;
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, RL_REASON);
    return lua_error(L);
}


/* task:cancel(task.late) */
void rl_task_cancel_late(lua_State *L, struct rl_task *task)
{
    luaL_checkstack(L, 4, "a deadline");
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, RL_LATE);
    rl_task_cancel(L, task, -1);
    lua_pop(L, 2);
}


static int k_parked(lua_State *L, int status, lua_KContext ctx)
{
    struct rl_task *task = (struct rl_task *)ctx;
    if (is_late(task)) {
        rl_task_cancel_late(L, task);
        rl_task_watch(task->engine);
    }
    if (task->cancel_pending)
        return rl_task_raise(L, task);
    task->engine->wake = task->wake;
    return task->k(L, status, task->ctx);
}


static int park_task(lua_State *L, struct rl_task *task, struct rl_op *op, int64_t timeout_ms)
{
    uv_update_time(task->engine->loop); /* Lua may have run for a while since the loop looked */
    task->wait_end =
        timeout_ms < 0 ? UINT64_MAX : uv_now(task->engine->loop) + (uint64_t)timeout_ms;
    if (task->cancelled && task->wait_end > task->grace_end)
        task->wait_end = task->grace_end; /* cleaning up, within what is left of its grace */
    if (op != NULL)
        link_waiter(task, op);
    if (task->wait_end != UINT64_MAX || task->deadline_ns != 0)
        rl_task_arm(task);
    task->state = RL_TASK_WAITING;
    return lua_yieldk(L, 0, (lua_KContext)task, k_parked);
}


/* A timer of a wait outside any task; it frees itself. */
struct alarm {
    uv_timer_t timer;
    struct rl_engine *engine;
    bool rang;
};


static void on_alarm(uv_timer_t *timer)
{
    struct alarm *alarm = (struct alarm *)timer;
    alarm->rang = true;
    rl_engine_hurry(alarm->engine);
}


static void on_alarm_closed(uv_handle_t *timer)
{
    free(timer);
}


static struct alarm *set_alarm(lua_State *L, struct rl_engine *engine, int64_t timeout_ms)
{
    struct alarm *alarm = calloc(1, sizeof(*alarm));
    if (alarm == NULL)
        luaL_error(L, "not enough memory");
    alarm->engine = engine;
    uv_timer_init(engine->loop, &alarm->timer);
    uv_update_time(engine->loop);
    uv_timer_start(&alarm->timer, on_alarm, (uint64_t)timeout_ms, 0);
    return alarm;
}


/* Turns the loop here and now until the wait is over. */
static enum rl_wake wait_turning(lua_State *L, struct rl_engine *engine, struct rl_op *op,
                                 int64_t timeout_ms)
{
    struct rl_task *task = engine->running; /* may wait here in a coroutine of its own */
    struct alarm *alarm = timeout_ms >= 0 ? set_alarm(L, engine, timeout_ms) : NULL;
    enum rl_wake reason = RL_WAKE_DONE;
    struct rl_engine *turner = op != NULL ? op->turner : NULL;
    struct rl_shield shield;
    rl_shield_raise(&shield);
    engine->nesting++;
    if (op != NULL)
        op->turner = engine;
    while (op == NULL || !op->done) {
        if (alarm != NULL && alarm->rang) {
            reason = RL_WAKE_TIMEOUT;
            break;
        }
        if (task != NULL && task->cancel_pending)
            break;
        if (!rl_engine_turn(L, engine, true) && engine->ready_count == 0 &&
            (op == NULL || !op->done) && !(alarm != NULL && alarm->rang) &&
            !(task != NULL && task->cancel_pending)) {
            reason = RL_WAKE_STUCK;
            break;
        }
    }
    if (op != NULL)
        op->turner = turner;
    engine->nesting--;
    engine->running = task;
    rl_shield_lower(&shield);
    if (alarm != NULL)
        uv_close((uv_handle_t *)&alarm->timer, on_alarm_closed);
    return reason;
}


int rl_park(lua_State *L, struct rl_op *op, int64_t timeout_ms, lua_KContext ctx, lua_KFunction k)
{
    struct rl_engine *engine = rl_engine_of(L);
    struct rl_task *task = engine->running;
    if (engine->closing)
        return luaL_error(L, "the runtime is being closed");
    if (task != NULL && task->cancel_pending)
        return rl_task_raise(L, task);
    if (op != NULL && op->done) {
        engine->wake = RL_WAKE_DONE;
        return k(L, LUA_OK, ctx);
    }
    if (task != NULL && task->thread == L && lua_isyieldable(L)) {
        task->k = k;
        task->ctx = ctx;
        return park_task(L, task, op, timeout_ms);
    }
    if (engine->nesting >= DEEPEST_NESTING)
        return luaL_error(L,
                          "too many waits inside coroutines or callbacks: let a task wait instead");
    engine->wake = wait_turning(L, engine, op, timeout_ms);
    if (task != NULL && task->cancel_pending)
        return rl_task_raise(L, task);
    return k(L, LUA_OK, ctx);
}
