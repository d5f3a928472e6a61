//! Which debug file belongs to which module: the platform check decides, the order of the rules chooses.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rayon::prelude::*;
use sealtrace_object_id::{IdMismatch, Os, check_pair};
use sealtrace_symbols::PairedBy;

use super::candidates::{Candidate, Candidates, of_other_platforms};
use super::error::CollectError;
use super::{DebugFile, ModuleFile, ObjectFile, RefusedDebugFile};
use crate::progress::Progress;

/// Modules with their debug files.
#[derive(Debug)]
pub(super) struct Paired {
    pub(super) modules: Vec<ModuleFile>,
    pub(super) refused: Vec<RefusedDebugFile>,
    /// Paths of debug files of the tree that no module took.
    pub(super) unused: Vec<String>,
}

/// Pairs modules with debug files. Both lists are in order of path.
pub(super) fn pair(modules: Vec<ObjectFile>, debug_files: Vec<ObjectFile>, debug_dirs: &[PathBuf]) -> Result<Paired, CollectError> {
    let unstripped = modules.iter().filter(|module| module.info.has_debug_info);
    let mut elsewhere = Vec::new();
    // Their debug files carry ids and no names, so the folders are searched; those of ELF modules are found by name there.
    if modules.iter().any(|module| module.info.os != Os::Linux && !module.info.has_debug_info) {
        for dir in debug_dirs {
            elsewhere.extend(of_other_platforms(dir)?);
        }
    }
    let candidates = Candidates::new(debug_files.iter().chain(unstripped).chain(&elsewhere), debug_dirs);
    let bar = Progress::start("pair", modules.len());
    let choices: Vec<_> = modules
        .par_iter()
        .map(|module| {
            let mut refused = Vec::new();
            let chosen = choose(module, &candidates, &mut refused);
            bar.advance();
            chosen.map(|chosen| (chosen, refused))
        })
        .collect();
    drop(bar);
    let mut paired = Paired { modules: Vec::with_capacity(modules.len()), refused: Vec::new(), unused: Vec::new() };
    let mut used = BTreeSet::new();
    for (binary, choice) in modules.into_iter().zip(choices) {
        let (debug, refused) = choice?;
        paired.refused.extend(refused);
        used.extend(debug.as_ref().map(|debug| debug.file.path.clone()));
        paired.modules.push(ModuleFile { binary, debug });
    }
    paired.refused.sort();
    paired.refused.dedup();
    paired.unused = debug_files.into_iter().map(|file| file.path).filter(|path| !used.contains(path)).collect();
    // Once for all slices of a fat file.
    paired.unused.dedup();
    Ok(paired)
}

fn choose(
    module: &ObjectFile,
    candidates: &Candidates<'_>,
    refused: &mut Vec<RefusedDebugFile>,
) -> Result<Option<DebugFile>, CollectError> {
    if module.info.has_debug_info {
        return Ok(Some(DebugFile { file: module.clone(), paired_by: PairedBy::SelfContained }));
    }
    let mut first_match = |found: Vec<Candidate>| found.into_iter().find_map(|candidate| accept(module, candidate, refused));
    if let Some(debug) = first_match(candidates.in_build_id_trees(module)?) {
        return Ok(Some(debug));
    }
    if let Some(debug) = first_match(candidates.with_same_id(module)) {
        return Ok(Some(debug));
    }
    if let Some(debug) = first_match(candidates.by_debug_link(module)?) {
        return Ok(Some(debug));
    }
    Ok(first_match(candidates.by_custom(module)))
}

/// Holds a candidate against the module; a wrong one is noted with both values.
fn accept(module: &ObjectFile, candidate: Candidate, refused: &mut Vec<RefusedDebugFile>) -> Option<DebugFile> {
    let checked = match candidate.file {
        Ok(file) => check(module, &file, candidate.paired_by).map(|()| file),
        Err(error) => Err(IdMismatch { what: "format", binary: format_name(module.info.os).to_owned(), debug: error.to_string() }),
    };
    match checked {
        Ok(file) => Some(DebugFile { file, paired_by: candidate.paired_by }),
        Err(IdMismatch { what, binary, debug }) => {
            refused.push(RefusedDebugFile {
                module: module.path.clone(),
                debug_file: candidate.path,
                what: what.to_owned(),
                expected: binary,
                found: debug,
            });
            None
        }
    }
}

fn format_name(os: Os) -> &'static str {
    match os {
        Os::Linux => "ELF",
        Os::Windows => "PE",
        Os::Macos => "Mach-O",
    }
}

fn check(module: &ObjectFile, debug: &ObjectFile, paired_by: PairedBy) -> Result<(), IdMismatch> {
    if let (PairedBy::DebugLink, Some(link)) = (paired_by, &module.info.debug_link)
        && link.crc32 != debug.crc32
    {
        let hex = |crc: u32| format!("{crc:08x}");
        return Err(IdMismatch { what: "CRC-32", binary: hex(link.crc32), debug: hex(debug.crc32) });
    }
    let (one, other) = (&module.info, &debug.info);
    let neither = one.ids.debug_id().is_none() && other.ids.debug_id().is_none();
    if neither && paired_by == PairedBy::DebugLink && one.arch == other.arch {
        // Neither carries an id to compare; the binary names the CRC-32 of exactly this file.
        return Ok(());
    }
    check_pair((&one.arch, &one.ids), (&other.arch, &other.ids)).map(|_| ())
}
