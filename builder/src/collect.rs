//! From a release tree to modules and the debug file of each: what there is, whose it is, and what was refused.
//!
//! The result depends on paths below the tree and on contents only, never on directory order, times or threads. Not here:
//! what the files mean (`symbolize`), writing (`assemble`).

mod candidates;
mod error;
mod pairing;
mod read;
mod walk;

use std::ops::Range;
use std::path::PathBuf;

use rayon::prelude::*;
use sealtrace_digest::FileSha256;
use sealtrace_object_id::{Arch, IdentityError, ObjectIds, ObjectInfo, ObjectKind};
use sealtrace_symbols::PairedBy;
use serde::Serialize;

use crate::progress::Progress;
pub(crate) use error::CollectError;
pub(crate) use read::read_unchanged;

/// What to collect.
#[derive(Debug, Clone)]
pub(crate) struct CollectOptions {
    /// The release tree.
    pub(crate) root: PathBuf,
    /// Further folders with debug files, in order of preference.
    pub(crate) debug_dirs: Vec<PathBuf>,
    /// What to do with damaged object files.
    pub(crate) malformed: OnMalformed,
}

/// What to do with damaged object files in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnMalformed {
    /// The build fails.
    Fail,
    /// They are listed and left out.
    Skip,
}

/// An object file of the tree or of a debug folder.
#[derive(Debug, Clone)]
pub(crate) struct ObjectFile {
    /// Path below the tree, `/` separated; below a debug folder with `debug-dir:` in front.
    pub(crate) path: String,
    /// Where it is on this machine; appears in no output file.
    pub(crate) location: PathBuf,
    /// SHA-256 of its bytes.
    pub(crate) sha256: FileSha256,
    /// CRC-32 of its bytes, as `.gnu_debuglink` uses it.
    pub(crate) crc32: u32,
    /// Length in bytes.
    pub(crate) size: u64,
    /// The object's bytes in it: all of them, or a slice of a fat Mach-O file.
    pub(crate) range: Range<usize>,
    /// Identity of the object.
    pub(crate) info: ObjectInfo,
}

impl ObjectFile {
    /// What tells objects apart; the order of modules in the index.
    fn key(&self) -> (&str, &Arch, &ObjectIds) {
        (&self.path, &self.info.arch, &self.info.ids)
    }

    /// The object's bytes among those of its file.
    pub(crate) fn object<'data>(&self, bytes: &'data [u8]) -> &'data [u8] {
        bytes.get(self.range.clone()).unwrap_or_default()
    }

    /// Whether another is the same object of the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.location == other.location && self.range == other.range
    }
}

/// The file that names and lines of a module come from.
#[derive(Debug, Clone)]
pub(crate) struct DebugFile {
    /// The file; the module itself when it holds its own debug information.
    pub(crate) file: ObjectFile,
    /// How it was found.
    pub(crate) paired_by: PairedBy,
}

/// A module with its debug file.
#[derive(Debug, Clone)]
pub(crate) struct ModuleFile {
    /// The binary.
    pub(crate) binary: ObjectFile,
    /// Its debug file, where one was found.
    pub(crate) debug: Option<DebugFile>,
}

/// A debug file that was found for a module and is not its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedDebugFile {
    /// Path of the module.
    pub(crate) module: String,
    /// Path of the debug file.
    pub(crate) debug_file: String,
    /// What differs: `identity`, `architecture`, `CRC-32`, `format`.
    pub(crate) what: String,
    /// What the module has or wants.
    pub(crate) expected: String,
    /// What the debug file has.
    pub(crate) found: String,
}

/// A file that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftOut {
    /// Path below the tree.
    pub(crate) path: String,
    /// Why.
    pub(crate) reason: String,
}

