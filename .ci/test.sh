#!/bin/sh
# Every test of the workspace. Skips print `SKIPPED: what (why)`; they are listed again at the end.
set -eu
cd "$(dirname "$0")/.."
log=target/test.log
mkdir -p target
status=0
{
    cargo test --locked --workspace --no-fail-fast -- --nocapture 2>&1 || echo "cargo test failed" >target/test.failed
    # Keyless signing is off by default.
    cargo test --locked -p symbol-bundle --features fulcio --no-fail-fast --lib --test signers -- --nocapture 2>&1 ||
        echo "cargo test failed" >target/test.failed
} | tee "$log"
if [ -e target/test.failed ]; then status=1; rm -f target/test.failed; fi
if grep -q 'SKIPPED: ' "$log"; then
    echo
    echo "Skipped here:"
    grep -o 'SKIPPED: .*' "$log" | sort -u | sed 's/^/  /'
fi
exit "$status"
