//! The import store and OCI layouts on disk, read only.
#![forbid(unsafe_code)]
