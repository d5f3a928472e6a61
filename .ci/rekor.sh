#!/bin/sh
# A real Rekor v2 server, built from the Go module proxy into target/interop/bin (about 90 s once), and the tests against it:
# `rekor.sh install` builds it, `rekor.sh` runs the tests with it.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/target/interop/bin
# The newest release that Go 1.25 and 1.26 build; later ones want Go 1.27.
package=github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0

if [ ! -x "$bin/rekor-server" ]; then
    command -v go >/dev/null || { echo "SKIPPED: rekor-tiles (no Go toolchain)" >&2; exit 0; }
    mkdir -p "$bin"
    GOBIN=$bin GOFLAGS="-p=1 -trimpath" nice -n 10 go install "$package"
    # The command is named after its storage.
    mv "$bin/posix" "$bin/rekor-server"
fi
[ "${1:-}" = install ] && exit 0
SEALTRACE_REKOR="$bin/rekor-server" SEALTRACE_REQUIRE=rekor-tiles cargo test --locked -p symbol-bundle --test rekor -- --nocapture
