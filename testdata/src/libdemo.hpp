// The demo's own library: what a release ships beside its programs.
#pragma once
#include <cstdint>

namespace demo {
// Mixes numbers for `rounds` rounds; the work is inlined three levels deep.
std::uint64_t churn(std::uint64_t seed, int rounds);
// Calls `visit` once per level, `depth` levels deep.
int descend(int depth, int (*visit)(int));
}  // namespace demo
