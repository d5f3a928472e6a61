//! Facts about bundles.
