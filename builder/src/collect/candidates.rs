//! Where the debug file of a module may be: in the tree, by name and id, and in the debug folders, by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealtrace_object_id::{IdentityError, ModuleId};
use sealtrace_symbols::PairedBy;

use super::ObjectFile;
use super::error::CollectError;
use super::read::identify_file;

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
    by_path: BTreeMap<&'a str, &'a ObjectFile>,
    /// `.build-id/xx/yyyy.debug`, wherever that folder is in the tree.
    by_build_id_path: BTreeMap<&'a str, Vec<&'a ObjectFile>>,
    by_id: BTreeMap<ModuleId, Vec<&'a ObjectFile>>,
    debug_dirs: &'a [PathBuf],
}

impl<'a> Candidates<'a> {
    /// `files`: all that may serve, files with only debug information before others, each part by path.
    pub(super) fn new(files: impl Iterator<Item = &'a ObjectFile>, debug_dirs: &'a [PathBuf]) -> Self {
        let mut all = Self { by_path: BTreeMap::new(), by_build_id_path: BTreeMap::new(), by_id: BTreeMap::new(), debug_dirs };
        for file in files {
            all.by_path.insert(&file.path, file);
            if let Some(place) = build_id_place(&file.path) {
                all.by_build_id_path.entry(place).or_default().push(file);
            }
            if let Some(id) = file.info.ids.primary() {
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

    /// Step 2: files of the tree that carry the same id.
    pub(super) fn with_same_id(&self, module: &ObjectFile) -> Vec<Candidate> {
        let id = module.info.ids.primary();
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
        let in_tree = places.iter().filter_map(|place| self.by_path.get(place.as_str()));
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
    let path = format!("debug-dir:{place}");
    let file = identify_file(&path, &location)?;
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
