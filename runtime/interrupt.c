/* interrupt.c -- beside the walk: stops Lua code that does not come back. See interrupt.h.
 *
 * Three actors: the Lua thread says what runs and until when (watch); the alarm thread sleeps until
 * then and signals; the handler, on the Lua thread again, arms the hook.
 * Invariant: <running> names a coroutine that is alive and on the Lua thread's stack, or NULL; the
 * handler touches nothing else of Lua's.
 */
#define _XOPEN_SOURCE 700 /* SA_ONSTACK */

#include "interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

struct rl_interrupt {
    rl_on_strike *on_strike;
    void *owner;
    lua_State *main; /* tells the hook whose coroutine it is called in */

    /* Of the Lua thread and the handler on it. */
    lua_State *volatile running;        /* what is watched; NULL: nothing */
    volatile sig_atomic_t strike;       /* how often it was struck */
    struct rl_interrupt *volatile next; /* in <watching> */

    atomic_bool is_due; /* set by the alarm thread before it signals, taken by the handler */

    uv_mutex_t lock; /* guards what follows */
    uv_cond_t changed;
    uint64_t deadline_ns;     /* 0: nothing to watch */
    uint64_t asleep_until_ns; /* when the alarm thread looks again by itself */
    pthread_t lua_thread;
    bool closing;
    uv_thread_t alarm_thread;
};

/* The handler must find what is of its thread without allocating, also where this is a module that
 * was loaded late. */
#ifdef __ELF__
#define IN_STATIC_TLS __attribute__((tls_model("initial-exec")))
#else
#define IN_STATIC_TLS
#endif

/* The runtimes that have something to watch on this thread: several when one's code runs inside
 * another's, as in a tool of a host that pumps a second runtime. */
static _Thread_local struct rl_interrupt *volatile watching IN_STATIC_TLS;

static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned handler_users;          /* runtimes with interrupts open */
static struct sigaction handler_before; /* what SIGURG did without us */


/* ------------------------------------------------------------------ on the Lua thread */

static struct rl_interrupt *find_owner(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    struct rl_interrupt *interrupt = watching;
    while (interrupt != NULL && interrupt->main != main)
        interrupt = interrupt->next;
    return interrupt;
}


/* A hook may be left from a strike that came to nothing: its coroutine was parked in that very
 * moment, or it has been handed to a task that has time left. */
static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct rl_interrupt *interrupt = find_owner(L);
    int strike = interrupt != NULL ? interrupt->strike : 0;
    if (strike <= 1)
        lua_sethook(L, NULL, 0, 0); /* code that cleans up may run */
    if (strike > 0)
        interrupt->on_strike(L, interrupt->owner);
}


static void pass_on(int number, siginfo_t *info, void *context)
{
    if (handler_before.sa_flags & SA_SIGINFO)
        handler_before.sa_sigaction(number, info, context);
    else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN)
        handler_before.sa_handler(number);
}


static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    bool is_ours = false;
    for (struct rl_interrupt *interrupt = watching; interrupt != NULL;
         interrupt = interrupt->next) {
        if (!atomic_exchange(&interrupt->is_due, false))
            continue;
        is_ours = true;
        interrupt->strike++;
        lua_sethook(interrupt->running, on_count, LUA_MASKCOUNT, 1);
    }
    if (!is_ours)
        pass_on(number, info, context);
    errno = error;
}


/* Each link is written after what it leads to, since a signal may come at any moment. */
static void join_watching(struct rl_interrupt *interrupt)
{
    interrupt->next = watching;
    watching = interrupt;
}


static void leave_watching(struct rl_interrupt *interrupt)
{
    if (watching == interrupt) {
        watching = interrupt->next;
        return;
    }
    struct rl_interrupt *before = watching;
    while (before != NULL && before->next != interrupt)
        before = before->next;
    if (before != NULL)
        before->next = interrupt->next;
}


/* From here on no signal finds <interrupt>. */
static void unwatch(struct rl_interrupt *interrupt)
{
    if (interrupt->running == NULL)
        return;
    leave_watching(interrupt);
    interrupt->running = NULL;
}


void rl_interrupt_watch(struct rl_interrupt *interrupt, lua_State *L, uint64_t deadline_ns)
{
    if (interrupt->running == NULL && deadline_ns == 0)
        return;
    unwatch(interrupt);
    uv_mutex_lock(&interrupt->lock);
    atomic_store(&interrupt->is_due, false);
    interrupt->strike = 0;
    interrupt->deadline_ns = deadline_ns;
    interrupt->lua_thread = pthread_self();
    bool is_sooner = deadline_ns != 0 && deadline_ns < interrupt->asleep_until_ns;
    if (is_sooner)
        interrupt->asleep_until_ns = deadline_ns;
    if (deadline_ns != 0) {
        interrupt->running = L;
        join_watching(interrupt);
    }
    uv_mutex_unlock(&interrupt->lock);
    if (is_sooner) /* rare; unlocked, or the thread would wake only to wait again */
        uv_cond_signal(&interrupt->changed);
}


