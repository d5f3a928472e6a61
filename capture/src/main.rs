//! Captures stacks of a running process.
fn main() {}
