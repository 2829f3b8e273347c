/* task.h -- walk 9: coroutines that the runtime owns, and the one place that resumes them.
 *
 * A task runs until it parks on an operation. Completing the operation (from a libuv or curl
 * callback, or from another task) only queues the task; it is resumed later, outside uv_run, by a
 * turn of the engine. So C never calls into Lua from a callback, and lua_resume stands once in the
 * whole program.
 *
 * Where parking is impossible (the main thread, a coroutine of the script's own, a metamethod, a
 * sort callback) the same function turns the loop until its operation is done: blocking Lua works
 * everywhere but in libuv's callbacks.
 *
 * Cancelling a task wakes it with a failure raised at its await. Code that catches it has
 * RL_GRACE_MS to clean up; then the coroutine is closed, and what is to be closed in it may not
 * wait any more. Tasks spawned by a cancelled task are cancelled with it; those of a task that ends
 * belong to the one that spawned it.
 */
#ifndef RL_TASK_H
#define RL_TASK_H

#include "err.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { RL_GRACE_MS = 2000 };

struct rl_engine; /* one per runtime: the loop, the tasks that are ready, what hangs on them */
struct rl_task;   /* one coroutine of ours */

/* One thing to wait for. Embedded in whatever completes it; that memory must outlive the wait,
 * which a waiting C function guarantees by keeping the owner's userdata on its stack. Whoever
 * frees it while a state is being closed completes it first. */
struct rl_op {
    bool done; /* set by rl_op_complete; its owner may clear it to be waited for again */
    struct rl_task *waiters;  /* tasks parked on it; kept by task.c */
    struct rl_engine *turner; /* who turns the loop for it, outside a task; kept by wait.c */
};

/* Completes <op>: whoever waits becomes ready. Idempotent; safe in uv and curl callbacks. */
void rl_op_complete(struct rl_op *op);

/* Why a wait ended. */
enum rl_wake {
    RL_WAKE_DONE,    /* the operation completed */
    RL_WAKE_TIMEOUT, /* the time ran out first */
    RL_WAKE_STUCK    /* outside a task only: nothing is left that could complete it */
};

/* Waits for <op> (NULL: only for the time) for at most <timeout_ms> (negative: without limit), then
 * continues in <k> with the same <ctx>, which asks rl_wake_reason. In a task it yields; elsewhere
 * it turns the loop and returns what <k> returns. Always called as `return rl_park(...)`. When the
 * task is cancelled <k> is not called: the failure is raised instead. */
int rl_park(lua_State *L, struct rl_op *op, int64_t timeout_ms, lua_KContext ctx, lua_KFunction k);

/* Inside <k>: why the wait ended. */
enum rl_wake rl_wake_reason(lua_State *L);

/* Opens an engine for the state of <L>: on <loop> when given, else on a loop of its own. Leaves
 * its userdata on the stack; the caller keeps it in the registry, collecting it closes the engine.
 * Raises when memory is missing. */
struct rl_engine *rl_engine_open(lua_State *L, uv_loop_t *loop);

/* The engine of a function that was registered with it as upvalue 1 (every one of rille.core). */
struct rl_engine *rl_engine_of(lua_State *L);

/* The loop that everything of this runtime runs on. */
uv_loop_t *rl_engine_loop(struct rl_engine *engine);

/* Lets deadlines stop code that never waits; from the first deadline on a handler for SIGURG is
 * installed (interrupt.h). Without this only waits end at a deadline. */
void rl_engine_allow_interrupts(struct rl_engine *engine);

/* One turn: resumes what is ready, then lets libuv work, waiting for events when <wait> and nothing
 * was ready. Returns whether anything is left that keeps the loop alive. */
bool rl_engine_turn(lua_State *L, struct rl_engine *engine, bool wait);

/* Turns without waiting, again and again while tasks are ready, for about <max_ns>: no task is
 * resumed after that. 0: one turn, however long it takes. */
void rl_engine_pump(lua_State *L, struct rl_engine *engine, uint64_t max_ns);

/* Resumes nothing any more: the state will be closed as soon as the C stack allows. */
void rl_engine_halt(struct rl_engine *engine);

/* Milliseconds until a turn has work if no descriptor of the loop becomes ready; 0: now, -1: never.
 */
int rl_engine_timeout_ms(const struct rl_engine *engine);

/* How many tasks have not ended. */
size_t rl_engine_tasks(const struct rl_engine *engine);

