// Says "ready", waits for a line, and calls an exported function below a recursion; the function blocks for ever in one that it calls.
// Usage: blocking DEPTH [thread]       thread: not on the main thread's stack
// Build: gcc -O2 -fomit-frame-pointer -pthread blocking.c -o blocking
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int silent[2];

__attribute__((noinline)) static long wait_below(int file)
{
    char byte = 0;
    long got = read(file, &byte, 1);
    return got + byte;
}

__attribute__((noinline)) long blocks(long number)
{
    volatile char padding[100];
    padding[number % 100] = 1;
    return wait_below(silent[0]) + padding[number % 100];
}

__attribute__((noinline)) static long down(long depth)
{
    volatile char padding[24];
    padding[depth % 24] = 1;
    long below = depth == 0 ? blocks(depth) : down(depth - 1);
    return below + padding[depth % 24];
}

static void *body(void *depth)
{
    printf("%ld\n", down(atol(depth)));
    return NULL;
}

int main(int count, char **arguments)
{
    char line[16];
    pthread_t thread;
    if (count < 2 || pipe(silent) != 0)
        return 2;
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 1;
    if (count < 3)
        return body(arguments[1]) != NULL;
    if (pthread_create(&thread, NULL, body, arguments[1]) != 0)
        return 1;
    pthread_join(thread, NULL);
    return 0;
}
