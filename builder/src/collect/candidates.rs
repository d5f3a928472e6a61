//! Where the debug file of a module may be: in the tree, by id and name, and in the debug folders, by name; PDBs and dSYMs by id there too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealtrace_object_id::{IdentityError, ModuleId, Os};
use sealtrace_symbols::PairedBy;

use rayon::prelude::*;

use super::ObjectFile;
use super::error::CollectError;
use super::read::identify_file;

/// What stands before the path of a file in a debug folder.
const DEBUG_DIR: &str = "debug-dir:";

/// A file that may be a module's debug file.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Path as reports and the index show it.
    pub(super) path: String,
    /// Which rule found it.
    pub(super) paired_by: PairedBy,
    /// The file, or what is wrong with its content.
    pub(super) file: Result<ObjectFile, IdentityError>,
}

/// The debug files of the tree by every way of finding them, and the debug folders.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    /// Several where a file is fat.
    by_path: BTreeMap<&'a str, Vec<&'a ObjectFile>>,
    /// `.build-id/xx/yyyy.debug`, wherever that folder is in the tree.
    by_build_id_path: BTreeMap<&'a str, Vec<&'a ObjectFile>>,
    by_id: BTreeMap<ModuleId, Vec<&'a ObjectFile>>,
    debug_dirs: &'a [PathBuf],
}

impl<'a> Candidates<'a> {
    /// `files`: all that may serve, files with only debug information before others, those of debug folders last, each part by path.
    pub(super) fn new(files: impl Iterator<Item = &'a ObjectFile>, debug_dirs: &'a [PathBuf]) -> Self {
        let mut all = Self { by_path: BTreeMap::new(), by_build_id_path: BTreeMap::new(), by_id: BTreeMap::new(), debug_dirs };
        for file in files {
            all.by_path.entry(&file.path).or_default().push(file);
            if let Some(place) = build_id_place(&file.path) {
                all.by_build_id_path.entry(place).or_default().push(file);
            }
            if let Some(id) = file.info.ids.debug_id() {
                all.by_id.entry(id).or_default().push(file);
            }
        }
        all
    }

    /// Step 1: `.build-id/xx/yyyy.debug` in the tree, then in each debug folder.
    pub(super) fn in_build_id_trees(&self, module: &ObjectFile) -> Result<Vec<Candidate>, CollectError> {
        let Some((head, tail)) = module.info.ids.gnu_build_id.as_deref().and_then(|id| id.split_at_checked(2)) else {
            return Ok(Vec::new());
        };
        let place = format!(".build-id/{head}/{tail}.debug");
        let in_tree = self.by_build_id_path.get(place.as_str()).into_iter().flatten();
        let mut found: Vec<_> = in_tree.map(|file| candidate(file, PairedBy::BuildIdTree)).collect();
        for dir in self.debug_dirs {
            found.extend(external(dir, &place, PairedBy::BuildIdTree)?);
        }
        Ok(found)
    }

    /// Step 2: files of the tree that carry the same id, then PDBs and dSYMs of the debug folders.
    pub(super) fn with_same_id(&self, module: &ObjectFile) -> Vec<Candidate> {
        let id = module.info.ids.debug_id();
        let same = id.and_then(|id| self.by_id.get(&id)).into_iter().flatten();
        same.filter(|file| file.path != module.path).map(|file| candidate(file, PairedBy::BuildId)).collect()
    }

    /// Step 3: the name in `.gnu_debuglink`: beside the module, in `.debug/` beside it, below `usr/lib/debug/` of the tree, then
    /// below each debug folder.
    pub(super) fn by_debug_link(&self, module: &ObjectFile) -> Result<Vec<Candidate>, CollectError> {
        let Some(link) = &module.info.debug_link else { return Ok(Vec::new()) };
        let folder = module.path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
        let name = &link.name;
        let places = [format!("{folder}{name}"), format!("{folder}.debug/{name}"), format!("usr/lib/debug/{folder}{name}")];
        let in_tree = places.iter().filter_map(|place| self.by_path.get(place.as_str())).flatten();
        let in_tree = in_tree.filter(|file| file.path != module.path);
        let mut found: Vec<_> = in_tree.map(|file| candidate(file, PairedBy::DebugLink)).collect();
        for dir in self.debug_dirs {
            found.extend(external(dir, &format!("{folder}{name}"), PairedBy::DebugLink)?);
            if !folder.is_empty() {
                found.extend(external(dir, name, PairedBy::DebugLink)?);
            }
        }
        Ok(found)
    }

