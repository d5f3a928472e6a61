#!/bin/sh
# Static binaries for sites: musl where the target is installed, else glibc linked static.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=.ci/static.sh
. .ci/static.sh
out=target/dist
rm -rf "$out"
mkdir -p "$out"
for package in trace-verify trace-replay trace-resolve trace-capture; do
    build_static "$package"
    cp "$STATIC_DIR/$package" "$out/"
done
(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
