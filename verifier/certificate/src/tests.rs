//! Facts about certificates and time stamps.
