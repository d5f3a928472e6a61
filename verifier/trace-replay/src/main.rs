//! Replays a trace witness under perturbing seeds.
fn main() {}
