#!/bin/sh
# initramfs.sh WORK CAPTURE [BTF]: WORK/initramfs.cpio from testdata/kernels, busybox, the static trace-capture, the workload with its
# libraries, and a folder of BTF. The same input gives the same bytes. WORK/release gets the programs and libraries, for sealing.
set -eu
work=$1 capture=$2 btf=${3:-}
src=$(cd "$(dirname "$0")/../../testdata/kernels" && pwd)
top=$work/initramfs
rm -rf "$top" "$work/release"
mkdir -p "$top/bin" "$top/btf" "$top/proc" "$top/sys" "$top/dev" "$top/tmp" "$work/release/bin" "$work/release/lib"

gcc -O2 -g -fomit-frame-pointer -rdynamic -Wl,--build-id=sha1 "-ffile-prefix-map=$src=." -o "$work/release/bin/workload" "$src/workload.c"
cp "$work/release/bin/workload" "$capture" "$(command -v busybox)" "$top/bin/"
ldd "$work/release/bin/workload" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$top${library%/*}"
    cp -L "$library" "$top$library"
    cp -L "$library" "$work/release/lib/"
done
cp "$src/init" "$top/init"
[ -z "$btf" ] || cp -r "$btf/." "$top/btf/"
chmod -R u=rwX,go=rX "$top"
chmod 755 "$top/init" "$top"/bin/*
find "$top" -exec touch -h -d @0 {} +
(cd "$top" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$work/initramfs.cpio"
