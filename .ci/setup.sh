#!/bin/sh
# Installs what the gate's tests use, from Debian packages, rustup, npm, PyPI, crates.io and the Go proxy. `make demo` and `make test` do without it.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    packages="gdb elfutils binutils skopeo strace libc6-dbg llvm gcc g++ make python3-minimal python3-venv openssl tar dwz man-db util-linux
        clang-19 lld-19 llvm-19 bpftool busybox-static cpio xz-utils qemu-system-x86 qemu-user-static
        gcc-mingw-w64-x86-64 wine64 lz4 zstd libbpf-dev softhsm2 opensc faketime time musl-tools"
    missing=""
    for package in $packages; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok' || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        apt-get update -q
        # shellcheck disable=SC2086 # a list of package names
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
    fi
else
    echo "setup: not root or no apt-get: Debian packages are left as they are" >&2
fi

if command -v rustup >/dev/null; then
    rustup target add x86_64-unknown-linux-musl || echo "setup: no musl target; trace-verify is linked static against glibc instead" >&2
    rustup target add aarch64-unknown-linux-musl x86_64-pc-windows-gnu wasm32-wasip1 ||
        echo "setup: not every target for the builds of other platforms; those that are missing are skipped by name" >&2
    rustup component add clippy rustfmt
fi

sh .ci/interop.sh install || echo "setup: not every foreign verifier could be installed; those that are missing are skipped by name" >&2
