// Threads in known call chains, for comparing stacks with other unwinders: spinning, blocked in read, blocked in pthread_cond_wait, deep in
// a recursion, in a signal handler on an alternate stack, below qsort (a call back out of the C library), behind a virtual call.
// Prints "ready" when all are where they stay; adds to `beats` all the time and prints it when stdin gets a line.
// Build: g++ -O2 -fomit-frame-pointer -pthread threads.cpp -o threads
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
// Keeps a call from becoming a jump and code behind it alive.
#define AFTER() __asm__ volatile("" ::: "memory")

static std::atomic<int> arrived{0};
static std::atomic<unsigned long> beats{0};
static int silent_pipe[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

NOINLINE static void spin_forever()
{
    arrived++;
    for (;;)
        beats.fetch_add(1, std::memory_order_relaxed);
}

NOINLINE static void spin_three() { spin_forever(); AFTER(); }
NOINLINE static void spin_two() { spin_three(); AFTER(); }
NOINLINE static void spin_one() { spin_two(); AFTER(); }
static void *spin_thread(void *) { spin_one(); AFTER(); return nullptr; }

NOINLINE static void read_deep()
{
    char byte;
    arrived++;
    if (read(silent_pipe[0], &byte, 1) != 1)
        abort();
    AFTER();
}
NOINLINE static void read_outer() { read_deep(); AFTER(); }
static void *read_thread(void *) { read_outer(); AFTER(); return nullptr; }

NOINLINE static void wait_deep()
{
    pthread_mutex_lock(&mutex);
    arrived++;
    for (;;)
        pthread_cond_wait(&never, &mutex);
}
static void *wait_thread(void *) { wait_deep(); AFTER(); return nullptr; }

NOINLINE static int recurse(int depth)
{
    volatile char padding[48];
    padding[depth % 48] = 1;
    if (depth == 0) {
        arrived++;
        for (;;)
            pause();
    }
    int below = recurse(depth - 1);
    AFTER();
    return below + padding[depth % 48];
}
static void *recurse_thread(void *) { recurse(200); AFTER(); return nullptr; }

NOINLINE static void handler_deep()
{
    arrived++;
    for (;;)
        beats.fetch_add(1, std::memory_order_relaxed);
}
static void handler(int) { handler_deep(); AFTER(); }
NOINLINE static void raise_it() { pthread_kill(pthread_self(), SIGUSR1); AFTER(); }
static void *signal_thread(void *)
{
    stack_t stack = {};
    stack.ss_size = 64 * 1024;
    stack.ss_sp = malloc(stack.ss_size);
    sigaltstack(&stack, nullptr);
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    raise_it();
    AFTER();
    return nullptr;
}

static int compare(const void *, const void *)
{
    arrived++;
    for (;;)
        sleep(1000);
}
static void *sort_thread(void *)
{
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof numbers[0], compare);
    AFTER();
    return nullptr;
}

struct Shape {
    virtual void draw(int depth) = 0;
    virtual ~Shape() = default;
};
struct Nested : Shape {
    Shape *inner = nullptr;
    NOINLINE void draw(int depth) override
    {
        if (depth > 0)
            inner->draw(depth - 1);
        else {
            arrived++;
            for (;;)
                usleep(1000000);
        }
        AFTER();
    }
};
static void *virtual_thread(void *)
{
    Nested a, b;
    a.inner = &b;
    b.inner = &a;
    a.draw(7);
    AFTER();
    return nullptr;
}

int main()
{
    void *(*bodies[])(void *) = {spin_thread, read_thread, wait_thread, recurse_thread, signal_thread, sort_thread, virtual_thread};
    const int count = sizeof bodies / sizeof bodies[0];
    if (pipe(silent_pipe) != 0)
        return 1;
    for (auto body : bodies) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, body, nullptr) != 0)
            return 1;
    }
    while (arrived < count)
        usleep(1000);
    puts("ready");
    fflush(stdout);
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        printf("%lu\n", beats.load());
        fflush(stdout);
    }
    return 0;
}
