#!/bin/sh
# A real Rekor v2 server, built with a Go toolchain into target/interop/bin (90 s once). `rekor.sh install` builds it, `rekor.sh` runs the log
# client against it.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/target/interop/bin
# The newest release that Go 1.26 builds; later ones want Go 1.27.
rekor=github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0

build() {
    command -v go >/dev/null || { echo "SKIPPED: $1 (no Go toolchain)" >&2; exit 0; }
    mkdir -p "$bin"
    GOBIN=$bin GOFLAGS="-p=1 -trimpath" nice -n 10 go install "$1"
}

if [ ! -x "$bin/rekor-server" ]; then
    build "$rekor"
    # The command is named after its storage.
    mv "$bin/posix" "$bin/rekor-server"
fi
[ "${1:-}" = install ] && exit 0
SEALTRACE_REKOR="$bin/rekor-server" SEALTRACE_REQUIRE=rekor-tiles cargo test --locked -p symbol-bundle --test rekor -- --nocapture
