#!/bin/sh
# Foreign verifiers for the interop tests, in target/interop. `interop.sh install` installs those whose toolchain is here, and again those
# that are of another version than is pinned; `interop.sh capabilities` names those that are there; `interop.sh` runs the tests with them.
# docs/interop.md says how to read what they print.
set -eu
cd "$(dirname "$0")/.."
dir=$PWD/target/interop
source=testdata/interop
cosign=v3.1.3
failed=""
mkdir -p "$dir/bin"

# What is there, for SEALTRACE_REQUIRE.
capabilities() {
    have=interop
    [ ! -f "$dir/js.from" ] || have=$have,sigstore-js
    [ ! -f "$dir/python.from" ] || have=$have,sigstore-python
    [ ! -f "$dir/cosign.from" ] || have=$have,cosign
    [ ! -x "$dir/cases-rs/debug/cases-rs" ] || have=$have,sigstore-rust
    echo "$have"
}
if [ "${1:-}" = capabilities ]; then
    capabilities
    exit 0
fi

# Whether what is installed was made from this text; what is, says so in a file beside it.
made_from() { [ -f "$dir/$1.from" ] && [ "$(cat "$dir/$1.from")" = "$2" ]; }

# Node's package manager brings the Node that the verifier needs along.
js=$(cat "$source/package.json")
if command -v npm >/dev/null && ! { made_from js "$js" && [ -d "$dir/node_modules/@sigstore/verify" ]; }; then
    rm -rf "$dir/node_modules" "$dir/package-lock.json"
    cp "$source/package.json" "$source/verify.mjs" "$dir/"
    if npm install --prefix "$dir" --no-audit --no-fund --silent; then printf "%s\n" "$js" >"$dir/js.from"; else failed="$failed sigstore-js"; fi
fi

python=$(cat "$source/requirements.txt")
if command -v python3 >/dev/null && ! { made_from python "$python" && [ -x "$dir/venv/bin/python" ]; }; then
    rm -rf "$dir/venv"
    if python3 -m venv "$dir/venv" && "$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$source/requirements.txt"; then
        printf "%s\n" "$python" >"$dir/python.from"
    else
        rm -rf "$dir/venv"
        failed="$failed sigstore-python"
    fi
fi

# Four minutes of Go the first time: built by `interop.sh` and `interop.sh cosign`, not by `install`.
if [ "${1:-}" != install ] && command -v go >/dev/null && ! { made_from cosign "$cosign" && [ -x "$dir/bin/cosign" ]; }; then
    if GOBIN=$dir/bin GOFLAGS="-p=1 -trimpath" nice -n 10 go install "github.com/sigstore/cosign/v3/cmd/cosign@$cosign"; then
        echo "$cosign" >"$dir/cosign.from"
    else
        failed="$failed cosign"
    fi
fi

# A program outside the workspace: the peer's crates, with C among them, are no dependency of this project. Cargo knows what is stale.
if command -v cargo >/dev/null; then
    CARGO_TARGET_DIR=$dir/cases-rs cargo build --locked --quiet --manifest-path "$source/cases-rs/Cargo.toml" || failed="$failed sigstore-rust"
fi

if [ -n "$failed" ]; then
    echo "interop: could not be installed:$failed" >&2
    [ "${1:-}" != install ] || exit 1
fi
[ "${1:-}" = install ] && exit 0
SEALTRACE_INTEROP="$dir" SEALTRACE_REQUIRE="$(capabilities)" cargo test --locked --workspace interop -- --nocapture
