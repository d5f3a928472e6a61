#!/bin/sh
# Compiles the ELF fixtures into a folder: a small release tree with one variant of identity or debug information each.
# The same compiler gives the same bytes in any folder. Listed in MANIFEST.toml; nothing of it is committed.
# usage: generate.sh OUT    (OUT is made anew; it must not exist, or be of an earlier run; needs gcc, g++, binutils)
set -eu

case "${1:-}" in '' | -*) echo "usage: $0 OUT" >&2; exit 2 ;; esac
mark=.generated-fixtures
if [ -e "$1/$mark" ]; then
	rm -r "$1"
elif [ -e "$1" ]; then
	echo "$0: $1 exists and is not of an earlier run: name another folder" >&2
	exit 2
fi
src=$(cd "$(dirname "$0")/src" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
: >"$out/$mark"
mkdir -p "$out/bin" "$out/lib/.debug" "$out/obj" "$out/usr/lib/debug/.build-id"
cd "$src"
export LC_ALL=C SOURCE_DATE_EPOCH=0

flags="-g -O2 -ffile-prefix-map=$src=/src -frandom-seed=fixture"

# shellcheck disable=SC2086  # flags are words
c_library() { name=$1; shift; gcc $flags -shared -fPIC "$@" -o "$out/lib/$name" fixture.c; }
# shellcheck disable=SC2086
c_program() { name=$1; shift; gcc $flags -DWITH_MAIN "$@" -o "$out/bin/$name" fixture.c; }
split() { objcopy --only-keep-debug "$1" "$2"; objcopy --strip-debug "$1"; }
# A debug link holds the name and the CRC of the file at that path.
link() { (cd "$(dirname "$2")" && objcopy --add-gnu-debuglink="$(basename "$2")" "$1"); }

c_program whole -Wl,--build-id=sha1
c_program static-pie -static-pie -fPIE -Wl,--build-id=sha1
c_library libmd5.so -Wl,--build-id=md5
c_library libhex6.so -Wl,--build-id=0x0102030405f6
c_library libhex8.so -Wl,--build-id=0x01020304050607f8
c_library libhex16.so -Wl,--build-id=0x000102030405060708090a0b0c0d0e0f
c_library libnone.so -Wl,--build-id=none
c_library libgz.so -Wl,--build-id=sha1 -gz=zlib -Wl,-soname,libgz.so
c_library libnocfi.so -Wl,--build-id=sha1 -fno-asynchronous-unwind-tables -fno-unwind-tables -Wl,-soname,libnocfi.so
c_library libstripped.so -Wl,--build-id=sha1 -Wl,-soname,libstripped.so
strip --strip-all "$out/lib/libstripped.so"

# Debug information elsewhere: beside the file, in .debug/, without ids, by id alone, in a .build-id tree.
c_library libbeside.so -Wl,--build-id=none -Wl,-soname,libbeside.so
split "$out/lib/libbeside.so" "$out/lib/libbeside.so.debug"
link "$out/lib/libbeside.so" "$out/lib/libbeside.so.debug"
c_library libdotdebug.so -Wl,--build-id=none -Wl,-soname,libdotdebug.so
split "$out/lib/libdotdebug.so" "$out/lib/.debug/libdotdebug.so.debug"
link "$out/lib/libdotdebug.so" "$out/lib/.debug/libdotdebug.so.debug"
c_library libbyid.so -Wl,--build-id=sha1 -Wl,-soname,libbyid.so
split "$out/lib/libbyid.so" "$out/obj/some-name.dbg"
c_library libtree.so -Wl,--build-id=sha1 -Wl,-soname,libtree.so
id=$(readelf -n "$out/lib/libtree.so" | sed -n 's/.*Build ID: //p')
head=$(printf %.2s "$id")
mkdir -p "$out/usr/lib/debug/.build-id/$head"
split "$out/lib/libtree.so" "$out/usr/lib/debug/.build-id/$head/${id#??}.debug"

# shellcheck disable=SC2086
g++ $flags -shared -fPIC -Wl,--build-id=sha1 -o "$out/lib/libcpp.so" fixture.cpp
# shellcheck disable=SC2086
gcc $flags -c -o "$out/obj/part.o" fixture.c
ln -s libmd5.so "$out/lib/libmd5.so.1"
printf 'no object file\n' >"$out/README"
