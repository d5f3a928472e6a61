//! The archive of BTF blobs: a folder in BTFHub's layout, `<distro>/<version>/<arch>/<release>.btf`.
//!
//! Finds the blobs, checks their headers, orders them. `symbol-bundle build --btf` uses it too. Not here yet: compressed
//! blobs, parsing of types, minimising.

mod header;
mod tree;

pub use header::{BtfHeader, BtfHeaderError};
pub use tree::{BtfBlob, TreeError, collect};
