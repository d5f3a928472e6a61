//! OCI image layouts: manifests, indexes, media types, and the strict reader of the archives that carry them.
//!
//! Bytes in, types out. Not here: any file system (`sealtrace-store`, `builder/`), any signature.
#![forbid(unsafe_code)]

mod archive;
mod manifest;
pub mod media;

pub use archive::{ArchiveError, ArchiveReader, Entry, EntryName};
pub use manifest::{
    BlobError, Blobs, Descriptor, EMPTY_CONFIG, ImageIndex, LayoutError, MAX_MANIFEST_BYTES, Manifest, REF_NAME,
};
