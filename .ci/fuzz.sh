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
    RUSTFLAGS="$counters $tables" RUSTC_WRAPPER=$PWD/.ci/fuzz-rustc.sh CARGO_TARGET_DIR=$folder cargo build --release --locked --target "$host" \
        --manifest-path verifier/fuzz/libfuzzer/Cargo.toml
}

# fuzz TARGET OPTION...
fuzz() {
    name=$1
    shift
    mkdir -p "$work/$name/corpus" "$work/$name/seeds" "$work/$name/broke"
    SEALTRACE_FUZZ_TARGET=$name SEALTRACE_FUZZ_SEEDS=$work/$name/seeds "$binary"
    SEALTRACE_FUZZ_TARGET=$name "$binary" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$work/$name/broke/" "$@" "$work/$name/corpus" "$work/$name/seeds"
}

names() { SEALTRACE_FUZZ_TARGET=list "$binary"; }

case ${1:-} in
build) build ;;
smoke)
    build
    for name in $(names); do
        fuzz "$name" -runs="${SEALTRACE_FUZZ_RUNS:-2000}" -seed=1 >"$folder/smoke.log" 2>&1 || { tail -n 40 "$folder/smoke.log"; exit 1; }
        echo "fuzz smoke: $name"
    done
    ;;
run)
    [ -x "$binary" ] || build
    fuzz "$2" -max_total_time="$3"
    ;;
all)
    build
    for name in $(names); do
        case $name in archive | bundle | note | fragment) seconds=1800 ;; *) seconds=180 ;; esac
        fuzz "$name" -max_total_time="$seconds" >"$work/$name.log" 2>&1 || { tail -n 40 "$work/$name.log"; exit 1; }
        grep -E '^(Done|stat::number_of)' "$work/$name.log" | sed "s/^/$name: /"
    done
    ;;
*)
    echo "usage: $0 smoke | run TARGET SECONDS | all" >&2
    exit 2
    ;;
esac
