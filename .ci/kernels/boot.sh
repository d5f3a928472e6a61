#!/bin/sh
# boot.sh KERNEL INITRAMFS OUT WORDS: one virtual machine; what it sends is unpacked in OUT. Without KVM, so it runs anywhere.
set -eu
kernel=$1 initramfs=$2 out=$3 words=$4
rm -rf "$out"
mkdir -p "$out"
start=$(date +%s%N)
code=0
timeout -k 2 "${SEALTRACE_VM_SECONDS:-60}" qemu-system-x86_64 -M pc -accel tcg -cpu max -m 512 -nic none -vga none -display none \
    -monitor none -serial "file:$out/console" -serial "file:$out/out.tar.gz" -no-reboot -kernel "$kernel" -initrd "$initramfs" \
    -append "console=ttyS0 panic=-1 quiet $words" </dev/null >"$out/qemu.log" 2>&1 || code=$?
end=$(date +%s%N)
echo "$(((end - start) / 1000000))" >"$out/milliseconds"
# What the machine took of a processor, whatever else runs here: the second line is of the children, user and system time.
times >"$out/times"
echo "$code" >"$out/qemu.exit"
tar -xzf "$out/out.tar.gz" -C "$out" --strip-components=1 2>"$out/tar.log" || echo "nothing usable came out of the machine" >"$out/broken"
