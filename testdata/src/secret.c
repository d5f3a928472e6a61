// A program whose secrets are known: eight bytes in every callee-saved register (rbp too) and in many stack slots, at every depth of a
// recursion, and then it spins. A capture of it must not hold them in any spelling (notes/replay, *Privacy*).
// Build: gcc -O2 -fomit-frame-pointer secret.c -o secret
#include <stdint.h>
#include <stdio.h>

#define SECRET 0x5ec2e7a11ce0d00dULL
#define SLOTS 32

static volatile uint64_t sink;

__attribute__((noinline)) static void hold(void)
{
    // From here on the registers hold nothing else; the loop needs none of them.
    __asm__ volatile(
        "mov %0, %%rbx\n\t"
        "mov %0, %%r12\n\t"
        "mov %0, %%r13\n\t"
        "mov %0, %%r14\n\t"
        "mov %0, %%r15\n\t"
        "push %%rbp\n\t"
        ".cfi_adjust_cfa_offset 8\n\t"
        ".cfi_rel_offset %%rbp, 0\n\t"
        "mov %0, %%rbp\n\t"
        "1: pause\n\t"
        "jmp 1b\n\t"
        :
        : "r"(SECRET)
        : "rbx", "r12", "r13", "r14", "r15", "memory");
}

__attribute__((noinline)) static void down(int depth)
{
    volatile uint64_t slots[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        slots[i] = SECRET;
    if (depth > 0) {
        // Registers hold the secret across the call, so that callees save it.
        uint64_t a = SECRET, b = SECRET;
        __asm__ volatile("" : "+r"(a), "+r"(b));
        down(depth - 1);
        __asm__ volatile("" : : "r"(a), "r"(b));
        sink = a + b;
    } else {
        puts("ready");
        fflush(stdout);
        hold();
    }
    sink = slots[depth % SLOTS];
}

int main(void)
{
    down(20);
    return 0;
}
