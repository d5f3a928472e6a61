#!/bin/sh
# Compiles the fixtures of the other platforms into a folder: PE with PDB, MinGW, Mach-O with dSYM, one variant of identity each.
# No SDK and no library: src/platform/ needs none. The same tools give the same bytes in any folder. Listed in MANIFEST.toml; the
# part of it that `make demo` needs is committed under fixtures/platforms/, and builder/tests/fixtures.rs compares it with a rebuild.
# usage: platforms.sh OUT    (OUT is made anew; it must not exist, or be of an earlier run; needs clang, lld, llvm 19 and MinGW's gcc)
set -eu

case "${1:-}" in '' | -*) echo "usage: $0 OUT" >&2; exit 2 ;; esac
missing=
for tool in clang-19 lld-link-19 ld.lld-19 ld64.lld-19 dsymutil-19 llvm-lipo-19 llvm-strip-19 x86_64-w64-mingw32-gcc \
	x86_64-w64-mingw32-objcopy x86_64-w64-mingw32-strip; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
	echo "$0: not installed:$missing (Debian: clang-19 lld-19 llvm-19 gcc-mingw-w64-x86-64)" >&2
	exit 3
fi
mark=.generated-platforms
if [ -e "$1/$mark" ]; then
	rm -r "$1"
elif [ -e "$1" ]; then
	echo "$0: $1 exists and is not of an earlier run: name another folder" >&2
	exit 2
