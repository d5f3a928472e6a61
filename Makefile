# A table of contents. `make demo` and `make test` need the Rust toolchain, make, gcc and g++ only and install nothing.
.PHONY: setup demo test check fuzz bench fixtures bpf kernels interop dist clean
.DEFAULT_GOAL := demo

setup:     ; sh .ci/setup.sh            # Debian packages, Rust targets, foreign verifiers: all that the gate needs
demo:      ; sh .ci/demo.sh             # the main job on real input, ending in a verified and replayed witness and an Evidence card
test:      ; sh .ci/test.sh             # every test; each skip is named
check:     ; sh .ci/check.sh            # format, lint, layers, docs, fuzz smoke
fuzz:      ; sh .ci/fuzz.sh all         # every fuzz target by libFuzzer: four for 30 minutes each, the others for 3
bench:     ; cargo bench --locked -p sealtrace-tlog -p sealtrace-site-log -p symbol-bundle -p trace-verify   # ours beside the peers, medians and ratios
fixtures:  ; sh testdata/generate.sh target/fixtures
interop:   ; sh .ci/interop.sh          # the same evidence through foreign verifiers
dist:      ; sh .ci/dist.sh             # static binaries and their digests in target/dist
kernels:   ; sh .ci/kernels.sh          # the same static trace-capture and probe object on Linux 5.10 to 7.2 in qemu
bpf:       ; sh .ci/bpf.sh              # rebuilds the probe object and holds it against the committed one
clean:     ; cargo clean
