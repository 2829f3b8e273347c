/* task.c -- walk 9: coroutines that the runtime owns, and the one place that resumes them.
 *
 * A task is a C struct in a Lua userdata's keeping:
 *     registry[engine][task] = userdata                 while the task has not ended
 *     uservalues of the userdata = thread, reason, traceback, what to raise at the deadline
 * The struct outlives the userdata until libuv has closed its timer.
 */
#include "task.h"

#include "interrupt.h"
#include "shield.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD = 1, REASON, TRACEBACK, LATE, USERVALUES = LATE }; /* of a task's userdata */
enum { DEEPEST_NESTING = 40 }; /* loops turned inside loops, well below Lua's 200 C levels */

struct rl_task {
    struct rl_engine *engine;
    lua_State *thread;
    enum rl_task_state state;
    struct rl_op end; /* completed when the task has ended */

    struct rl_op *op;                          /* what it is parked on; NULL: only on time */
    struct rl_task *next_waiter, *prev_waiter; /* siblings in op->waiters */
    lua_KFunction k;                           /* where it goes on */
    lua_KContext ctx;
    enum rl_wake wake;
    uint64_t wait_end; /* uv_now at which the wait times out; UINT64_MAX: never */
    uv_timer_t timer;
    bool timer_open;

    bool cancelled;       /* rl_task_cancel was called */
    bool cancel_pending;  /* and the failure is still to be raised */
    uint64_t deadline_ns; /* uv_hrtime at which it must have given control back; 0: never */
    uint64_t grace_end;   /* uv_now at which a cancelled task is closed by force */
    bool collected;       /* the userdata is gone; free when the timer is closed */
    bool observed;        /* somebody has asked for its results */

    struct rl_task *next_ready;
    struct rl_task *parent, *children, *next_child, *prev_child;
};

struct slot {
    void *value;
    void (*close)(void *);
};

struct rl_engine {
    uv_loop_t *loop;
    uv_loop_t own_loop;
    bool owns_loop;
    struct rl_task *running;             /* whose coroutine is being resumed, or NULL */
    struct rl_task *ready, **ready_tail; /* in the order in which they became ready */
    size_t tasks, ready_count;
    size_t open_timers;             /* timers that libuv still knows */
    int nesting;                    /* loops turned inside tasks */
    enum rl_wake wake;              /* for the continuation that runs now */
    struct rl_interrupt *interrupt; /* opened with the first deadline */
    bool may_interrupt;             /* the host allows a signal handler */
    struct slot slots[RL_SLOTS];
    bool closing; /* the state is being closed: nobody waits any more */
    bool closed;
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


static void unlink_waiter(struct rl_task *task)
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


static void make_ready(struct rl_task *task)
{
    struct rl_engine *engine = task->engine;
    task->state = RL_TASK_READY;
    task->next_ready = NULL;
    *engine->ready_tail = task;
    engine->ready_tail = &task->next_ready;
    engine->ready_count++;
}


/* The only way out of WAITING, whatever the cause. */
static void wake(struct rl_task *task, enum rl_wake reason)
{
    unlink_waiter(task);
    if (task->timer_open)
        uv_timer_stop(&task->timer);
    task->wake = reason;
    make_ready(task);
}


void rl_op_complete(struct rl_op *op)
{
    op->done = true;
    while (op->waiters != NULL)
        wake(op->waiters, RL_WAKE_DONE);
}


static bool is_late(const struct rl_task *task)
{
    return task->deadline_ns != 0 && !task->cancelled && uv_hrtime() >= task->deadline_ns;
}


static void on_task_timer(uv_timer_t *timer);


/* Starts, moves or stops the timer of a parked task: its wait's end or its deadline, what comes
 * first. */
static void arm(struct rl_task *task)
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
        wake(task, RL_WAKE_TIMEOUT);
    else
        arm(task); /* the deadline it was set for was moved */
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


static int raise_cancelled(lua_State *L, struct rl_task *task)
{
    task->cancel_pending = false;
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, REASON);
    return lua_error(L);
}


/* task:cancel(task.late) */
static void cancel_late(lua_State *L, struct rl_task *task)
{
    luaL_checkstack(L, 4, "a deadline");
    rl_task_push(L, task);
    lua_getiuservalue(L, -1, LATE);
    rl_task_cancel(L, task, -1);
    lua_pop(L, 2);
}


