//! One file per subcommand: its arguments, one call, its report; and what their errors and next steps share.
pub(crate) mod build;
pub(crate) mod compare;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod kind;
pub(crate) mod kit;
pub(crate) mod log;
pub(crate) mod next;
pub(crate) mod sign;
pub(crate) mod site;
pub(crate) mod target;
pub(crate) mod trust;
