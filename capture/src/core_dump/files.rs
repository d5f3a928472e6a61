//! The files behind a dumped process's code: below a folder, by their paths, and only where they are surely those that were mapped.
//!
//! A core holds the first page of each mapped ELF file unless it was told otherwise (core(5), `coredump_filter` bit 4). That page, and the
//! build-id, which mostly lies in it, decide; a path alone decides nothing. A file that is not the same, or is not there, leaves a module with
//! the identity that the core tells, without unwind data and without code. Where the core tells no build-id, an equal first page is enough to use
//! a file, with a warning, but never to record the digest of all of it: another file may start with the same page.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};

use sealtrace_console::escape;
use sealtrace_digest::FileSha256;
use sealtrace_object_id::{ModuleId, identify};

use crate::maps::{FileKey, Map};
use crate::memory::{PAGE, ReadImage};
use crate::modules::{KeepCode, LoadedModule, MAX_FILE_BYTES, MAX_IMAGE_BYTES, understand, without_sections};

/// The most bytes read from files (ours: 16 GiB), so that a core that names files without end ends.
const MAX_TOTAL_BYTES: u64 = 16 << 30;
/// The most ELF files looked at (ours; a browser maps some two hundred).
const MAX_MODULES: u32 = 4_096;
/// The most pages of mapped ELF files looked for in a core (ours: 1 Mi, 4 GiB of memory; a browser maps less than 1 GiB of them). A core of
/// few bytes can name any number of pages that it does not store.
pub(super) const MAX_PAGES: u64 = 1 << 20;
/// The most remarks kept (ours).
const MAX_REMARKS: usize = 64;
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// A folder with the files of a dumped process.
#[derive(Debug)]
pub(crate) struct Sysroot {
    folder: PathBuf,
    /// Bytes read so far.
    read: u64,
    /// ELF files looked at so far.
    modules: u32,
    /// Pages looked for in the core so far.
    pages: u64,
    remarks: Vec<String>,
    more_remarks: u64,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
enum WhyNot {
    #[error("it is not there")]
    Missing,
    #[error("it cannot be read: {source}")]
    Unreadable { source: io::Error },
    #[error("it is no regular file, or larger than 4 GiB")]
    NotAFile,
    #[error("its path leads out of the folder")]
    Outside,
    #[error("it is another build: {found}, the core has {expected}")]
    OtherBuild { expected: String, found: String },
    #[error("its first page is another one than in the core, and no build-id says that it is the same")]
    OtherHeader,
    #[error("with it more than 16 GiB would be read")]
    TooMuch,
}

/// What the core stores of a mapped file.
struct Dumped {
    /// Each byte at its offset in the file; zeros where nothing is stored.
    image: Vec<u8>,
    /// Whether every mapped page is stored.
    whole: bool,
    id: Option<ModuleId>,
}

/// A file that is the one that was mapped.
struct Same {
    bytes: Vec<u8>,
    /// Build-id and first page are both those in the core, so its digest is that of the mapped file.
    to_the_byte: bool,
}

impl Sysroot {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, read: 0, modules: 0, pages: 0, remarks: Vec::new(), more_remarks: 0 }
    }

    /// What people should know about files, in the order of paths.
    pub(crate) fn remarks(&self) -> impl Iterator<Item = String> {
        let more = (self.more_remarks > 0).then(|| format!("{} more files were not used", self.more_remarks));
        self.remarks.iter().cloned().chain(more)
    }

    /// The module of a mapped file; `None` when it is no ELF file, or nothing of it is in the core.
    pub(crate) fn load(&mut self, key: &FileKey, maps: &[&Map], core: &dyn ReadImage, keep: KeepCode) -> Option<LoadedModule> {
        let Some(page) = first_page(maps, core) else {
            // Where gdb does not tell whether a part can be executed, data files come here too: nothing is lost by them.
            if self.is_other_than_elf(&key.path) {
                return None;
            }
            self.remark(key, "the core does not hold its first page, so nothing says which build was mapped; it is not used");
            return None;
        };
        if !page.starts_with(ELF_MAGIC) {
            return None;
        }
        self.modules += 1;
        if self.modules > MAX_MODULES {
            self.remark(key, "it is not used: the core maps more ELF files than are looked at");
            return None;
        }
        if !self.may_look_at(maps) {
            self.remark(key, "it is not used: the core maps more of ELF files than is looked at (4 GiB)");
            return None;
        }
        let dumped = dumped(maps, core);
        match self.find(key, &page, dumped.as_ref().and_then(|dumped| dumped.id.as_ref())) {
            Ok(same) => {
                let digest = same.to_the_byte.then(|| FileSha256::of(&same.bytes));
                understand(&same.bytes, &key.path, digest, keep)
            }
            Err(why) => {
                self.remark(key, &format!("{why}; stacks end where they need it"));
                let Dumped { image, whole, .. } = dumped?;
                let mut module = understand(&image, &key.path, None, KeepCode::No)?;
                // A part of `.eh_frame` that is not stored would read as zeros, which are instructions.
                module.unwind = module.unwind.filter(|_| whole);
                Some(module)
            }
        }
    }

    /// Counts the pages that [`dumped`] looks for; false when they are too many with those before.
    fn may_look_at(&mut self, maps: &[&Map]) -> bool {
        let pages = |map: &&Map| (map.end - map.start).div_ceil(PAGE);
        let wanted = image_size(maps).map_or(0, |_| maps.iter().map(pages).fold(0, u64::saturating_add));
        let after = self.pages.saturating_add(wanted);
        if after <= MAX_PAGES {
            self.pages = after;
        }
        after <= MAX_PAGES
    }

    fn remark(&mut self, key: &FileKey, what: &str) {
        if self.remarks.len() < MAX_REMARKS {
            let folder = escape(&self.folder.display().to_string());
            self.remarks.push(format!("{} (below {folder}): {what}", escape(&key.path.display().to_string())));
        } else {
            self.more_remarks += 1;
        }
    }

    fn find(&mut self, key: &FileKey, page: &[u8], id: Option<&ModuleId>) -> Result<Same, WhyNot> {
        let path = self.path(&key.path)?;
        let (mut file, size) = open_regular(&path)?;
        let mut first = vec![0; page.len()];
        let to_the_byte = file.read_exact_at(&mut first, 0).is_ok() && first == page;
        if !to_the_byte && id.is_none() {
            return Err(WhyNot::OtherHeader);
        }
        self.read = self.read.saturating_add(size);
        if self.read > MAX_TOTAL_BYTES {
            return Err(WhyNot::TooMuch);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.by_ref().take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(|source| WhyNot::Unreadable { source })?;
        let found = identify(&bytes).ok().and_then(|info| info.ids.primary());
        match (id, found) {
            (Some(id), Some(found)) if *id == found => Ok(Same { bytes, to_the_byte }),
            (Some(id), found) => Err(WhyNot::OtherBuild { expected: named(Some(id)), found: named(found.as_ref()) }),
            (None, _) => {
                let what = "it is used because its first page is the one in the core; the core tells no build-id that would say more";
                self.remark(key, what);
                Ok(Same { bytes, to_the_byte: false })
            }
        }
    }

    /// Whether there is a file below the folder that is no ELF file.
    fn is_other_than_elf(&self, path: &Path) -> bool {
        let first = self.path(path).and_then(|path| open_regular(&path)).map(|(file, _)| {
            let mut first = [0; 4];
            file.read_exact_at(&mut first, 0).is_ok() && first == *ELF_MAGIC
        });
        matches!(first, Ok(false))
    }

    fn path(&self, path: &Path) -> Result<PathBuf, WhyNot> {
        let below = path.strip_prefix("/").map_err(|_relative| WhyNot::Outside)?;
        if below.components().all(|part| matches!(part, Component::Normal(_))) { Ok(self.folder.join(below)) } else { Err(WhyNot::Outside) }
    }
}

