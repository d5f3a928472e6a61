// Says "ready" and spins on one instruction, below a comparison that the C++ library calls, virtual functions, a std::function and a try block.
// Usage: spin DEPTH
// Build: g++ -O2 -fomit-frame-pointer spin.cpp -o spin
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#define NOINLINE __attribute__((noinline))

struct Shape {
    virtual int draw(int depth, const std::function<int(int)> &last) = 0;
    virtual ~Shape() = default;
};

struct Leaf : Shape {
    NOINLINE int draw(int depth, const std::function<int(int)> &last) override
    {
        return last(depth) + 1;
    }
};

struct Nested : Shape {
    std::unique_ptr<Shape> inner;
    NOINLINE int draw(int depth, const std::function<int(int)> &last) override
    {
        try {
            std::vector<int> owned(4, depth);
            return inner->draw(depth + 1, last) + owned[0];
        } catch (const std::runtime_error &) {
            return 0;
        }
    }
};

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    std::unique_ptr<Shape> shape = std::make_unique<Leaf>();
    for (int depth = std::atoi(arguments[1]); depth > 0; depth--) {
        auto outer = std::make_unique<Nested>();
        outer->inner = std::move(shape);
        shape = std::move(outer);
    }
    std::vector<int> numbers{3, 1, 2};
    std::sort(numbers.begin(), numbers.end(), [&](int one, int other) {
        int drawn = shape->draw(0, [](int depth) {
            std::puts("ready");
            std::fflush(stdout);
            __asm__ volatile("1: jmp 1b");
            return depth;
        });
        return one + drawn < other;
    });
    return numbers[0];
}
