# Sourced: build_static PACKAGE… builds static release binaries and sets STATIC_DIR to their folder; build_for TARGET PACKAGE… builds the
# verifier's for another platform, or says why it cannot in WHY_NOT and returns 1.
host=$(rustc -vV | sed -n 's/^host: //p')
sysroot=$(rustc --print sysroot)
has_target() { [ -d "$sysroot/lib/rustlib/$1/lib" ]; }
if has_target x86_64-unknown-linux-musl && [ "${host%%-*}" = x86_64 ]; then
    STATIC_TARGET=x86_64-unknown-linux-musl
else
    STATIC_TARGET=$host
fi
STATIC_DIR=target/$STATIC_TARGET/release
STATIC_FLAGS="-C target-feature=+crt-static -C relocation-model=static"

packages() { for package in "$@"; do printf -- '-p %s ' "$package"; done; }

build_static() {
    # shellcheck disable=SC2046 # a list of options
    RUSTFLAGS="$STATIC_FLAGS" cargo build --locked --release -q --target "$STATIC_TARGET" $(packages "$@")
}

build_for() {
    target=$1
    shift
    WHY_NOT=""
    flags=""
    has_target "$target" || WHY_NOT="rustup target add $target"
    case $target in
        *-linux-musl)
            # The musl targets bring their own C library; only a linker for the other machine is missing, and rustc brings that too.
            flags="$STATIC_FLAGS -C linker=rust-lld"
            [ -x "$sysroot/lib/rustlib/$host/bin/rust-lld" ] || WHY_NOT="rustc brings no rust-lld here"
            ;;
        *-windows-gnu) command -v x86_64-w64-mingw32-gcc >/dev/null || WHY_NOT="x86_64-w64-mingw32-gcc is not installed" ;;
    esac
    [ -z "$WHY_NOT" ] || return 1
    # shellcheck disable=SC2046 # a list of options
    RUSTFLAGS="$flags" cargo build --locked --release -q --target "$target" $(packages "$@")
}
