//! The table of targets.

use crate::{archive, bundle, fragment, note};

/// One parser, or several of one format, with what must hold for what they accept.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, as in `docs/fuzzing.md`.
    pub name: &'static str,
    /// Runs it on bytes; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs that are accepted, or nearly.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "archive", run: archive::run, seeds: archive::seeds },
    Target { name: "bundle", run: bundle::run, seeds: bundle::seeds },
    Target { name: "note", run: note::run, seeds: note::seeds },
    Target { name: "fragment", run: fragment::run, seeds: fragment::seeds },
];

/// The target of this name.
pub fn target_named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
