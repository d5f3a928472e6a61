//! The gate's tests over the workspace's own shape.
#![forbid(unsafe_code)]
