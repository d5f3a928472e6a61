//! DSSE envelopes, in-toto statements, Sigstore bundles and P-256 keys.
#![forbid(unsafe_code)]