static int k_parked(lua_State *L, int status, lua_KContext ctx)
{
    struct rl_task *task = (struct rl_task *)ctx;
    if (is_late(task))
        cancel_late(L, task);
    if (task->cancel_pending)
        return raise_cancelled(L, task);
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
        arm(task);
    task->state = RL_TASK_WAITING;
    return lua_yieldk(L, 0, (lua_KContext)task, k_parked);
}


/* A timer of a wait outside any task; it frees itself. */
struct alarm {
    uv_timer_t timer;
    bool rang;
};


static void on_alarm(uv_timer_t *timer)
{
    ((struct alarm *)timer)->rang = true;
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
    struct rl_shield shield;
    rl_shield_raise(&shield);
    engine->nesting++;
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
        return raise_cancelled(L, task);
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
        return raise_cancelled(L, task);
    return k(L, LUA_OK, ctx);
}


/* ------------------------------------------------------------------ the end of a task */

static void leave_parent(struct rl_task *task)
{
    if (task->prev_child != NULL)
        task->prev_child->next_child = task->next_child;
    else if (task->parent != NULL)
        task->parent->children = task->next_child;
    if (task->next_child != NULL)
        task->next_child->prev_child = task->prev_child;
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
    while (task->children != NULL)
        leave_parent(task->children);
    leave_parent(task);
    if (task->timer_open && !uv_is_closing((uv_handle_t *)&task->timer))
        uv_close((uv_handle_t *)&task->timer, on_task_timer_closed);
    rl_op_complete(&task->end);
}


/* traceback of the thread (only after an error), its to-be-closed variables, its place in the
 * registry. Stack: task's userdata, whether an error stands on top of the thread. */
static int l_bury(lua_State *L)
{
    lua_getiuservalue(L, 1, THREAD);
    lua_State *thread = lua_tothread(L, -1);
    struct rl_task *task = *(struct rl_task **)lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, task->engine);
    lua_pushnil(L);
    lua_rawsetp(L, -2, task); /* registry[engine][task] = nil */
    if (lua_toboolean(L, 2)) {
        luaL_traceback(L, thread, NULL, 0);
        lua_setiuservalue(L, 1, TRACEBACK);
        lua_resetthread(thread); /* closes what is to be closed; keeps the error on top */
    }
    return 0;
}


static void bury(lua_State *L, struct rl_task *task, bool failed, enum rl_task_state state)
{
    lua_pushcfunction(L, l_bury);
    rl_task_push(L, task);
    lua_pushboolean(L, failed);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* no memory for the traceback; the task ends all the same */
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


/* Tells the alarm whose code runs now. */
static void watch(struct rl_engine *engine, struct rl_task *task)
{
    if (engine->interrupt != NULL)
        rl_interrupt_watch(engine->interrupt, task != NULL ? task->thread : NULL,
                           task != NULL ? task->deadline_ns : 0);
}


/* A hook in the coroutine that runs: its task is past its deadline. */
static void on_deadline(lua_State *L, void *owner)
{
    struct rl_task *task = ((struct rl_engine *)owner)->running;
    if (task == NULL)
        return;
    cancel_late(L, task);
    raise_cancelled(L, task);
}


void rl_task_switch(struct rl_engine *engine, lua_State *to)
{
    if (engine->interrupt != NULL)
        rl_interrupt_switch(engine->interrupt, to);
}


bool rl_task_set_deadline(lua_State *L, struct rl_task *task, uint64_t deadline_ns, int reason)
{
    struct rl_engine *engine = task->engine;
    if (task->state >= RL_TASK_DONE)
        return true;
    reason = lua_absindex(L, reason);
    rl_task_push(L, task);
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, -2, LATE);
    lua_pop(L, 1);
    task->deadline_ns = deadline_ns;
    if (task->state == RL_TASK_WAITING)
        arm(task);
    if (engine->interrupt == NULL && engine->may_interrupt) {
        engine->interrupt = rl_interrupt_open(on_deadline, engine);
        engine->may_interrupt = engine->interrupt != NULL;
    }
    watch(engine, engine->running);
    return engine->interrupt != NULL;
}


