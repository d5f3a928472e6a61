#!/bin/sh
# Peers that need a Go toolchain, built from the Go module proxy into target/interop/bin: a real Rekor v2 server (90 s once) and cosign (4.5 min once).
# `rekor.sh install` builds the server, `rekor.sh cosign` builds cosign, `rekor.sh` builds the server and runs the log client against it.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/target/interop/bin
# The newest releases that Go 1.26 builds; later ones of rekor-tiles want Go 1.27.
rekor=github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0
cosign=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3

build() {
    command -v go >/dev/null || { echo "SKIPPED: $1 (no Go toolchain)" >&2; exit 0; }
    mkdir -p "$bin"
    GOBIN=$bin GOFLAGS="-p=1 -trimpath" nice -n 10 go install "$1"
}

if [ "${1:-}" = cosign ]; then
    [ -x "$bin/cosign" ] || build "$cosign"
    exit 0
fi
if [ ! -x "$bin/rekor-server" ]; then
    build "$rekor"
    # The command is named after its storage.
    mv "$bin/posix" "$bin/rekor-server"
fi
[ "${1:-}" = install ] && exit 0
SEALTRACE_REKOR="$bin/rekor-server" SEALTRACE_REQUIRE=rekor-tiles cargo test --locked -p symbol-bundle --test rekor -- --nocapture
