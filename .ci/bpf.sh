#!/bin/sh
# Builds the probe object and holds it against the committed one, byte by byte. `bless` replaces the committed one and its manifest.
# Needs clang-19 and llvm-strip-19 (packages clang-19, llvm-19).
set -eu
cd "$(dirname "$0")/.."
folder=capture-ebpf
name=sealtrace.bpf
out=target/bpf
for tool in clang-19 llvm-strip-19; do
    command -v "$tool" >/dev/null || { echo "make bpf: $tool is not installed (make setup installs it)" >&2; exit 2; }
done
flags="-O2 -g -target bpf -mcpu=v2 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror -ffile-prefix-map=$PWD/$folder=."
mkdir -p "$out"
# shellcheck disable=SC2086 # a list of flags
(cd "$folder" && clang-19 $flags -c "$name.c" -o "../$out/$name.whole.o")
llvm-strip-19 -g -o "$out/$name.o" "$out/$name.whole.o"
sha() { sha256sum "$1" | cut -d' ' -f1; }
cat >"$out/$name.json" <<END
{
  "object": "$name.o",
  "sha256": "$(sha "$out/$name.o")",
  "source": "$name.c",
  "sourceSha256": "$(sha "$folder/$name.c")",
  "compiler": "$(clang-19 --version | sed -n '1s/.*clang version \([0-9.]*\).*/clang \1/p')",
  "command": "clang-19 -O2 -g -target bpf -mcpu=v2 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror -ffile-prefix-map=FOLDER=. -c $name.c; llvm-strip-19 -g"
}
END
if [ "${1:-}" = bless ]; then
    cp "$out/$name.o" "$out/$name.json" "$folder/"
fi
for file in "$name.o" "$name.json"; do
    cmp "$out/$file" "$folder/$file" || { echo "make bpf: $folder/$file is not what its source gives; if that is meant, run: sh .ci/bpf.sh bless" >&2; exit 1; }
done
echo "probe object  $(sha "$folder/$name.o")  $(wc -c <"$folder/$name.o") bytes, rebuilt and equal"