/* While a host's code that a task has called asks for something of its own, that is nobody's child
 * and under nobody's deadline: the task steps aside, and is taken back afterwards. */
struct rl_aside {
    struct rl_task *task;
    lua_State *coroutine;
};
struct rl_aside rl_engine_set_aside(struct rl_engine *engine);
void rl_engine_take_back(struct rl_engine *engine, struct rl_aside aside);

/* What other rooms hang on an engine, opened on first use; closed, before the loop, by <close>.
 * NULL once the engine is closed: finalisers run on. */
enum rl_slot { RL_SLOT_HTTP, RL_SLOTS };
void **rl_engine_slot(struct rl_engine *engine, enum rl_slot slot, void (*close)(void *));

/* Starts the function and <nargs> arguments on top of the stack as a task; replaces them by the
 * task's userdata (class "rille.Task"). Raises when memory is missing and when the state closes. */
struct rl_task *rl_task_spawn(lua_State *L, struct rl_engine *engine, int nargs);

/* Lets a task that was just spawned run at once, until it parks or ends. */
void rl_task_start(lua_State *L, struct rl_task *task);

/* The same for a task that is about to be waited for by the one that runs, when it has not begun.
 * Does nothing where that would pile tasks up on the C stack: it begins in its turn then. */
void rl_task_start_inside(lua_State *L, struct rl_task *task);

/* Says what the task, and those that it leads to, work for: the value at stack index <errand>. */
void rl_task_set_errand(lua_State *L, struct rl_task *task, int errand);

/* Pushes what the task works for: its own errand, or that of the nearest task that led to it; nil
 * when there is none. The task has not ended. */
void rl_task_push_errand(lua_State *L, const struct rl_task *task);

/* The task that runs now on this very coroutine, or NULL. */
struct rl_task *rl_task_running(lua_State *L, struct rl_engine *engine);

/* Pushes the userdata of a task that has not ended. */
void rl_task_push(lua_State *L, const struct rl_task *task);

/* The task at <index>; raises when it is none. */
struct rl_task *rl_task_check(lua_State *L, int index);

/* Completed when the task has ended; joins wait for it. */
struct rl_op *rl_task_end(struct rl_task *task);

/* The task that spawned it; NULL when there was none, or when either has ended. */
struct rl_task *rl_task_parent(const struct rl_task *task);

/* Completed when the last task that this one has spawned or inherited has ended; done when there is
 * none. */
struct rl_op *rl_task_childless(struct rl_task *task);

/* Cancels the task and those it spawned, with the failure (any value) at stack index <reason>. What
 * it spawns while it cleans up is cancelled when it ends. */
void rl_task_cancel(lua_State *L, struct rl_task *task, int reason);

/* At uv_hrtime <deadline_ns> the task, and any it spawns from now on, is cancelled with the value
 * at stack index <reason> even if it never waits: see interrupt.h. The deadline of the task that
 * spawned it stays where it is the earlier one. Returns false when the system has no thread for
 * that; then only waits end at a deadline. */
bool rl_task_set_deadline(lua_State *L, struct rl_task *task, uint64_t deadline_ns, int reason);

/* The coroutine <to> begins to run inside a task, or has got control back from one of the script's
 * own; it must live until the next switch. Does nothing while no deadline is watched. */
void rl_task_switch(struct rl_engine *engine, lua_State *to);

enum rl_task_state {
    RL_TASK_READY,
    RL_TASK_RUNNING,
    RL_TASK_WAITING,
    RL_TASK_DONE,
    RL_TASK_FAILED,
    RL_TASK_CANCELLED
};
enum rl_task_state rl_task_state(const struct rl_task *task);

/* Is it being ended before its time, or is its deadline over? */
bool rl_task_is_cancelled(const struct rl_task *task);

/* Has it been resumed? */
bool rl_task_has_begun(const struct rl_task *task);

/* Has its function returned? A task may have been cancelled in that very moment. */
bool rl_task_has_returned(const struct rl_task *task);

/* After its end, if its function has returned: pushes what it returned, and returns how many
 * values. <index> is the task's userdata. */
int rl_task_returned(lua_State *L, int index);

/* After its end: pushes what it returned, and returns how many values (RL_TASK_DONE); or pushes
 * what was raised and the traceback (a string), and returns 2. <index> is the task's userdata. */
int rl_task_results(lua_State *L, int index);

#endif
