/* engine.h -- walk 9: what wait.c, task.c and engine.c know of each other; nobody else includes it.
 *
 * wait.c parks and wakes, task.c begins, resumes and ends, engine.c turns the loop.
 */
#ifndef RL_ENGINE_H
#define RL_ENGINE_H

#include "task.h"

/* The uservalues of a task's userdata: its coroutine, why it was cancelled, where it failed, what
 * its deadline raises. */
enum { RL_THREAD = 1, RL_REASON, RL_TRACEBACK, RL_LATE, RL_USERVALUES = RL_LATE };

struct rl_task {
    struct rl_engine *engine;
    lua_State *thread;
    enum rl_task_state state;
    struct rl_op end;       /* completed when the task has ended */
    struct rl_op childless; /* completed when the last of its children has */

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
    bool blocking;                  /* inside a turn that waits for events */
    enum rl_wake wake;              /* for the continuation that runs now */
    struct rl_interrupt *interrupt; /* opened with the first deadline */
    bool may_interrupt;             /* the host allows a signal handler */
    struct slot slots[RL_SLOTS];
    bool closing; /* the state is being closed: nobody waits any more */
    bool closed;
};

/* engine.c: something happened that is waited for; the running turn must not wait for events. */
void rl_engine_hurry(struct rl_engine *engine);

/* wait.c: takes a parked task off its operation. */
void rl_task_unpark(struct rl_task *task);

/* wait.c: moves the timer of a parked task to its wait's end or its deadline, what comes first. */
void rl_task_arm(struct rl_task *task);

/* wait.c: marks a task cancelled with what its deadline raises. */
void rl_task_cancel_late(lua_State *L, struct rl_task *task);

/* Tells the alarm anew until when the running task may go on without waiting. */
void rl_task_watch(struct rl_engine *engine);

/* wait.c: raises, in the task's coroutine, what it was cancelled with. */
int rl_task_raise(lua_State *L, struct rl_task *task);

/* wait.c: ends the wait of a parked task for <reason>. */
void rl_task_wake(struct rl_task *task, enum rl_wake reason);

/* engine.c: puts a task at the end of the ready queue; takes one out of it, wherever it stands. */
void rl_engine_queue(struct rl_task *task);
void rl_engine_unqueue(struct rl_task *task);

/* task.c: resumes a task that is out of the queue, until it parks or ends. */
void rl_task_resume(lua_State *L, struct rl_task *task);

/* task.c: ends what is to be closed in a task whose state is being closed. */
void rl_task_abandon(struct rl_task *task);

/* task.c: collects a task's userdata. */
int rl_task_gc(lua_State *L);

#endif
