// Calls an exported function a known number of times, and says how often it did and what processor time it took, so that counts of
// a probe can be held against it. Each call answers with a number that the next one needs: a call that went wrong shows.
// Usage: hits [wait] CALLS THREADS MILLISECONDS [fork | exec PROGRAM ARGUMENTS...]
//        hits until                    calls every 100 microseconds until its stdin ends
// wait: says "ready" and begins when stdin gives a line. MILLISECONDS: processor time that the process has used
// at the end at least (time before an exec counts).
// fork: a child makes as many calls at the same time. exec: another program instead of the end.
// Build: gcc -O2 -fomit-frame-pointer -pthread hits.c -o hits
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64

static unsigned long calls_each;

__attribute__((noinline)) unsigned long hit(unsigned long number)
{
    return number + (getppid() >= 0);
}

static void *call(void *unused)
{
    unsigned long number = 0;
    (void)unused;
    while (number < calls_each) {
        unsigned long next = hit(number);
        if (next != number + 1)
            abort();
        number = next;
    }
    return NULL;
}

static unsigned long microseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000ul + now.tv_nsec / 1000;
}

static void until_the_end_of_stdin(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    unsigned long number = 0;
    puts("ready");
    fflush(stdout);
    while (poll(&input, 1, 0) == 0) {
        unsigned long next = hit(number);
        if (next != number + 1)
            abort();
        number = next;
        usleep(100);
    }
    printf("calls %lu\n", number);
}

int main(int count, char **arguments)
{
    unsigned long started = microseconds(CLOCK_MONOTONIC);
    if (count > 1 && strcmp(arguments[1], "until") == 0) {
        until_the_end_of_stdin();
        return 0;
    }
    if (count > 1 && strcmp(arguments[1], "wait") == 0) {
        char line[16];
        puts("ready");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            return 1;
        arguments++;
        count--;
    }
    if (count < 4)
        return 2;
    unsigned long calls = strtoul(arguments[1], NULL, 10), threads = strtoul(arguments[2], NULL, 10);
    unsigned long burn = strtoul(arguments[3], NULL, 10) * 1000;
    if (threads < 1 || threads > MOST_THREADS || calls % threads)
        return 2;
    calls_each = calls / threads;
    pid_t child = count > 4 && strcmp(arguments[4], "fork") == 0 ? fork() : -1;
    pthread_t all[MOST_THREADS];
    for (unsigned long i = 1; i < threads; i++)
        if (pthread_create(&all[i], NULL, call, NULL) != 0)
            return 3;
    call(NULL);
    for (unsigned long i = 1; i < threads; i++)
        pthread_join(all[i], NULL);
    if (child == 0)
        _exit(0);
    int status = 0;
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0))
        return 4;
    while (microseconds(CLOCK_PROCESS_CPUTIME_ID) < burn)
        ;
    if (count > 5 && strcmp(arguments[4], "exec") == 0) {
        execv(arguments[5], arguments + 5);
        return 5;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    unsigned long seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    printf("calls %lu cpu_us %lu wall_us %lu\n", calls, seconds * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
           microseconds(CLOCK_MONOTONIC) - started);
    return 0;
}
