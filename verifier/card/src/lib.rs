//! The Evidence card: one HTML file.
#![forbid(unsafe_code)]
