/* What `make kernels` captures in its virtual machines: a known chain of calls that spins, then a function called a known number of times.
 *
 *   workload MILLISECONDS CALLS
 *
 * spins for that long below main → chain_one → chain_two → chain_three, then calls the exported `probed` that often, and prints what it did
 * as one line of JSON. Build: gcc -O2 -g -fomit-frame-pointer -rdynamic -Wl,--build-id=sha1 workload.c -o workload
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))
/* Keeps a call from becoming a jump and code behind it alive. */
#define AFTER() __asm__ volatile("" ::: "memory")

/* The clock is read once in so many turns, so that nearly every sample falls into the chain and not into the kernel or the C library. */
enum { TURNS_PER_LOOK = 2000000 };

static unsigned long spins;
static unsigned long calls;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

NOINLINE static void chain_three(void)
{
    for (unsigned long turn = 0; turn < TURNS_PER_LOOK; turn++) {
        spins++;
        AFTER();
    }
}

NOINLINE static void chain_two(void) { chain_three(); AFTER(); }
NOINLINE static void chain_one(void) { chain_two(); AFTER(); }

__attribute__((visibility("default"))) NOINLINE void probed(void)
{
    calls++;
    AFTER();
}

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    double end = seconds() + atof(words[1]) / 1e3;
    unsigned long wanted = strtoul(words[2], NULL, 10);
    while (seconds() < end)
        chain_one();
    while (calls < wanted)
        probed();
    printf("{\"spins\":%lu,\"calls\":%lu}\n", spins, calls);
    return 0;
}
