//! Trust kits, enrolment, pins, policies and the courier, through the installed binaries: each scene is a release, a site and whoever makes
//! the kits, in a folder of its own.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code outside #[test] functions")]

mod certified;
mod clock;
mod courier;
mod kill;
mod kits;
mod proof;
mod rules;
mod scene;
