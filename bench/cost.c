/* cost.c -- beside the walk: what one run of a program costs: cost RUNS PROGRAM [ARGUMENTS].
 *
 * Prints the median processor time, the shortest wall time and the peak memory of a child: what the
 * system has counted for it when it is waited for.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


static double us(struct timeval time)
{
    return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}


static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}


static void become(char **argv)
{
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}


static int by_size(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}


int main(int argc, char **argv)
{
    int runs = argc > 2 ? atoi(argv[1]) : 0;
    double *cpu = calloc((size_t)runs + 1, sizeof(*cpu));
    double shortest = 1e300;
    long peak = 0;
    if (runs < 1 || cpu == NULL) {
        fprintf(stderr, "cost RUNS PROGRAM [ARGUMENTS]\n");
        return 2;
    }
    for (int i = 0; i < runs; i++) {
        struct rusage used;
        int status;
        double started = now_us();
        pid_t child = fork();
        if (child == 0)
            become(argv + 2);
        if (child < 0 || wait4(child, &status, 0, &used) < 0 || status != 0) {
            fprintf(stderr, "cost: %s failed\n", argv[2]);
            return 1;
        }
        double wall = now_us() - started;
        cpu[i] = us(used.ru_utime) + us(used.ru_stime);
        shortest = wall < shortest ? wall : shortest;
        peak = used.ru_maxrss > peak ? used.ru_maxrss : peak;
    }
    qsort(cpu, (size_t)runs, sizeof(*cpu), by_size);
    printf("cpu_us=%.0f wall_us=%.0f peak_kb=%ld\n", cpu[runs / 2], shortest, peak);
    return 0;
}
