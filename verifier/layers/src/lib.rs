//! No code: `tests/` holds the gate's tests over the workspace's own shape (layers, dependency lists, licences, file sizes).
#![forbid(unsafe_code)]
