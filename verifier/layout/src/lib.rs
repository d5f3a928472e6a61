//! OCI image layouts: manifests, indexes, media types, and the strict reader of the archives that carry them.
//!
//! Bytes in, types out. Not here: any file system (`sealtrace-store`, `builder/`), any signature.
#![forbid(unsafe_code)]

pub mod archive;
pub mod graph;
mod manifest;
pub mod media;
pub mod names;

pub use archive::{ArchiveError, ArchiveFault, ArchiveReader, Entry, EntryName, ReadAt, read_files, write_files};
pub use graph::{Attachment, Attachments, GraphError, GraphFault, LayoutGraph};
pub use manifest::{
    BlobError, Blobs, Descriptor, EMPTY_CONFIG, ImageIndex, LayoutError, MAX_MANIFEST_BYTES, Manifest, OCI_LAYOUT, REF_NAME,
};
pub use names::Listing;