/// What is not in the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ignored {
    /// Symbolic links: their targets are met under their own names.
    pub(crate) symlinks: u64,
    /// Relocatable objects (`.o`, `.ko`).
    pub(crate) relocatable: u64,
    /// Core dumps.
    pub(crate) cores: u64,
    /// Debug files of the tree that belong to no module of the tree.
    pub(crate) unused_debug_files: Vec<String>,
    /// Formats that are recognised and not read yet.
    pub(crate) unsupported: Vec<LeftOut>,
    /// Damaged object files, with `--skip-malformed`.
    pub(crate) malformed: Vec<LeftOut>,
}

/// All that was found.
#[derive(Debug)]
pub(crate) struct Collected {
    /// Modules by path, bytewise.
    pub(crate) modules: Vec<ModuleFile>,
    /// Debug files that were found and refused.
    pub(crate) refused: Vec<RefusedDebugFile>,
    /// What is left out.
    pub(crate) ignored: Ignored,
}

/// Walks a release tree, identifies every object file and pairs modules with debug files.
///
/// # Errors
/// [`CollectError`]
pub(crate) fn collect(options: &CollectOptions) -> Result<Collected, CollectError> {
    // A misspelt folder would otherwise pass as one without debug files.
    for path in &options.debug_dirs {
        std::fs::read_dir(path).map_err(|source| CollectError::DebugDir { path: path.clone(), source })?;
    }
    let walked = walk::walk(&options.root)?;
    let bar = Progress::start("identify", walked.files.len());
    let identified: Vec<_> = walked
        .files
        .into_par_iter()
        .map(|found| {
            let identified = read::identify_file(&found.path, &found.location);
            bar.advance();
            (found.path, identified)
        })
        .collect();
    drop(bar);
    let mut ignored = Ignored { symlinks: walked.symlinks, ..Ignored::default() };
    let mut modules = Vec::new();
    let mut debug_files = Vec::new();
    for (path, identified) in identified {
        match identified? {
            Ok(objects) => sort_out(objects, &mut modules, &mut debug_files, &mut ignored),
            Err(error) => leave_out(&mut ignored, path, error, options.malformed)?,
        }
    }
    leave_out_twins(&mut modules, &mut ignored);
    if modules.is_empty() {
        return Err(CollectError::Empty { root: options.root.clone() });
    }
    let paired = pairing::pair(modules, debug_files, &options.debug_dirs)?;
    ignored.unused_debug_files = paired.unused;
    Ok(Collected { modules: paired.modules, refused: paired.refused, ignored })
}

fn sort_out(objects: Vec<ObjectFile>, modules: &mut Vec<ObjectFile>, debug_files: &mut Vec<ObjectFile>, ignored: &mut Ignored) {
    for object in objects {
        match object.info.kind {
            ObjectKind::Executable | ObjectKind::Library => modules.push(object),
            ObjectKind::DebugOnly => debug_files.push(object),
            ObjectKind::Relocatable => ignored.relocatable += 1,
            ObjectKind::Core => ignored.cores += 1,
        }
    }
}

/// The index tells the slices of a fat file apart by architecture and ids; of several that share both the first is kept.
fn leave_out_twins(modules: &mut Vec<ObjectFile>, ignored: &mut Ignored) {
    modules.sort_by(|one, other| one.key().cmp(&other.key()).then_with(|| one.range.start.cmp(&other.range.start)));
    modules.dedup_by(|later, first| {
        let is_twin = later.key() == first.key();
        if is_twin {
            let reason = format!("a second slice for {} with the same identity, or none", later.info.arch);
            ignored.unsupported.push(LeftOut { path: later.path.clone(), reason });
        }
        is_twin
    });
}

fn leave_out(ignored: &mut Ignored, path: String, error: IdentityError, malformed: OnMalformed) -> Result<(), CollectError> {
    match error {
        IdentityError::NotAnObject => {}
        IdentityError::Unsupported { format } => {
            ignored.unsupported.push(LeftOut { path, reason: format!("{format} files are not read yet") });
        }
        error if malformed == OnMalformed::Skip => ignored.malformed.push(LeftOut { path, reason: error.to_string() }),
        error => return Err(CollectError::Malformed { path, source: error }),
    }
    Ok(())
}
