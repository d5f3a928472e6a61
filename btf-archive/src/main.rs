//! The archive of BTF blobs.
fn main() {}
