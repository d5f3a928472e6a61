//! The archive of BTF blobs: a folder in BTFHub's layout, `<distro>/<version>/<arch>/<release>.btf[.tar.xz]`, with a sidecar per blob.
//!
//! Finds the blobs and orders them, takes blobs in from kernels and hubs, and decides which one is for a kernel. `symbol-bundle build
//! --btf` uses it, and `trace-capture` for the decision. Not here: types and relocations (`sealtrace-btf`).

mod add;
mod identity;
mod report;
mod select;
mod sidecar;
mod source;
mod tree;
mod unpack;

pub use add::{Added, Given, OnExisting, Skipped, add};
pub use identity::{IdentityError, KernelIdentity, KernelTuple};
pub use report::{BlobReport, Minimised, matrix, minimise};
pub use select::{Candidate, Key, SelectError, SelectFault, Selection, Step, select};
pub use sidecar::{Sidecar, SidecarBlob, SidecarError};
pub use source::SourceError;
pub use tree::{BtfBlob, TreeError, collect};
pub use unpack::UnpackError;
