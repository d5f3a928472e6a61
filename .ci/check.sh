#!/bin/sh
# Cheapest first: format, lint with warnings as errors, layers and golden lists, docs, fuzz smoke.
set -eu
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo clippy --locked -p symbol-bundle --features fulcio --all-targets -- -D warnings
cargo test --locked -q -p sealtrace-layers
RUSTDOCFLAGS="-D warnings" cargo doc --locked -q --workspace --no-deps --document-private-items
sh .ci/fuzz.sh smoke
