// Nothing stays where it is: threads come and go, a library is loaded and unloaded, memory is mapped and unmapped; once it executes itself.
// Ends by itself with status 3.
// Build: g++ -O2 -pthread churn.cpp -o churn -ldl
#include <cstdio>
#include <dlfcn.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

static volatile unsigned long sum;

static void work(int rounds)
{
    for (int i = 0; i < rounds; i++)
        sum = sum + i;
}

int main(int count, char **arguments)
{
    for (int round = 0; round < 1500; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 6; i++)
            threads.emplace_back(work, 20000 * i);
        void *library = dlopen("libm.so.6", RTLD_NOW);
        char *memory = static_cast<char *>(mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (memory == MAP_FAILED)
            return 1;
        *memory = 1;
        if (round % 7)
            munmap(memory, 1 << 20);
        for (auto &thread : threads)
            thread.join();
        if (library && round % 3 == 0)
            dlclose(library);
        if (round == 750 && count > 1) {
            char *only_name[] = {arguments[0], nullptr};
            execv("/proc/self/exe", only_name);
            return 1;
        }
    }
    return 3;
}
