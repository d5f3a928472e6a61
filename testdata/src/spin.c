// Goes down a recursion, says "ready" at its bottom, and spins there on one instruction: the thread is at one place however often and
// however one looks.
// Usage: spin DEPTH [thread]       thread: not on the main thread's stack
// Build: gcc -O2 -fomit-frame-pointer -pthread spin.c -o spin
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) void spin(void)
{
    puts("ready");
    fflush(stdout);
    __asm__ volatile("1: jmp 1b");
}

__attribute__((noinline)) static int down(int depth)
{
    volatile char padding[24];
    padding[depth % 24] = 1;
    if (depth == 0)
        spin();
    else
        padding[0] += down(depth - 1);
    // The read behind the call keeps it from becoming a jump.
    return padding[depth % 24];
}

static void *body(void *depth)
{
    printf("%d\n", down(atoi(depth)));
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t thread;
    if (count < 2)
        return 2;
    if (count < 3)
        return body(arguments[1]) != NULL;
    if (pthread_create(&thread, NULL, body, arguments[1]) != 0)
        return 1;
    pthread_join(thread, NULL);
    return 0;
}
