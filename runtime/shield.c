/* shield.c -- beside the walk: keeps SIGPIPE from the host while the loop turns. See shield.h. */
#include "shield.h"

#include <stddef.h>


static bool is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}


static void pipe_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}


void rl_shield_raise(struct rl_shield *shield)
{
    sigset_t pipe_only;
    pipe_set(&pipe_only);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &shield->before);
    shield->was_pending = is_pending();
}


void rl_shield_lower(struct rl_shield *shield)
{
    if (!shield->was_pending && is_pending()) {
        sigset_t pipe_only;
        int signal_number;
        pipe_set(&pipe_only);
        sigwait(&pipe_only, &signal_number); /* returns at once: it is pending */
    }
    pthread_sigmask(SIG_SETMASK, &shield->before, NULL);
}
