# Sourced: build_static PACKAGE builds a static release binary and sets STATIC_DIR to its folder.
host=$(rustc -vV | sed -n 's/^host: //p')
if [ -d "$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-musl" ] && [ "${host%%-*}" = x86_64 ]; then
    STATIC_TARGET=x86_64-unknown-linux-musl
else
    STATIC_TARGET=$host
fi
STATIC_DIR=target/$STATIC_TARGET/release
build_static() {
    RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static" cargo build --locked --release -q --target "$STATIC_TARGET" -p "$1"
}
