/* interrupt.c -- beside the walk: stops Lua code that does not come back. See interrupt.h.
 *
 * Three actors: the Lua thread says what runs and until when (watch); the alarm thread sleeps until
 * then and signals; the handler, on the Lua thread again, arms the hook.
 */
#include "interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

enum { AGAIN_MS = 500 }; /* between the first strike, which may be cleaned up after, and the last */

struct rl_interrupt {
    rl_on_deadline *on_deadline;
    void *owner;
    lua_State *volatile running;  /* the coroutine that runs now; read by the handler */
    volatile sig_atomic_t is_due; /* set by the alarm thread before it signals */
    unsigned strike;              /* how often the watched code was struck */
    pthread_t lua_thread, alarm_thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint64_t deadline_ns;     /* 0: nothing to watch */
    uint64_t asleep_until_ns; /* when the alarm thread looks again by itself */
    bool closing;
};

/* Which runtime's Lua runs on this thread: what the handler has to go by. */
static _Thread_local struct rl_interrupt *volatile current;

static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned handler_users;          /* runtimes with interrupts open */
static struct sigaction handler_before; /* what SIGURG did without us */


/* ------------------------------------------------------------------ on the Lua thread */

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct rl_interrupt *interrupt = current;
    if (interrupt == NULL)
        return;
    if (interrupt->strike == 1)
        lua_sethook(L, NULL, 0, 0); /* code that cleans up may run */
    interrupt->on_deadline(L, interrupt->owner);
}


static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    struct rl_interrupt *interrupt = current;
    if (interrupt != NULL && interrupt->is_due) {
        interrupt->is_due = 0;
        if (interrupt->running != NULL) {
            interrupt->strike++;
            lua_sethook(interrupt->running, on_count, LUA_MASKCOUNT, 1);
        }
    } else if (handler_before.sa_flags & SA_SIGINFO) {
        handler_before.sa_sigaction(number, info, context);
    } else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN) {
        handler_before.sa_handler(number);
    }
    errno = error;
}


void rl_interrupt_watch(struct rl_interrupt *interrupt, lua_State *L, uint64_t deadline_ns)
{
    current = interrupt;
    interrupt->running = deadline_ns != 0 ? L : NULL;
    interrupt->strike = 0;
    pthread_mutex_lock(&interrupt->lock);
    interrupt->deadline_ns = deadline_ns;
    interrupt->is_due = 0;
    interrupt->lua_thread = pthread_self();
    if (deadline_ns != 0 && deadline_ns < interrupt->asleep_until_ns) /* rare: wakes a thread */
        pthread_cond_signal(&interrupt->changed);
    pthread_mutex_unlock(&interrupt->lock);
}


void rl_interrupt_switch(struct rl_interrupt *interrupt, lua_State *L)
{
    if (interrupt->running == NULL)
        return;
    interrupt->running = L;
    if (interrupt->strike > 1) /* it was struck for good: so is whatever it switches to */
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
}


/* ------------------------------------------------------------------ the alarm thread */

/* Sleeps until uv_hrtime() reaches <at_ns>, or something changes. Called with the lock held. */
static void sleep_until(struct rl_interrupt *interrupt, uint64_t at_ns)
{
    struct timespec when;
    clock_gettime(CLOCK_REALTIME,
                  &when); /* the one clock every system's condition variables know */
    uint64_t now = uv_hrtime(), left = at_ns > now ? at_ns - now : 0;
    uint64_t nanoseconds = (uint64_t)when.tv_nsec + left % 1000000000u;
    when.tv_sec += (time_t)(left / 1000000000u + nanoseconds / 1000000000u);
    when.tv_nsec = (long)(nanoseconds % 1000000000u);
    interrupt->asleep_until_ns = at_ns;
    pthread_cond_timedwait(&interrupt->changed, &interrupt->lock, &when);
}


static void *run_alarm(void *arg)
{
    struct rl_interrupt *interrupt = arg;
    pthread_mutex_lock(&interrupt->lock);
    while (!interrupt->closing) {
        if (interrupt->deadline_ns == 0) {
            interrupt->asleep_until_ns = UINT64_MAX;
            pthread_cond_wait(&interrupt->changed, &interrupt->lock);
        } else if (uv_hrtime() < interrupt->deadline_ns) {
            sleep_until(interrupt, interrupt->deadline_ns);
        } else {
            interrupt->deadline_ns = uv_hrtime() + AGAIN_MS * 1000000u;
            interrupt->is_due = 1;
            pthread_kill(interrupt->lua_thread, SIGURG);
        }
    }
    pthread_mutex_unlock(&interrupt->lock);
    return NULL;
}


/* ------------------------------------------------------------------ open and close */

static void take_signal(void)
{
    pthread_mutex_lock(&handler_lock);
    if (handler_users++ == 0) {
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
        sigemptyset(&action.sa_mask);
        sigaction(SIGURG, &action, &handler_before);
    }
    pthread_mutex_unlock(&handler_lock);
}


static void give_signal_back(void)
{
    pthread_mutex_lock(&handler_lock);
    if (--handler_users == 0)
        sigaction(SIGURG, &handler_before, NULL);
    pthread_mutex_unlock(&handler_lock);
}


/* The alarm thread takes no signals: they are the host's. */
static int start_thread(struct rl_interrupt *interrupt)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&interrupt->alarm_thread, NULL, run_alarm, interrupt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}


struct rl_interrupt *rl_interrupt_open(rl_on_deadline *on_deadline, void *owner)
{
    struct rl_interrupt *interrupt = calloc(1, sizeof(*interrupt));
    if (interrupt == NULL)
        return NULL;
    interrupt->on_deadline = on_deadline;
    interrupt->owner = owner;
    pthread_mutex_init(&interrupt->lock, NULL);
    pthread_cond_init(&interrupt->changed, NULL);
    current = interrupt;
    if (start_thread(interrupt) != 0) {
        pthread_mutex_destroy(&interrupt->lock);
        pthread_cond_destroy(&interrupt->changed);
        free(interrupt);
        return NULL;
    }
    take_signal();
    return interrupt;
}


void rl_interrupt_close(struct rl_interrupt *interrupt)
{
    if (current == interrupt)
        current = NULL;
    pthread_mutex_lock(&interrupt->lock);
    interrupt->closing = true;
    pthread_cond_signal(&interrupt->changed);
    pthread_mutex_unlock(&interrupt->lock);
    pthread_join(interrupt->alarm_thread, NULL);
    give_signal_back();
    pthread_mutex_destroy(&interrupt->lock);
    pthread_cond_destroy(&interrupt->changed);
    free(interrupt);
}