fi
src=$(cd "$(dirname "$0")/src/platform" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
: >"$out/$mark"
cp "$src"/* "$work"
# dsymutil takes a fat file apart and together with a program of this name.
mkdir "$work/bin"
ln -s "$(command -v llvm-lipo-19)" "$work/bin/lipo"
PATH="$work/bin:$PATH"
export LC_ALL=C SOURCE_DATE_EPOCH=0 ZERO_AR_DATE=1
cd "$work"

common="-O2 -g -fno-exceptions -fno-rtti -fno-ident"

# compile SUFFIX FLAG…: every source to NAME.SUFFIX
compile() {
	suffix=$1
	shift
	# shellcheck disable=SC2086  # flags are words
	for file in leaf.c middle.c main.c shape.cpp; do clang-19 $common "$@" -c "$file" -o "${file%%.*}.$suffix"; done
}
objects() { echo "main.$1 middle.$1 leaf.$1 shape.$1"; }

# info_age FROM TO: the age of the info stream becomes 7, that of the DBI stream stays. The stream starts a page with its version,
# 20000404; the age is its third word.
info_age() {
	at=$(grep -obaP '\x94\x2e\x31\x01' "$1" | cut -d: -f1 | while read -r at; do [ $((at % 4096)) -ne 0 ] || echo "$at"; done)
	case "$at" in '' | *[!0-9]*) echo "$0: $1 has not one info stream" >&2; exit 1 ;; esac
	cp "$1" "$2"
	printf '\007\000\000\000' | dd of="$2" bs=1 seek=$((at + 8)) conv=notrunc status=none
}

# windows ARCH: PE + PDB as the tools of its platform lay them out
windows() {
	arch=$1
	mkdir -p "$out/windows/$arch"
	target=$arch
	[ "$arch" != x86 ] || target=i686
	compile obj --target="$target-pc-windows-msvc" -gcodeview -gno-codeview-command-line '-fdebug-compilation-dir=C:\src' \
		-mno-stack-arg-probe -fno-threadsafe-statics -DWITH_DLL
	# shellcheck disable=SC2046
	lld-link-19 /nologo /debug:full /entry:mainCRTStartup /subsystem:console /nodefaultlib /Brepro /pdbaltpath:app.pdb \
		'/pdbsourcepath:C:\build' /opt:ref /opt:noicf /out:app.exe /pdb:app.pdb $(objects obj)
	mv app.exe app.pdb "$out/windows/$arch"
}
windows x86_64
info_age "$out/windows/x86_64/app.pdb" "$out/windows/x86_64/app_infoage7.pdb"
# shellcheck disable=SC2046
lld-link-19 /nologo /debug:full /dll /entry:_DllMainCRTStartup /export:run /nodefaultlib /Brepro /pdbaltpath:app_dll.pdb \
	'/pdbsourcepath:C:\build' /opt:ref /opt:noicf /out:app.dll /pdb:app_dll.pdb $(objects obj)
mv app.dll app_dll.pdb "$out/windows/x86_64"
# shellcheck disable=SC2046
lld-link-19 /nologo /entry:mainCRTStartup /subsystem:console /nodefaultlib /Brepro /out:nodebug.exe $(objects obj)
mv nodebug.exe "$out/windows/x86_64"
windows aarch64
windows x86

# MinGW: DWARF in the PE file, an RSDS record without a name made from the build-id
mkdir -p "$out/mingw/gcc" "$out/mingw/lld"
compile o --target=x86_64-w64-windows-gnu -gdwarf-4 -fdebug-compilation-dir=/src -mno-stack-arg-probe -fno-threadsafe-statics
for file in leaf.c middle.c main.c; do
	x86_64-w64-mingw32-gcc -O2 -g -gdwarf-4 "-ffile-prefix-map=$work=/src" -frandom-seed=fixture -c "$file" -o "${file%.c}.o"
done
# shellcheck disable=SC2046
x86_64-w64-mingw32-gcc -nostdlib -Wl,-e,mainCRTStartup,--build-id=sha1,--no-insert-timestamp,--subsystem,console -o app.exe $(objects o)
cp app.exe "$out/mingw/gcc/app.exe"
x86_64-w64-mingw32-objcopy --only-keep-debug app.exe app.debug
x86_64-w64-mingw32-strip --strip-all app.exe -o stripped.exe
x86_64-w64-mingw32-objcopy --add-gnu-debuglink=app.debug stripped.exe
mkdir "$out/mingw/split"
mv stripped.exe "$out/mingw/split/app.exe"
mv app.debug "$out/mingw/split/app.debug"
# and with clang and lld, which also write a PDB
compile o --target=x86_64-w64-windows-gnu -gcodeview -gno-codeview-command-line '-fdebug-compilation-dir=C:\src' \
	-mno-stack-arg-probe -fno-threadsafe-statics
# shellcheck disable=SC2046
ld.lld-19 -m i386pep -e mainCRTStartup --subsystem console --no-insert-timestamp --Xlink=/Brepro --Xlink=/pdbaltpath:app.pdb \
	'--Xlink=/pdbsourcepath:C:\build' --pdb=app.pdb -o app.exe $(objects o)
mv app.exe app.pdb "$out/mingw/lld"

# link_macos ARCH FLAG… OUT comes last
link_macos() {
	arch=$1
	shift
	# shellcheck disable=SC2046
	ld64.lld-19 -arch "$arch" -platform_version macos 12.0 12.0 -undefined dynamic_lookup -flat_namespace -oso_prefix "$work/" \
		-reproducible "$@" $(objects "$arch.o")
}
for arch in x86_64 arm64; do
	to=$out/macos/$arch
	mkdir -p "$to"
	compile "$arch.o" --target="$arch-apple-macos12.0" -fno-stack-protector -fdebug-compilation-dir=/src
	link_macos "$arch" -e _main -o app
	dsymutil-19 app -o app.dSYM
	cp app "app.$arch"
	link_macos "$arch" -dylib -install_name @rpath/libapp.dylib -o libapp.dylib
	link_macos "$arch" -no_uuid -e _main -o nouuid
	llvm-strip-19 -o stripped app
	mv app app.dSYM libapp.dylib nouuid stripped "$to"
done
mkdir "$out/macos/fat" "$out/macos/fat64"
llvm-lipo-19 -create app.x86_64 app.arm64 -output app
dsymutil-19 app -o app.dSYM
mv app app.dSYM "$out/macos/fat"
llvm-lipo-19 -create -fat64 app.x86_64 app.arm64 -output "$out/macos/fat64/app"
