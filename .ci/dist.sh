#!/bin/sh
# What sites and auditors carry: static binaries for this machine, the verifier's two tools for every platform whose toolchain is here,
# their digests, and what differs between the platforms. All in target/dist/<target>/.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=.ci/static.sh
. .ci/static.sh
out=target/dist
rm -rf "$out"
mkdir -p "$out/$STATIC_TARGET"

own="trace-verify trace-replay trace-resolve trace-capture"
# shellcheck disable=SC2086 # a list of packages
build_static $own
for tool in $own; do cp "$STATIC_DIR/$tool" "$out/$STATIC_TARGET/"; done

for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-pc-windows-gnu wasm32-wasip1; do
    [ "$target" != "$STATIC_TARGET" ] || continue
    if ! build_for "$target" trace-verify trace-replay; then
        [ -n "$WHY_NOT" ] || exit 1
        echo "SKIPPED: $target ($WHY_NOT)"
        continue
    fi
    mkdir -p "$out/$target"
    for tool in trace-verify trace-replay; do
        case $target in
            *-windows-*) cp "target/$target/release/$tool.exe" "$out/$target/" ;;
            wasm32-*) cp "target/$target/release/$tool.wasm" "$out/$target/" ;;
            *) cp "target/$target/release/$tool" "$out/$target/" ;;
        esac
    done
done

cargo run --locked --release -q -p sealtrace-manual -- "$out" >/dev/null

cat >"$out/DIFFERENCES.txt" <<'END'
Verdicts, replay results and Evidence cards have the same bytes on every platform. What the platforms do not have in common:

linux (x86_64, aarch64)  Nothing is missing. A file of a store or a trust folder is opened without following a link at its last step and
                         without waiting for a FIFO; a written file's folder is synced; --store defaults to /var/lib/sealtrace for root.
                         trace-resolve and trace-capture (ptrace, eBPF) exist for Linux only, and here for the machine that built them.
windows (x86_64)         A path is looked at before it is opened, not while it is opened: a link put there in between is followed (digests
                         and signatures are checked afterwards all the same). Folders are not synced after a rename. There is no root:
                         the store is --store, SEALTRACE_STORE, XDG_DATA_HOME or HOME. Texts of system errors are Windows' own.
wasm (wasm32-wasip1)     As windows. The runtime decides which folders exist (preopens) and which variables; without a preopened folder
                         nothing can be read. Two runs that write the same file at the same time are told apart by no process id: the
                         second refuses. No colours, no width of a terminal.
END
(cd "$out" && find . -type f ! -name SHA256SUMS | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum -- >SHA256SUMS)
cat "$out/SHA256SUMS"
