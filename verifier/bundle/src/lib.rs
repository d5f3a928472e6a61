//! From bytes to a verified statement and a verified symbol bundle.
#![forbid(unsafe_code)]
