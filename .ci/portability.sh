#!/bin/sh
# The builds for other platforms, run here on the sample's and the demo's evidence: the same verdict, replay result and card, byte for byte.
set -eu
cd "$(dirname "$0")/.."
sh .ci/dist.sh
SEALTRACE_DIST=target/dist
export SEALTRACE_DIST
if [ -e target/demo/audit/evidence.tar ]; then
    SEALTRACE_DEMO=target/demo
    export SEALTRACE_DEMO
fi
cargo test --locked -p sealtrace-acceptance --test traces portability -- --nocapture