static void resume(lua_State *L, struct rl_task *task)
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
        make_ready(task);
    }
}


/* Takes <task> out of the ready queue, wherever it stands. */
static void unqueue(struct rl_task *task)
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


void rl_task_start(lua_State *L, struct rl_task *task)
{
    unqueue(task);
    resume(L, task);
}


/* Resumes the tasks that are ready now; those that become ready meanwhile wait for the next
 * turn, so that no task starves the network. */
static bool resume_ready(lua_State *L, struct rl_engine *engine)
{
    bool any = engine->ready_count > 0;
    for (size_t left = engine->ready_count; left > 0 && engine->ready != NULL; left--) {
        struct rl_task *task = engine->ready;
        unqueue(task);
        resume(L, task);
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
    engine->running = NULL; /* what callbacks start is nobody's child */
    bool alive = uv_run(engine->loop, block ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
    engine->running = before;
    return alive || resumed || engine->ready_count > 0;
}


/* ------------------------------------------------------------------ tasks as Lua sees them */

/* What a task starts has no longer to run than the task. */
static void inherit_deadline(lua_State *L, struct rl_task *task)
{
    if (task->parent->deadline_ns == 0)
        return;
    task->deadline_ns = task->parent->deadline_ns;
    rl_task_push(L, task);
    rl_task_push(L, task->parent);
    lua_getiuservalue(L, -1, LATE);
    lua_setiuservalue(L, -3, LATE); /* task.late = parent.late */
    lua_pop(L, 2);
}


struct rl_task *rl_task_spawn(lua_State *L, struct rl_engine *engine, int nargs)
{
    struct rl_task **box = lua_newuserdatauv(L, sizeof(*box), USERVALUES);
    *box = NULL;
    luaL_setmetatable(L, "rille.Task");
    lua_State *thread = lua_newthread(L);
    lua_setiuservalue(L, -2, THREAD);
    struct rl_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        luaL_error(L, "not enough memory");
    *box = task;
    task->engine = engine;
    task->thread = thread;
    task->state = RL_TASK_DONE; /* nothing to end should the next lines raise */
    luaL_checkstack(thread, nargs + 1, "arguments of a task");
    lua_rawgetp(L, LUA_REGISTRYINDEX, engine);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, task); /* registry[engine][task] = userdata */
    lua_pop(L, 1);
    lua_insert(L, -nargs - 2);
    lua_xmove(L, thread, nargs + 1);

    task->parent = engine->running;
    if (task->parent != NULL) {
        inherit_deadline(L, task);
        task->next_child = task->parent->children;
        if (task->next_child != NULL)
            task->next_child->prev_child = task;
        task->parent->children = task;
    }
    engine->tasks++;
    make_ready(task);
    return task;
}


struct rl_task *rl_task_check(lua_State *L, int index)
{
    return *(struct rl_task **)luaL_checkudata(L, index, "rille.Task");
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
    lua_setiuservalue(L, -2, REASON);
    lua_pop(L, 1);
    task->cancelled = task->cancel_pending = true;
    task->grace_end = uv_now(task->engine->loop) + RL_GRACE_MS;
    if (task->state == RL_TASK_WAITING)
        wake(task, RL_WAKE_DONE);
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
        lua_getiuservalue(L, index, REASON);
    } else {
        lua_pushvalue(task->thread, -1);
        lua_xmove(task->thread, L, 1);
    }
    lua_getiuservalue(L, index, TRACEBACK);
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
static void abandon(struct rl_task *task)
{
    task->engine->closing = true;
    unlink_waiter(task);
    lua_resetthread(task->thread);
}


static int l_task_gc(lua_State *L)
{
    struct rl_task **box = lua_touserdata(L, 1);
    struct rl_task *task = *box;
    if (task == NULL)
        return 0;
    *box = NULL;
    warn_unobserved(L, task);
    task->collected = true;
    if (task->state < RL_TASK_DONE) /* collected before its end: the state is being closed */
        abandon(task);
    if (!task->timer_open)
        free(task);
    else if (!uv_is_closing((uv_handle_t *)&task->timer))
        uv_close((uv_handle_t *)&task->timer, on_task_timer_closed);
    return 0;
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
                abandon(task);
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
    make_class(L, "rille.Task", l_task_gc);
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
