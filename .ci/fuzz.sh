#!/bin/sh
# Fuzzing by libFuzzer, coverage from stable rustc. `smoke`: a fixed number of runs of each target. `run TARGET SECONDS`: one target for a
# while. `all`: the archive reader, bundle JSON, signed note and fragment for 30 minutes each, every other target for 3, one after another.
# Corpora, logs and what broke a target: target/fuzz/work, or SEALTRACE_FUZZ_WORK.
set -eu
cd "$(dirname "$0")/.."
if ! command -v g++ >/dev/null; then
    echo "SKIPPED: fuzzing by libFuzzer (g++ is not installed)" >&2
    exit 0
fi
host=$(rustc -vV | sed -n 's/^host: //p')
folder=${SEALTRACE_FUZZ_FOLDER:-$PWD/target/fuzz}
work=${SEALTRACE_FUZZ_WORK:-$folder/work}
binary=$folder/$host/release/sealtrace-libfuzzer

build() {
    counters="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
    tables="-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
    manifest=verifier/fuzz/libfuzzer/Cargo.toml
    cargo fmt --check --manifest-path $manifest
    # Its lock file follows the workspace's crates by hand.
    cargo metadata --locked --format-version 1 --manifest-path $manifest >/dev/null || {
        echo "fuzz: verifier/fuzz/libfuzzer/Cargo.lock is out of date; run: cargo update --workspace --manifest-path $manifest" >&2
        exit 1
    }
    RUSTFLAGS="$counters $tables" RUSTC_WRAPPER=$PWD/.ci/fuzz-rustc.sh CARGO_TARGET_DIR=$folder \
        cargo build --release --locked --target "$host" --manifest-path $manifest
}

# A folder of files as others make them, which the targets of their formats begin from as well.
real=

# fuzz FOLDER TARGET OPTION...: corpus, seeds and what broke the target stay in the folder.
fuzz() {
    at=$1/$2
    name=$2
    shift 2
    case $name in bundle | trusted-root | json) more=$real ;; *) more= ;; esac
    mkdir -p "$at/corpus" "$at/seeds" "$at/broke"
    SEALTRACE_FUZZ_TARGET=$name SEALTRACE_FUZZ_SEEDS=$at/seeds "$binary"
    SEALTRACE_FUZZ_TARGET=$name "$binary" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$at/broke/" "$@" "$at/corpus" "$at/seeds" ${more:+"$more"}
}

# Every target and how many runs show that it works.
targets() { SEALTRACE_FUZZ_TARGET=list "$binary" 2>/dev/null; }

case ${1:-} in
build) build ;;
smoke)
    build
    rm -rf "$folder/smoke"
    mkdir -p "$folder/smoke"
    targets | while read -r name runs; do
        log=$folder/smoke/$name.log
        fuzz "$folder/smoke" "$name" -runs="$runs" -seed=1 >"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }
    done
    echo "fuzz smoke: $(targets | wc -l) targets held"
    ;;
run)
    build
    real=${SEALTRACE_CORPUS:-}
    fuzz "$work" "$2" -max_total_time="$3"
    ;;
all)
    build
    real=${SEALTRACE_CORPUS:-}
    targets | while read -r name _; do
        case $name in archive | bundle | note | fragment) seconds=1800 ;; *) seconds=180 ;; esac
        mkdir -p "$work"
        log=$work/$name.log
        fuzz "$work" "$name" -max_total_time="$seconds" >"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }
        grep '^Done' "$log" | sed "s/^/$name: /"
    done
    ;;
*)
    echo "usage: $0 smoke | run TARGET SECONDS | all" >&2
    exit 2
    ;;
esac