void rl_interrupt_switch(struct rl_interrupt *interrupt, lua_State *L)
{
    if (interrupt->running == NULL)
        return;
    interrupt->running = L;
    if (interrupt->strike > 1) /* it was struck for good: so is whatever it switches to */
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
}


lua_State *rl_interrupt_running(const struct rl_interrupt *interrupt)
{
    return interrupt->running;
}


/* ------------------------------------------------------------------ the alarm thread */

/* With nothing to watch it keeps the time that it was woken for: the next deadline is later, as a
 * rule, and need not wake it. */
static void sleep_until(struct rl_interrupt *interrupt, uint64_t at, uint64_t now)
{
    if (at == 0)
        at = interrupt->asleep_until_ns > now ? interrupt->asleep_until_ns : UINT64_MAX;
    interrupt->asleep_until_ns = at;
    if (at == UINT64_MAX)
        uv_cond_wait(&interrupt->changed, &interrupt->lock);
    else
        uv_cond_timedwait(&interrupt->changed, &interrupt->lock, at - now);
}


static void run_alarm(void *arg)
{
    struct rl_interrupt *interrupt = arg;
    uv_mutex_lock(&interrupt->lock);
    while (!interrupt->closing) {
        uint64_t now = uv_hrtime(), at = interrupt->deadline_ns;
        if (at == 0 || now < at) {
            sleep_until(interrupt, at, now);
        } else {
            interrupt->deadline_ns = now + RL_SPIN_MS * UINT64_C(1000000);
            atomic_store(&interrupt->is_due, true);
            pthread_kill(interrupt->lua_thread, SIGURG);
        }
    }
    uv_mutex_unlock(&interrupt->lock);
}


/* ------------------------------------------------------------------ open and close */

static void take_signal(void)
{
    pthread_mutex_lock(&handler_lock);
    if (handler_users++ == 0) {
        /* On the alternate stack where the host has one: some runtimes insist on that. */
        struct sigaction action = {.sa_sigaction = on_signal,
                                   .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        sigaction(SIGURG, &action, &handler_before);
    }
    pthread_mutex_unlock(&handler_lock);
}


/* A handler that the host has installed since then stays. */
static void give_signal_back(void)
{
    pthread_mutex_lock(&handler_lock);
    struct sigaction now;
    if (--handler_users == 0 && sigaction(SIGURG, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
        now.sa_sigaction == on_signal)
        sigaction(SIGURG, &handler_before, NULL);
    pthread_mutex_unlock(&handler_lock);
}


/* The alarm thread takes no signals: they are the host's. */
static int start_thread(struct rl_interrupt *interrupt)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = uv_thread_create(&interrupt->alarm_thread, run_alarm, interrupt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}


static bool open_lock(struct rl_interrupt *interrupt)
{
    if (uv_mutex_init(&interrupt->lock) != 0)
        return false;
    if (uv_cond_init(&interrupt->changed) == 0)
        return true;
    uv_mutex_destroy(&interrupt->lock);
    return false;
}


static void close_lock(struct rl_interrupt *interrupt)
{
    uv_cond_destroy(&interrupt->changed);
    uv_mutex_destroy(&interrupt->lock);
}


struct rl_interrupt *rl_interrupt_open(lua_State *L, rl_on_strike *on_strike, void *owner)
{
    struct rl_interrupt *interrupt = calloc(1, sizeof(*interrupt));
    if (interrupt == NULL)
        return NULL;
    interrupt->on_strike = on_strike;
    interrupt->owner = owner;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    interrupt->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    if (!open_lock(interrupt)) {
        free(interrupt);
        return NULL;
    }
    take_signal();
    if (start_thread(interrupt) != 0) {
        give_signal_back();
        close_lock(interrupt);
        free(interrupt);
        return NULL;
    }
    return interrupt;
}


void rl_interrupt_close(struct rl_interrupt *interrupt)
{
    unwatch(interrupt);
    uv_mutex_lock(&interrupt->lock);
    interrupt->closing = true;
    uv_mutex_unlock(&interrupt->lock);
    uv_cond_signal(&interrupt->changed);
    uv_thread_join(&interrupt->alarm_thread);
    give_signal_back();
    close_lock(interrupt);
    free(interrupt);
}
