/* interrupt.h -- beside the walk: stops Lua code that does not come back.
 *
 * A count hook that is armed all the time makes Lua nearly three times slower, so it is armed only
 * once a deadline has passed: a small thread sleeps until then and sends the thread that runs Lua a
 * signal, whose handler arms the hook. Calling lua_sethook from a handler on the same thread is
 * what Lua provides for; from another thread it would race with the interpreter.
 *
 * The signal is SIGURG, which does nothing to a process by default. The handler passes signals that
 * are not ours on to the one that was there before. It is installed with the first deadline, and
 * only when the runtime was opened with interrupts on.
 */
#ifndef RL_INTERRUPT_H
#define RL_INTERRUPT_H

#include <lua.h>
#include <stdint.h>

enum {
    RL_SPIN_MS = 500
}; /* between the first strike, which may be cleaned up after, and the last */

struct rl_interrupt;

/* Called as a hook in the coroutine <L> that runs: it has been struck, its deadline has passed. It
 * raises. Until the next rl_interrupt_watch the first strike comes once; RL_SPIN_MS later the
 * second one comes at every instruction, so that catching the error does not help. */
typedef void rl_on_strike(lua_State *L, void *owner);

/* Opens the thread and the handler, for the state of <L>. NULL when the system has no thread to
 * give. */
struct rl_interrupt *rl_interrupt_open(lua_State *L, rl_on_strike *on_strike, void *owner);

/* Ends the thread; a handler that was there before is put back. */
void rl_interrupt_close(struct rl_interrupt *interrupt);

/* From here on the coroutine <L> runs on this thread, until uv_hrtime reaches <deadline_ns> (0: it
 * may run for ever). Cheap when neither it nor what ran before has a deadline. */
void rl_interrupt_watch(struct rl_interrupt *interrupt, lua_State *L, uint64_t deadline_ns);

/* A coroutine of the script's own begins to run inside the watched one, or has stopped running: <L>
 * runs now. It must live until the next call of this or of rl_interrupt_watch. */
void rl_interrupt_switch(struct rl_interrupt *interrupt, lua_State *L);

/* The coroutine that is watched; NULL when nothing is. */
lua_State *rl_interrupt_running(const struct rl_interrupt *interrupt);

#endif
