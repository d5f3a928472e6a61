#!/bin/sh
# rustc for .ci/fuzz.sh: crates that only compute are compiled without coverage, which would cost most of the time and lead nowhere.
rustc=$1
shift
plain=" p256 p384 p521 primeorder primefield elliptic_curve crypto_bigint sha1 sha2 sha3 keccak hmac rfc6979 rsa"
plain="$plain curve25519_dalek ed25519_dalek ml_dsa module_lattice hybrid_array subtle tempfile sealtrace_instance tar "
name=
for arg; do
    if [ "$name" = next ]; then name=$arg; fi
    if [ "$arg" = --crate-name ]; then name=next; fi
done
case $plain in
*" $name "*)
    for arg; do
        shift
        case $arg in -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) ;; *) set -- "$@" "$arg" ;; esac
    done
    ;;
esac
exec "$rustc" "$@"
