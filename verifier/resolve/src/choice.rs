//! Which of the bundles' modules serves a module record: looked up, never searched for. Not here: opening it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_object_id::{Arch, IdKind, ModuleId};
use sealtrace_symbols::Module;
use sealtrace_trace::ModuleRecord;

use crate::sources::{SourceBundle, Unmatched, module_id};

/// A bundle's and a module's place in the set given.
pub(crate) type Position = (usize, usize);

/// A module of a bundle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a, 'b> {
    pub(crate) bundle: &'a SourceBundle<'b>,
    pub(crate) module: &'a Module,
    pub(crate) position: Position,
}

impl<'a> Choice<'a, '_> {
    /// Among equal candidates the choice is fixed: most functions, most FDEs, then smallest bundle digest and path.
    fn preference(&self) -> (Reverse<(u64, u64)>, BlobDigest, &'a str) {
        let coverage = &self.module.coverage;
        (Reverse((coverage.functions, coverage.unwind)), self.bundle.digest, &self.module.path)
    }
}

/// What a record may ask for: an identity and, where it knows them, architecture and contents.
type Wanted<'a> = (ModuleId, Option<&'a Arch>, Option<FileSha256>);

/// The best module for everything a record may ask for. A capture may name many regions and a bundle many modules, so neither is gone
/// through for each of the other.
#[derive(Debug)]
pub(crate) struct Choices<'a, 'b>(BTreeMap<Wanted<'a>, Choice<'a, 'b>>);

impl<'a, 'b> Choices<'a, 'b> {
    pub(crate) fn new(bundles: &'a [SourceBundle<'b>]) -> Self {
        let mut choices = Self(BTreeMap::new());
        for (number, bundle) in bundles.iter().enumerate() {
            for (row, module) in bundle.modules.iter().enumerate() {
                choices.add(Choice { bundle, module, position: (number, row) });
            }
        }
        choices
    }

    fn add(&mut self, choice: Choice<'a, 'b>) {
        let module = choice.module;
        let id = module.ids.primary().unwrap_or_else(|| ModuleId { kind: IdKind::FileSha256, id: module.file_sha256.to_string() });
        for arch in [None, Some(&module.arch)] {
            for sha256 in [None, Some(module.file_sha256)] {
                let best = self.0.entry((id.clone(), arch, sha256)).or_insert(choice);
                if choice.preference() < best.preference() {
                    *best = choice;
                }
            }
        }
    }

    /// The module that serves a record.
    pub(crate) fn of(&self, record: &ModuleRecord) -> Result<Choice<'a, 'b>, Unmatched> {
        let id = module_id(record).ok_or(Unmatched::NoIdentity)?;
        let kind = id.kind;
        let mut wanted = (id, record.arch.as_ref(), record.file_sha256);
        if let Some(choice) = self.0.get(&wanted) {
            return Ok(*choice);
        }
        wanted.2 = None;
        Err(if self.0.contains_key(&wanted) {
            Unmatched::FileSha256Mismatch
        } else if kind == IdKind::FileSha256 {
            Unmatched::NoIdentity
        } else {
            Unmatched::NotInBundle
        })
    }
}
