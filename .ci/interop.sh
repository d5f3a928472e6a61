#!/bin/sh
# Foreign verifiers for the interop tests, in target/interop: `interop.sh install` installs them, `interop.sh` runs the tests with them.
set -eu
cd "$(dirname "$0")/.."
dir=target/interop
if [ ! -d "$dir/node_modules/@sigstore/verify" ] && command -v npm >/dev/null; then
    mkdir -p "$dir"
    cp testdata/interop/package.json testdata/interop/verify.mjs "$dir/"
    npm install --prefix "$dir" --no-audit --no-fund --silent
fi
[ "${1:-}" = install ] && exit 0
sh .ci/rekor.sh
sh .ci/rekor.sh cosign
SEALTRACE_INTEROP="$PWD/$dir" SEALTRACE_REQUIRE=sigstore-js,interop cargo test --locked --workspace interop -- --nocapture
