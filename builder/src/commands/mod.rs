//! One file per subcommand: its arguments, one call, its report.
pub(crate) mod build;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod sign;
pub(crate) mod trust;
