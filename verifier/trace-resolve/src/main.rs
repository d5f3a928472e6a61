//! Resolves a capture against symbol bundles and signs the witness.
fn main() {}
