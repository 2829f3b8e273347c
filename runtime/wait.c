/* wait.c -- walk 9: parking a task on an operation, and waking it.
 *
 * Every way out of a wait passes rl_task_wake: completion, time, cancel. Where a task cannot park,
 * the loop is turned until the same things have happened. See task.h.
 */
#include "engine.h"
#include "shield.h"

#include <lauxlib.h>
#include <stdlib.h>

enum {
    DEEPEST_NESTING = 40, /* loops turned inside loops */
    SPARE_C_LEVELS = 40   /* of Lua's 200, for the tasks that are resumed in a turn */
};


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


static void stop_timer(struct rl_task *task)
{
    if (task->timer != NULL)
        uv_timer_stop(task->timer);
}


/* The only way out of WAITING, whatever the cause. */
void rl_task_wake(struct rl_task *task, enum rl_wake reason)
{
    rl_task_unpark(task);
    stop_timer(task);
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


/* ------------------------------------------------------------------ time */

/* uv_now at the end of a wait that begins now. */
static uint64_t end_of_wait(struct rl_engine *engine, int64_t timeout_ms)
{
    uv_update_time(engine->loop); /* Lua may have run for a while since the loop looked */
    return timeout_ms < 0 ? UINT64_MAX : uv_now(engine->loop) + (uint64_t)timeout_ms;
}


/* A task that cleans up after it was cancelled waits within what is left of its grace. */
static void set_wait_end(lua_State *L, struct rl_task *task, int64_t timeout_ms)
{
    task->wait_end = end_of_wait(task->engine, timeout_ms);
    if (task->cancelled && task->wait_end > task->grace_end)
        task->wait_end = task->grace_end;
    if (task->wait_end != UINT64_MAX || task->deadline_ns != 0)
        rl_task_arm(L, task);
}


bool rl_task_is_late(const struct rl_task *task)
{
    return task->deadline_ns != 0 && !task->cancelled && uv_hrtime() >= task->deadline_ns;
}


static uv_timer_t *open_timer(lua_State *L, struct rl_task *task)
{
    uv_timer_t *timer = malloc(sizeof(*timer));
    if (timer == NULL)
        luaL_error(L, "not enough memory");
    uv_timer_init(task->engine->loop, timer);
    timer->data = task;
    task->engine->open_handles++;
    return timer;
}


static void on_timer_closed(uv_handle_t *timer)
{
    struct rl_engine *engine = timer->data;
    engine->open_handles--;
    free(timer);
}


void rl_task_close_timer(struct rl_task *task)
{
    if (task->timer == NULL)
        return;
    task->timer->data = task->engine; /* the task may be gone before libuv has closed it */
    uv_close((uv_handle_t *)task->timer, on_timer_closed);
    task->timer = NULL;
}


/* When its wait ends or its deadline comes; UINT64_MAX: never. */
static uint64_t next_end(const struct rl_task *task)
{
    uint64_t at = task->wait_end;
    if (task->deadline_ns != 0 && !task->cancelled && task->deadline_ns / 1000000u + 1 < at)
        at = task->deadline_ns / 1000000u + 1;
    return at;
}


static void on_task_timer(uv_timer_t *timer);


/* Starts, moves or stops the timer that a waiting task has. */
static void move_timer(struct rl_task *task)
{
    uint64_t at = next_end(task);
    uint64_t now = uv_now(task->engine->loop);
    if (at != UINT64_MAX)
        uv_timer_start(task->timer, on_task_timer, at > now ? at - now : 0, 0);
    else
        uv_timer_stop(task->timer);
}


void rl_task_arm(lua_State *L, struct rl_task *task)
{
    if (task->timer == NULL && next_end(task) != UINT64_MAX)
        task->timer = open_timer(L, task);
    if (task->timer != NULL)
        move_timer(task);
}


static void on_task_timer(uv_timer_t *timer)
{
    struct rl_task *task = timer->data;
    if (uv_now(task->engine->loop) < task->wait_end && !rl_task_is_late(task))
        move_timer(task); /* the deadline it was set for was moved */
    else if (task->state == RL_TASK_WAITING)
        rl_task_wake(task, RL_WAKE_TIMEOUT);
    else
        rl_engine_hurry(task->engine);
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


static int k_parked(lua_State *L, int status, lua_KContext ctx)
{
    struct rl_task *task = (struct rl_task *)ctx;
    if (rl_task_is_late(task))
        rl_task_cancel_late(L, task);
    if (task->cancel_pending)
        return rl_task_raise(L, task);
    task->engine->wake = task->wake;
    return task->k(L, status, task->ctx);
}


static int park_task(lua_State *L, struct rl_task *task, struct rl_op *op, int64_t timeout_ms)
{
    set_wait_end(L, task, timeout_ms);
    if (op != NULL)
        link_waiter(task, op);
    task->state = RL_TASK_WAITING;
    return lua_yieldk(L, 0, (lua_KContext)task, k_parked);
}


/* ------------------------------------------------------------------ turning the loop instead */

/* A wait that turns the loop. */
struct turning {
    struct rl_engine *engine;
    struct rl_task *task; /* it is inside of, in a coroutine of its own; or NULL */
    struct rl_op *op;
    uint64_t wait_end;
};


/* The end of a wait outside of any task. */
static void on_alarm(uv_timer_t *alarm)
{
    rl_engine_hurry(alarm->data);
}


static void on_alarm_closed(uv_handle_t *alarm)
{
    free(alarm);
}


static uv_timer_t *set_alarm(lua_State *L, struct rl_engine *engine, int64_t timeout_ms)
{
    uv_timer_t *alarm = malloc(sizeof(*alarm));
    if (alarm == NULL)
        luaL_error(L, "not enough memory");
    uv_timer_init(engine->loop, alarm);
    alarm->data = engine;
    uv_timer_start(alarm, on_alarm, (uint64_t)timeout_ms, 0);
    return alarm;
}


/* Must the task around the wait do something else? */
static bool is_called_away(const struct rl_task *task)
{
    return task != NULL &&
           (task->cancel_pending || rl_task_is_late(task) || rl_task_is_past_grace(task));
}


static bool is_over(const struct turning *wait, enum rl_wake *reason)
{
    *reason = RL_WAKE_DONE;
    if ((wait->op != NULL && wait->op->done) || is_called_away(wait->task))
        return true;
    *reason = RL_WAKE_TIMEOUT;
    return uv_now(wait->engine->loop) >= wait->wait_end;
}


static enum rl_wake turn_until_over(lua_State *L, const struct turning *wait)
{
    struct rl_engine *engine = wait->engine;
    enum rl_wake reason;
    struct rl_shield shield;
    rl_shield_raise(&shield);
    engine->nesting++;
    bool alive, over;
    do { /* once at least: a wait of no time lets the others run */
        alive = rl_engine_turn(L, engine, true);
        over = is_over(wait, &reason);
    } while (alive && !over);
    engine->nesting--;
    rl_shield_lower(&shield);
    return over ? reason : RL_WAKE_STUCK;
}


static void begin_turning(lua_State *L, struct rl_task *task, int64_t timeout_ms)
{
    set_wait_end(L, task, timeout_ms);
    task->turning = true;
}


static void end_turning(struct rl_task *task)
{
    task->turning = false;
    stop_timer(task);
}


static enum rl_wake wait_turning(lua_State *L, struct rl_engine *engine, struct rl_op *op,
                                 int64_t timeout_ms)
{
    struct turning wait = {.engine = engine, .task = engine->running, .op = op};
    struct rl_engine *turner = op != NULL ? op->turner : NULL;
    uv_timer_t *alarm = NULL;
    luaL_checkstack(L, RL_TURN_STACK, "a turn of the loop");
    wait.wait_end = end_of_wait(engine, timeout_ms);
    if (wait.task == NULL && timeout_ms >= 0)
        alarm = set_alarm(L, engine, timeout_ms);
    if (wait.task != NULL)
        begin_turning(L, wait.task, timeout_ms);
    if (op != NULL)
        op->turner = engine;
    enum rl_wake reason = turn_until_over(L, &wait);
    if (op != NULL)
        op->turner = turner;
    if (wait.task != NULL)
        end_turning(wait.task);
    if (alarm != NULL)
        uv_close((uv_handle_t *)alarm, on_alarm_closed);
    return reason;
}


/* Calls itself <levels> times. */
static int l_dive(lua_State *L)
{
    lua_Integer levels = lua_tointeger(L, 1);
    if (levels > 0) {
        lua_pushcfunction(L, l_dive);
        lua_pushinteger(L, levels - 1);
        lua_call(L, 1, 0);
    }
    return 0;
}


/* Tasks that are resumed in a turn here begin this deep in the C stack. One that found no room left
 * would die for what is not its fault, so whoever waits must not be too deep. */
static bool has_room(lua_State *L)
{
    lua_pushcfunction(L, l_dive);
    lua_pushinteger(L, SPARE_C_LEVELS);
    bool has = lua_pcall(L, 1, 0, 0) == LUA_OK;
    if (!has)
        lua_pop(L, 1);
    return has;
}


static void check_may_turn(lua_State *L, const struct rl_engine *engine)
{
    if (engine->in_loop)
        luaL_error(L, "a callback of libuv must not wait: let it start a task instead");
    bool is_shallow = engine->nesting == 0 && L == engine->main;
    if (engine->nesting >= DEEPEST_NESTING || (!is_shallow && !has_room(L)))
        luaL_error(L, "too many waits inside coroutines: let a task wait instead");
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
    if (task != NULL && task->forced)
        return rl_task_raise(L, task);
    if (task != NULL && task->thread == L && lua_isyieldable(L)) {
        task->k = k;
        task->ctx = ctx;
        return park_task(L, task, op, timeout_ms);
    }
    check_may_turn(L, engine);
    engine->wake = wait_turning(L, engine, op, timeout_ms);
    rl_task_switch(engine, L); /* it may be watched only since then */
    if (is_called_away(task)) {
        if (!task->cancelled)
            rl_task_cancel_late(L, task);
        return rl_task_raise(L, task);
    }
    return k(L, LUA_OK, ctx);
}
