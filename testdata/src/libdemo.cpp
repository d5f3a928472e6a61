// The demo's own library, built with -O2 -fomit-frame-pointer: inlined helpers, recursion, a callback into the program.
#include "libdemo.hpp"

namespace demo {
namespace {
inline std::uint64_t rotate(std::uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

inline std::uint64_t mix(std::uint64_t value) {
    value ^= rotate(value, 13) * 0x9e3779b97f4a7c15ULL;
    return value ^ (value >> 29);
}
}  // namespace

__attribute__((noinline)) std::uint64_t churn(std::uint64_t seed, int rounds) {
    for (int round = 0; round < rounds; ++round) seed = mix(seed + static_cast<std::uint64_t>(round));
    return seed;
}

__attribute__((noinline)) int descend(int depth, int (*visit)(int)) {
    if (depth == 0) return visit(0);
    int below = descend(depth - 1, visit);
    asm volatile("" : "+r"(below));  // no tail call: each level keeps its frame
    return below + 1;
}
}  // namespace demo
