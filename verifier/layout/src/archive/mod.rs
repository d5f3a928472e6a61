//! Archives: the strict ustar reader of `oci-archive` files, and the deterministic tars this project writes.
//!
//! Nothing is ever extracted: a reader gives names and offsets (notes/transfer, *Hostile archives*). What is not plain
//! ustar with regular files is refused with its own reason. Not here: any file, any verification of content.

mod error;
mod files;
mod header;
mod reader;

pub use error::{ArchiveError, ArchiveFault, EntryType, Part};
pub use files::{FileLimits, read_files, write_archive, write_files};
pub use header::{BLOCK, END, MAX_ENTRY_BYTES, padding, write_folder_header, write_header};
pub use reader::{ArchiveReader, Entry, EntryName, MAX_ENTRIES, MAX_TAIL_BYTES, ReadAt};

#[cfg(test)]
mod tests;