    /// Last: what is named after the module by the custom of its platform, `NAME.pdb` or `NAME.dSYM`, beside it or in a debug folder. The
    /// module names it by its id alone, so one that comes this far is refused, with both values.
    pub(super) fn by_custom(&self, module: &ObjectFile) -> Vec<Candidate> {
        let (folder, name) = module.path.rsplit_once('/').map_or(("", module.path.as_str()), |(folder, name)| (folder, name));
        let name = match module.info.os {
            Os::Linux => return Vec::new(),
            Os::Windows => format!("{}.pdb", name.rsplit_once('.').map_or(name, |(stem, _)| stem)),
            Os::Macos => format!("{name}.dSYM/Contents/Resources/DWARF/"),
        };
        let beside = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let places = [beside.clone(), format!("{DEBUG_DIR}{beside}"), format!("{DEBUG_DIR}{name}")];
        let mut found: Vec<&ObjectFile> = Vec::new();
        for place in places {
            let from_there = self.by_path.range(place.as_str()..).take_while(|(path, _)| path.starts_with(&place));
            found.extend(from_there.flat_map(|(_, files)| files.iter().copied()).filter(|file| place.ends_with('/') || file.path == place));
        }
        // Of a fat file the slices for other architectures are not meant.
        if found.iter().any(|file| file.info.arch == module.info.arch) {
            found.retain(|file| file.info.arch == module.info.arch);
        }
        found.into_iter().map(|file| candidate(file, PairedBy::BuildId)).collect()
    }
}

/// The PDBs and the Mach-O files with debug information in a debug folder, wherever in it they are. Others are found by their names.
pub(super) fn of_other_platforms(dir: &Path) -> Result<Vec<ObjectFile>, CollectError> {
    let found = super::walk::walk(dir)?.files.into_par_iter().map(|found| {
        let path = format!("{DEBUG_DIR}{}", found.path);
        if super::walk::starts_like_elf(&found.location)? {
            return Ok(Vec::new());
        }
        // A damaged file in such a folder is nobody's debug file.
        let mut objects = identify_file(&path, &found.location)?.unwrap_or_default();
        objects.retain(|object| object.info.os != Os::Linux && object.info.has_debug_info);
        Ok(objects)
    });
    let found: Result<Vec<Vec<ObjectFile>>, CollectError> = found.collect();
    Ok(found?.into_iter().flatten().collect())
}

fn candidate(file: &ObjectFile, paired_by: PairedBy) -> Candidate {
    Candidate { path: file.path.clone(), paired_by, file: Ok(file.clone()) }
}

/// The last three parts of a path, when they are `.build-id/xx/name`.
fn build_id_place(path: &str) -> Option<&str> {
    let at = path.rfind(".build-id/")?;
    let (before, place) = path.split_at_checked(at)?;
    let whole_part = before.is_empty() || before.ends_with('/');
    (whole_part && place.split('/').count() == 3).then_some(place)
}

/// A file below a debug folder. Links are followed there, as distributions use them, but not out of the folder.
fn external(dir: &Path, place: &str, paired_by: PairedBy) -> Result<Option<Candidate>, CollectError> {
    let io = |source| CollectError::Io { path: dir.join(place), source };
    let root = dir.canonicalize().map_err(|source| CollectError::Io { path: dir.to_owned(), source })?;
    let location = match root.join(place).canonicalize() {
        Ok(location) => location,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if !location.starts_with(&root) || !std::fs::metadata(&location).map_err(io)?.is_file() {
        return Ok(None);
    }
    let path = format!("{DEBUG_DIR}{place}");
    let objects = identify_file(&path, &location)?;
    // Build-ids and debug links name files of one object.
    let file = objects.and_then(|objects| objects.into_iter().next().ok_or(IdentityError::NotAnObject));
    Ok(Some(Candidate { path, paired_by, file }))
}

#[cfg(test)]
mod tests {
    use super::build_id_place;

    #[test]
    fn a_build_id_place_is_exactly_three_parts_at_the_end_of_a_path() {
        for (path, place) in [
            (".build-id/ab/cd.debug", Some(".build-id/ab/cd.debug")),
            ("usr/lib/debug/.build-id/ab/cd.debug", Some(".build-id/ab/cd.debug")),
            ("usr/x.build-id/ab/cd.debug", None),
            (".build-id/ab/cd/e.debug", None),
            (".build-id/ab", None),
            ("lib/a.so", None),
        ] {
            assert_eq!(build_id_place(path), place, "{path}");
        }
    }
}
