/* engine.h -- walk 9: what the files of the engine know of each other; nobody else includes it.
 *
 * wait.c parks and wakes, task.c begins, resumes and ends, stop.c ends before the time, engine.c
 * turns the loop.
 */
#ifndef RL_ENGINE_H
#define RL_ENGINE_H

#include "interrupt.h"
#include "task.h"

/* The uservalues of a task's userdata: its coroutine, why it was cancelled, where it failed, what
 * its deadline raises, what it works for. */
enum { RL_THREAD = 1, RL_REASON, RL_TRACEBACK, RL_LATE, RL_ERRAND, RL_USERVALUES = RL_ERRAND };

struct rl_task {
    struct rl_engine *engine;
    lua_State *thread;
    int slot; /* luaL_ref; LUA_NOREF once it has ended */
    enum rl_task_state state;
    struct rl_op end;       /* completed when the task has ended */
    struct rl_op childless; /* completed when the last of its children has */

    struct rl_op *op;                          /* what it is parked on; NULL: only on time */
    struct rl_task *next_waiter, *prev_waiter; /* siblings in op->waiters */
    lua_KFunction k;                           /* where it goes on */
    lua_KContext ctx;
    enum rl_wake wake;
    uint64_t wait_end; /* uv_now at which the wait times out; UINT64_MAX: never */
    uv_timer_t *timer; /* from the first wait that has an end, or a deadline: few tasks have one */
    bool turning;      /* RUNNING, and waits by turning the loop */
    bool bare; /* READY after a coroutine.yield of the script's own: nothing can be raised there */

    bool cancelled;       /* rl_task_cancel was called */
    bool cancel_pending;  /* and the failure is still to be raised */
    bool forced;          /* its coroutine is being closed: it may not wait any more */
    uint64_t deadline_ns; /* uv_hrtime at which it must have given control back; 0: never */
    uint64_t grace_end;   /* uv_now at which a cancelled task is closed by force */
    bool observed;        /* somebody has asked for its results */
    bool begun;           /* it has been resumed */
    bool returned;        /* its function has come to its end */
    bool is_inner;        /* runs for the first time, on top of the task that waits for it */
    bool has_errand;      /* uservalue RL_ERRAND is set */

    struct rl_task *next_ready, *prev_ready;
    struct rl_task *parent, *children, *next_child, *prev_child;
    struct rl_task *next_dead; /* of those that did not end before their state closed */
};

enum { RL_TURN_STACK = 8 }; /* slots of the Lua stack that a turn of the loop needs */

struct slot {
    void *value;
    void (*close)(void *);
};

struct rl_engine {
    lua_State *main;
    int known;                /* registry[known]: tasks that have not ended, by slot */
    int class, body, handler; /* of all tasks, in the registry: their metatable, what they run */
    const void *task_class;   /* the metatable, to know it by */
    uv_loop_t *loop;
    uv_loop_t own_loop;
    bool owns_loop;
    bool in_loop;            /* inside uv_run: whoever waits now must not turn it again */
    uv_idle_t *idle;         /* active while tasks are ready and in a hurry: see engine.c */
    struct rl_task *running; /* whose coroutine is being resumed, or NULL */
    struct rl_task *ready, *ready_last; /* in the order in which they became ready */
    struct rl_task *dead;               /* to be freed when the engine is closed */
    size_t tasks, ready_count;
    size_t open_handles;            /* timers and idle that libuv still knows */
    int nesting;                    /* loops turned inside tasks */
    enum rl_wake wake;              /* for the continuation that runs now */
    struct rl_interrupt *interrupt; /* opened with the first deadline */
    bool may_interrupt;             /* the host allows a signal handler */
    struct slot slots[RL_SLOTS];
    bool halted;  /* the host has closed the runtime: nothing is resumed any more */
    bool closing; /* the state is being closed: nobody waits, nothing begins */
    bool closed;
};

/* wait.c: takes a parked task off its operation. */
void rl_task_unpark(struct rl_task *task);

/* wait.c: moves the timer of a waiting task to its wait's end or its deadline, what comes first.
 * Raises when it has none yet, and there is no memory for it. */
void rl_task_arm(lua_State *L, struct rl_task *task);

/* wait.c: lets go of the timer, if there is one. */
void rl_task_close_timer(struct rl_task *task);

/* wait.c: ends the wait of a parked task for <reason>. */
void rl_task_wake(struct rl_task *task, enum rl_wake reason);

/* wait.c: is it past its deadline, and not yet cancelled for that? */
bool rl_task_is_late(const struct rl_task *task);

/* engine.c: something happened that is waited for; the running turn must not wait for events. */
void rl_engine_hurry(struct rl_engine *engine);

/* engine.c: puts a task at the end of the ready queue; takes one out of it, wherever it stands. */
void rl_engine_queue(struct rl_task *task);
void rl_engine_unqueue(struct rl_task *task);

/* task.c: makes what all tasks share. */
void rl_task_open(lua_State *L, struct rl_engine *engine);

/* task.c: resumes a task that is out of the queue, until it parks or ends. */
void rl_task_resume(lua_State *L, struct rl_task *task);

/* task.c: lets <task> be the one that runs, on its own coroutine; NULL: none. */
void rl_task_enter(struct rl_engine *engine, struct rl_task *task);

/* task.c: collects a task's userdata. */
int rl_task_gc(lua_State *L);

/* stop.c: cancels the running task, whose wait has met its deadline, with what that raises. */
void rl_task_cancel_late(lua_State *L, struct rl_task *task);

/* stop.c: raises, in the task's coroutine, what it was cancelled with. */
int rl_task_raise(lua_State *L, struct rl_task *task);

/* stop.c: has a cancelled task used up its time to clean up? */
bool rl_task_is_past_grace(const struct rl_task *task);

/* stop.c: tells the alarm that <L> runs now, for the running task. */
void rl_task_watch(struct rl_engine *engine, lua_State *L);

/* stop.c: closes a task's coroutine: what is to be closed in it is closed, without waiting. */
void rl_task_close_thread(struct rl_task *task);

/* stop.c: what a task starts has no longer to run than the task, unless that cleans up. */
void rl_task_inherit_deadline(lua_State *L, struct rl_task *task);

/* stop.c: cancels what a cancelled task has started since. */
void rl_task_cancel_children(lua_State *L, struct rl_task *task);

/* stop.c: the last of a task whose state is being closed. */
void rl_task_abandon(struct rl_task *task);

#endif
