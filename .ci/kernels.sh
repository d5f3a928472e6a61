#!/bin/sh
# Boots Linux kernels of several lines in qemu with one static trace-capture and one probe object, lets it capture a program with known
# counts, and judges on the host. Prints a table; a kernel that could not be had is named in it. Exit 1 when any value is wrong, 2 when no kernel
# could be had.
# SEALTRACE_BIN: a folder with symbol-bundle, trace-resolve, btf-archive and a static trace-capture, instead of building them.
# SEALTRACE_KERNEL_STEPS: `ptrace` proves the machines and the workload without eBPF.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=.ci/static.sh
. .ci/static.sh
for program in qemu-system-x86_64 busybox cpio gcc python3; do
    command -v "$program" >/dev/null || { echo "SKIPPED: kernels ($program is not installed)"; exit 0; }
done
steps=${SEALTRACE_KERNEL_STEPS:-doctor,kernel,hidden,archive,foreign}
calls=10000
spin=600
work=$PWD/target/kernels/work
mkdir -p "$work"

if [ -n "${SEALTRACE_BIN:-}" ]; then
    tools=$SEALTRACE_BIN capture=$SEALTRACE_BIN/trace-capture
else
    cargo build --locked --release -q -p symbol-bundle -p trace-resolve -p btf-archive
    build_static trace-capture
    tools=$PWD/target/release capture=$STATIC_DIR/trace-capture
fi

sh .ci/kernels/fetch.sh target/kernels
list=target/kernels/kernels.tsv

# The BTF of every kernel, out of its image, minimised to what the probe object needs.
btf=$work/btf
rm -rf "$btf" "$work/full" "$work/btf.log"
mkdir -p "$btf"
case ,$steps, in *,archive,* | *,foreign,*)
    while IFS="$(printf '\t')" read -r line file release package version; do
        system=$(awk -v line="$line" '$1 == line { print $3 }' testdata/kernels/kernels.txt)
        "$tools/btf-archive" add "$work/full" "target/kernels/$file" --distro debian --version "$system" --arch x86_64 --release "$release" \
            </dev/null >>"$work/btf.log"
    done <"$list"
    "$tools/btf-archive" minimize "$work/full" --object capture-ebpf/sealtrace.bpf.o -o "$btf" >>"$work/btf.log"
    ;;
esac
sh .ci/kernels/initramfs.sh "$work" "$capture" "$btf"

# The workload as a sealed release, so that frames get names and rules.
rm -rf "$work/site"
mkdir -p "$work/site"
(
    cd "$work/site"
    exec >"$work/seal.log" 2>&1
    "$tools/symbol-bundle" key generate -o key
    "$tools/symbol-bundle" log init --log log --origin kernels.example/log
    "$tools/symbol-bundle" build ../release --name kernels --version 1.0 -o bundle
    "$tools/symbol-bundle" sign bundle --key key.key --trust trust
    "$tools/symbol-bundle" log append bundle --log log --trust trust
    "$tools/symbol-bundle" export bundle --to kernels.tar
    "$tools/symbol-bundle" trust add trust --store store
    "$tools/symbol-bundle" import kernels.tar --store store
) || { cat "$work/seal.log" >&2; exit 1; }

# The file of BTF that a machine is offered though it is of another kernel: the next one's.
foreign() { find "$btf" -name '*.btf' | LC_ALL=C sort | grep -vF "/$1.btf" | head -1 | sed "s|^$btf|/btf|"; }

: >"$work/plan.lines"
while IFS="$(printf '\t')" read -r line file release package version; do
    other=$(foreign "$release")
    own=$steps
    [ -n "$other" ] || own=$(printf '%s' "$steps" | tr ',' '\n' | grep -v foreign | paste -sd, -)
    out=$work/out-$line
    sh .ci/kernels/boot.sh "target/kernels/$file" "$work/initramfs.cpio" "$out" \
        "sealtrace.steps=$own sealtrace.calls=$calls sealtrace.spin=$spin sealtrace.foreign=$other" </dev/null
    printf '%s\t%s\t%s\t%s\t%s\n' "$line" "$release" "$out" "$own" "$other" >>"$work/plan.lines"
done <"$list"

PLAN_OBJECT=$(sha256sum capture-ebpf/sealtrace.bpf.o | cut -d' ' -f1) PLAN_TOOLS=$tools PLAN_STORE=$work/site/store \
    PLAN_CALLS=$calls PLAN_SKIPPED=target/kernels/skipped python3 - "$work/plan.lines" >"$work/plan.json" <<'END'
import json, os, sys
keys = ("line", "wanted", "out", "steps", "foreign")
kernels = [dict(zip(keys, line.rstrip("\n").split("\t"))) for line in open(sys.argv[1])]
for kernel in kernels:
    kernel["steps"] = kernel["steps"].split(",")
word = lambda name: os.environ["PLAN_" + name]
print(json.dumps({"calls": int(word("CALLS")), "leastSamples": 3 if any("ptrace" in one["steps"] for one in kernels) else 20, "object": word("OBJECT"),
                  "tools": word("TOOLS"), "store": word("STORE"), "skipped": word("SKIPPED"), "kernels": kernels}))
END
echo "static trace-capture $(sha256sum "$capture" | cut -d' ' -f1), $(($(wc -c <"$capture") / 1024)) KiB; probe object $(sha256sum capture-ebpf/sealtrace.bpf.o | cut -d' ' -f1)"
python3 .ci/kernels/check.py "$work/plan.json"
