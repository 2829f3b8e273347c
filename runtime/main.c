/* main.c -- the `rille` program: a host like any other, with a terminal. */
#include "rille.h"

#include <signal.h>
#include <stdio.h>


static void on_log(void *user, enum rille_log_level level, const char *line)
{
    (void)user;
    if (level >= RILLE_LOG_WARN)
        fprintf(stderr, "%s\n", line);
}


int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error like another */
    rille *rt = rille_open(&(rille_options){.interrupts = 1, .log = on_log});
    if (rt == NULL) {
        fputs("rille: not enough memory or file descriptors to start\n", stderr);
        return 1;
    }
    int status = rille_exec(rt, argc, argv);
    rille_close(rt);
    return status;
}
