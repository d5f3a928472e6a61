#!/bin/sh
# The main job on real input: a small release is built, sealed, carried through an archive into a fresh store; a program of it is
# captured, resolved, replayed, verified, packed; the pack is audited in an empty HOME without a network.
# Installs nothing; names what it skips.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=.ci/static.sh
. .ci/static.sh

root=$PWD
out=$root/target/demo
step() { printf '\n\033[1m%s\033[0m\n' "$*" | { [ -t 1 ] && cat || sed 's/\x1b\[[0-9;]*m//g'; }; }
skip() { echo "SKIPPED: $*"; }
run() { printf '$ %s\n' "$(echo "$*" | sed "s|$root/||g")"; "$@"; }

step "Building the tools"
cargo build --locked --release -q -p symbol-bundle -p trace-capture -p trace-resolve -p trace-replay
build_static trace-verify
PATH=$root/target/release:$PATH
verify=$root/$STATIC_DIR/trace-verify
file=$(od -An -tx1 -j16 -N2 "$verify" | tr -d ' ')
echo "trace-verify is static ($STATIC_TARGET, ELF type $file)"

rm -rf "$out"
mkdir -p "$out/release/bin" "$out/release/lib" "$out/release/.build-id" "$out/site" "$out/home"

step "1. A small release: our sample programs, plus the system's C library"
src=$root/testdata/src
flags="-O2 -g -fomit-frame-pointer -pthread -ffile-prefix-map=$out=/demo -ffile-prefix-map=$src=/demo/src"
cd "$out"
# shellcheck disable=SC2086 # a list of flags
g++ $flags -shared -fPIC -Wl,--build-id=sha1 -Wl,-soname,libdemo.so -o release/lib/libdemo.so "$src/libdemo.cpp"
# shellcheck disable=SC2086 # a list of flags
g++ $flags -Wl,--build-id=sha1 -static-libstdc++ -static-libgcc -o release/bin/demo "$src/demo.cpp" -Lrelease/lib -ldemo "-Wl,-rpath,\$ORIGIN/../lib"
for binary in bin/demo lib/libdemo.so; do
    objcopy --only-keep-debug "release/$binary" "release/$binary.debug"
    strip "release/$binary"
    (cd "release/${binary%/*}" && objcopy --add-gnu-debuglink="${binary##*/}.debug" "${binary##*/}")
done
mkdir -p release/usr/lib
ldd release/bin/demo | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld[^ ]*\) .*/\1/p' | while read -r library; do
    case $library in */libdemo.so) continue ;; esac
    cp -L "$library" release/usr/lib/
done
debug=""
if [ -d /usr/lib/debug/.build-id ]; then
    debug="--debug-dir /usr/lib/debug"
else
    skip "debug information of the C library (package libc6-dbg is not installed); exported names only"
fi

mkdir -p release/windows release/macos
cp -R "$root/testdata/fixtures/platforms/windows/." release/windows/
cp -R "$root/testdata/fixtures/platforms/macos/." release/macos/

step "2. Seal it: build, sign, log; one bundle for Linux, Windows and macOS"
run symbol-bundle key generate -o release-key
run symbol-bundle log init --log release-log --origin release.demo/log
# shellcheck disable=SC2086 # a list of options
run symbol-bundle build release --name demo --version 1.0 $debug -o bundle
run symbol-bundle sign bundle --key release-key.key --trust release-trust
run symbol-bundle log append bundle --log release-log --trust release-trust
run symbol-bundle inspect bundle
symbol-bundle inspect bundle --json >inspect.json
platforms=""
for platform in linux windows macos; do
    grep -q "\"os\":\"$platform\"" inspect.json || { echo "the bundle holds no module for $platform" >&2; exit 1; }
    platforms="$platforms${platforms:+, }$platform"
done
echo "platform: $platforms"

step "3. Carry it over: archive, trust apart from it, import into a fresh store"
run symbol-bundle export bundle --to demo-1.0.tar
SEALTRACE_STORE=$out/store
export SEALTRACE_STORE
run symbol-bundle trust add release-trust --store store
run symbol-bundle import demo-1.0.tar --store store
run "$verify" --bundle demo:1.0 --dsse --rekor

step "4. The site's own key and log, enrolled"
run symbol-bundle key generate -o site/site
run symbol-bundle log init --log site/log --origin site.demo/log
run symbol-bundle trust enroll site-trust --signer site/site.pub --log site/log
run symbol-bundle trust add site-trust --store store

step "5. Capture a running program of the release: with eBPF where this host allows it"
run trace-capture --duration 2s --frequency 50 -o site/capture.jsonl -- release/bin/demo

step "6. Resolve it and sign the witness"
run trace-resolve --bundle demo:1.0 site/capture.jsonl -o site/trace.sigstore.json --key site/site.key --log site/log --events site/events.jsonl

step "7. Verify and replay it"
run "$verify" site/trace.sigstore.json
run trace-replay --trace site/trace.sigstore.json --seeds 5 --strict --junit site/replay.xml >site/replay.jsonl

step "8. Pack the evidence and audit the pack in an empty HOME, with the static binary, the archive and the trust folder"
run "$verify" pack site/trace.sigstore.json --to evidence.tar
mkdir -p audit
cp -r release-trust audit/trust
run symbol-bundle trust enroll audit/trust --signer site/site.pub --log site/log
cp evidence.tar "$verify" audit/
cd audit
unset SEALTRACE_STORE
if unshare -rn true 2>/dev/null; then quiet="unshare -rn"; else quiet=""; skip "the empty network namespace for the audit (unshare -rn is not allowed here)"; fi
# shellcheck disable=SC2086 # a command or nothing
run env -i HOME="$out/home" $(command -v ${quiet:-env} | head -1) $(echo "$quiet" | cut -s -d' ' -f2) ./trace-verify audit evidence.tar --trust trust --seeds 5 --strict --card card.html --json >verdict.json
./trace-verify audit evidence.tar --trust trust --seeds 5 --strict
./trace-verify explain ../site/trace.sigstore.json --frame 0 --store ../store >explain.txt

step "Evidence card"
sed -n 's/.*"coverage":{\([^}]*\)}.*/\1/p' verdict.json | head -1 | tr -d '"' | sed 's/^/coverage      /'
tr '}' '\n' <verdict.json | sed -n 's/.*"replay_success_ratio":\([0-9.]*\).*"seed":\([0-9]*\).*/seed \2  ratio \1/p'
tr ',' '\n' <verdict.json | sed -n 's/^{\{0,1\}"verdict":"\([a-z]*\)".*/verdict       \1/p' | tail -1
echo "verifier      $(./trace-verify --version)"
echo "card          $PWD/card.html"
