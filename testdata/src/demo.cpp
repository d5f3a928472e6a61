// The demo's program: threads that compute in our library, sort in the C library, and wait in it. Ends by itself after DEMO_SECONDS (default 20).
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "libdemo.hpp"

namespace {
std::atomic<bool> stop{false};
std::atomic<std::uint64_t> sink{0};
std::mutex gate;
std::condition_variable wake;

int compare(const void *left, const void *right) {
    const auto a = *static_cast<const std::uint64_t *>(left);
    const auto b = *static_cast<const std::uint64_t *>(right);
    return a < b ? -1 : a > b;
}

// Spends its time in the library's inlined mixing.
void compute() {
    while (!stop) sink += demo::churn(sink, 20000);
}

// Spends its time in qsort of the C library, with our comparison at the leaf.
void sort() {
    std::vector<std::uint64_t> numbers(20000);
    while (!stop) {
        std::uint64_t seed = sink;
        for (auto &number : numbers) number = seed = demo::churn(seed, 1);
        std::qsort(numbers.data(), numbers.size(), sizeof numbers[0], compare);
        sink += numbers[0];
    }
}

int visit(int) {
    sink += demo::churn(sink, 5000);
    return 1;
}

// Recursion through the library and back.
void recurse() {
    while (!stop) sink += static_cast<std::uint64_t>(demo::descend(40, visit));
}

// Blocks on a condition variable.
void wait() {
    std::unique_lock<std::mutex> lock(gate);
    wake.wait(lock, [] { return stop.load(); });
}
}  // namespace

int main() {
    const char *text = std::getenv("DEMO_SECONDS");
    const int seconds = text ? std::atoi(text) : 20;
    std::vector<std::thread> threads;
    threads.emplace_back(compute);
    threads.emplace_back(sort);
    threads.emplace_back(recurse);
    threads.emplace_back(wait);
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    {
        std::lock_guard<std::mutex> lock(gate);
        stop = true;
    }
    wake.notify_all();
    for (auto &thread : threads) thread.join();
    return sink == 0;
}
