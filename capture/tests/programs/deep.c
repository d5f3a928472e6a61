/* A recursion of 5,000 calls that ends in pause(). Prints "ready" at its bottom. */
#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) static int down(int depth)
{
    volatile char padding[40];
    padding[depth % 40] = 1;
    if (depth == 0) {
        puts("ready");
        fflush(stdout);
        for (;;)
            pause();
    }
    /* The read behind the call keeps it from becoming a jump. */
    return down(depth - 1) + padding[depth % 40];
}

int main(void)
{
    return down(4999);
}
