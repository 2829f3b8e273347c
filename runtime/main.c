/* main.c -- the `rille` program: a host like any other, with a terminal. */
#include "rille.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { INTERRUPTED = 130, GRACE_S = 4 }; /* a task has 2 seconds to clean up */


static void on_log(void *user, enum rille_log_level level, const char *line)
{
    (void)user;
    if (level >= RILLE_LOG_WARN)
        fprintf(stderr, "%s\n", line);
}


static void on_alarm(int number)
{
    (void)number;
    _exit(INTERRUPTED);
}


/* A request to end is a Ctrl-C that nobody repeats: Lua code that spins does not hear of it. */
static void on_terminate(int number)
{
    (void)number;
    raise(SIGINT);
    alarm(GRACE_S);
}


int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error like another */
    signal(SIGALRM, on_alarm);
    signal(SIGTERM, on_terminate);
    rille *rt = rille_open(&(rille_options){.interrupts = 1, .log = on_log});
    if (rt == NULL) {
        fputs("rille: not enough memory or file descriptors to start\n", stderr);
        return 1;
    }
    int status = rille_exec(rt, argc, argv);
    rille_close(rt);
    return status;
}
