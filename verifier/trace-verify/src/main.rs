//! Verifies, explains, packs and audits trace witnesses offline.
fn main() {}