fn named(id: Option<&ModuleId>) -> String {
    id.map_or_else(|| "no build-id".to_owned(), |id| format!("{} {}", id.kind.name(), escape(&id.id)))
}

fn open_regular(path: &Path) -> Result<(File, u64), WhyNot> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => WhyNot::Missing,
        _ => WhyNot::Unreadable { source },
    };
    // Asked before opening: opening a device or a FIFO may block or have an effect.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(WhyNot::NotAFile);
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

fn first_page(maps: &[&Map], core: &dyn ReadImage) -> Option<Vec<u8>> {
    let first = maps.iter().find(|map| map.offset == 0 && map.perms.read && !map.perms.write)?;
    core.range(first.start, usize::try_from(PAGE).ok()?)
}

/// How large an image of the mapped parts is; `None` when it is larger than any that is made.
fn image_size(maps: &[&Map]) -> Option<usize> {
    let size = maps.iter().filter_map(|map| map.offset.checked_add(map.end - map.start)).max()?;
    usize::try_from(size).ok().filter(|_| size <= MAX_IMAGE_BYTES)
}

/// What the core stores of a file, writable maps first, so that what the file and not the process wrote stays where both are mapped.
fn dumped(maps: &[&Map], core: &dyn ReadImage) -> Option<Dumped> {
    let mut image = vec![0; image_size(maps)?];
    let mut whole = true;
    for map in maps.iter().filter(|map| map.perms.write).chain(maps.iter().filter(|map| !map.perms.write)) {
        whole &= copy(map, core, &mut image);
    }
    without_sections(&mut image)?;
    let id = identify(&image).ok().and_then(|info| info.ids.primary());
    Some(Dumped { image, whole, id })
}

/// Copies the stored pages of a map to their place in an image; false when one is missing.
fn copy(map: &Map, core: &dyn ReadImage, image: &mut [u8]) -> bool {
    let mut whole = true;
    for start in (map.start..map.end).step_by(4096) {
        let page = core.range(start, 4096);
        let at = map.offset.checked_add(start - map.start).and_then(|at| usize::try_from(at).ok());
        let to = at.and_then(|at| image.get_mut(at..at.checked_add(4096)?));
        match (page, to) {
            (Some(page), Some(to)) => to.copy_from_slice(&page),
            _ => whole = false,
        }
    }
    whole
}
