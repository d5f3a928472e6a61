//! The files behind a process's code: read once, hashed, identified, their unwind data indexed.
//!
//! A file is read through `/proc`, so it is the one that is mapped, also in a container or after it was deleted. Not here: where it lies;
//! the files of a core dump (`core_dump::files`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sealtrace_digest::FileSha256;
use sealtrace_object_id::{ObjectIds, identify};
use sealtrace_trace::{LibcRecord, ModuleRecord};
use sealtrace_unwind::UnwindData;

use crate::core_dump::Sysroot;
use crate::elf::{Segments, segments, unwind_sections};
use crate::maps::{FileKey, Map};
use crate::memory::ReadImage;
use crate::sys::Tid;

/// The largest file read whole: 4 GiB (ours).
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 30;
/// The most memory read for a file that cannot be opened: 256 MiB (ours).
pub(crate) const MAX_IMAGE_BYTES: u64 = 256 << 20;

/// A file or memory image, understood.
#[derive(Debug)]
pub(crate) struct LoadedModule {
    pub(crate) record: ModuleRecord,
    pub(crate) segments: Segments,
    pub(crate) unwind: Option<UnwindData>,
    pub(crate) libc: Option<LibcRecord>,
    /// Of the vDSO only.
    pub(crate) image: Option<Vec<u8>>,
    /// The executable parts of the file by module-relative address, where they are kept.
    code: Vec<(u64, Vec<u8>)>,
}

impl LoadedModule {
    /// Code from a module-relative address on.
    pub(crate) fn code(&self, offset: u64, length: usize) -> Option<&[u8]> {
        self.code.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(offset.checked_sub(*start)?).ok()?;
            bytes.get(at..at.checked_add(length)?)
        })
    }
}

/// Whether the code of modules is kept in memory: not needed where the process itself can be read at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepCode {
    No,
    Yes,
}

/// Where the files of a process are found.
#[derive(Debug)]
pub(crate) enum FileSource {
    /// Through `/proc/PID`: surely the files that are mapped.
    Process(Tid),
    /// Below a folder, by their paths: of a core dump, whose memory tells whether they are the same.
    Dump(Sysroot),
}

/// The modules of one process, each read once.
#[derive(Debug)]
pub(crate) struct ModuleCache {
    source: FileSource,
    keep: KeepCode,
    files: BTreeMap<FileKey, Option<Rc<LoadedModule>>>,
    vdso: Option<Rc<LoadedModule>>,
}

impl ModuleCache {
    pub(crate) fn new(source: FileSource, keep: KeepCode) -> Self {
        Self { source, keep, files: BTreeMap::new(), vdso: None }
    }

    /// The module of a file, given all its maps; `None` when it is no 64-bit ELF file.
    pub(crate) fn file(&mut self, key: &FileKey, maps: &[&Map], memory: &dyn ReadImage) -> Option<Rc<LoadedModule>> {
        if let Some(known) = self.files.get(key) {
            return known.clone();
        }
        let loaded = self.load(key, maps, memory).map(Rc::new);
        self.files.insert(key.clone(), loaded.clone());
        loaded
    }

    /// The vDSO, whose image lies in memory only.
    pub(crate) fn vdso(&mut self, map: &Map, memory: &dyn ReadImage) -> Option<Rc<LoadedModule>> {
        if self.vdso.is_none() {
            let image = memory.range(map.start, usize::try_from(map.end - map.start).ok()?)?;
            let mut module = understand(&image, Path::new("[vdso]"), None, self.keep)?;
            module.image = Some(image);
            self.vdso = Some(Rc::new(module));
        }
        self.vdso.clone()
    }

    /// Where files are found.
    pub(crate) fn source(&self) -> &FileSource {
        &self.source
    }

    fn load(&mut self, key: &FileKey, maps: &[&Map], memory: &dyn ReadImage) -> Option<LoadedModule> {
        let keep = self.keep;
        let pid = match &mut self.source {
            FileSource::Process(pid) => *pid,
            FileSource::Dump(sysroot) => return sysroot.load(key, maps, memory, keep),
        };
        if let Some(bytes) = read_mapped(pid, key, maps, memory) {
            return understand(&bytes, &key.path, Some(FileSha256::of(&bytes)), keep);
        }
        understand(&image_from_memory(maps, memory)?, &key.path, None, keep)
    }
}

/// The whole file, when it is surely the one that is mapped.
fn read_mapped(pid: Tid, key: &FileKey, maps: &[&Map], memory: &dyn ReadImage) -> Option<Vec<u8>> {
    let mapped = |map: &&Map| read_regular(&PathBuf::from(format!("/proc/{pid}/map_files/{:x}-{:x}", map.start, map.end)));
    if let Some((_, bytes)) = maps.iter().find_map(mapped) {
        return Some(bytes);
    }
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let Some((file, bytes)) = read_regular(&root.join(key.path.strip_prefix("/").ok()?)) else {
        // A process that has ended shows no root any more; the same inode of the same device is the same file.
        return read_regular(&key.path).filter(|(file, _)| is_same(file, key)).map(|(_, bytes)| bytes);
    };
    (is_same(&file, key) || starts_like_memory(&bytes, maps, memory)).then_some(bytes)
}

fn read_regular(path: &Path) -> Option<(File, Vec<u8>)> {
    // Asked before opening: opening a device or a FIFO may block or have an effect.
    let size = std::fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= MAX_FILE_BYTES)?.len();
    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
    file.by_ref().take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some((file, bytes))
}

fn is_same(file: &File, key: &FileKey) -> bool {
    file.metadata().is_ok_and(|metadata| {
        let device = format!("{:02x}:{:02x}", rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
        metadata.ino() == key.inode && device == key.device
    })
}

/// On overlay file systems the two device numbers differ; then the first page, which holds the headers and mostly the build-id, decides.
fn starts_like_memory(bytes: &[u8], maps: &[&Map], memory: &dyn ReadImage) -> bool {
    let first = maps.iter().find(|map| map.offset == 0 && map.perms.read && !map.perms.write);
    first.and_then(|map| memory.range(map.start, 4096)).is_some_and(|page| bytes.get(..page.len()) == Some(&page[..]))
}

/// What is mapped of a file, each byte at its offset in the file, without section headers (they are not mapped).
fn image_from_memory(maps: &[&Map], memory: &dyn ReadImage) -> Option<Vec<u8>> {
    let readable: Vec<&&Map> = maps.iter().filter(|map| map.perms.read).collect();
    let size = readable.iter().filter_map(|map| map.offset.checked_add(map.end - map.start)).max()?;
    if size > MAX_IMAGE_BYTES {
        return None;
    }
    let mut image = vec![0; usize::try_from(size).ok()?];
    // Writable maps first, so that what the file and not the process wrote stays where both are mapped.
    for map in readable.iter().filter(|map| map.perms.write).chain(readable.iter().filter(|map| !map.perms.write)) {
        let bytes = memory.range(map.start, usize::try_from(map.end - map.start).ok()?)?;
        let start = usize::try_from(map.offset).ok()?;
        image.get_mut(start..start.checked_add(bytes.len())?)?.copy_from_slice(&bytes);
    }
    without_sections(&mut image)?;
    Some(image)
}

/// Takes section headers away from an ELF image that does not hold them.
pub(crate) fn without_sections(image: &mut [u8]) -> Option<()> {
    // e_shoff, and e_shnum with e_shstrndx (ELF-64, *File header*).
    image.get_mut(0x28..0x30)?.fill(0);
    image.get_mut(0x3c..0x40)?.fill(0);
    Some(())
}

/// Parses, identifies and indexes a file or an image of it.
pub(crate) fn understand(bytes: &[u8], path: &Path, file_sha256: Option<FileSha256>, keep: KeepCode) -> Option<LoadedModule> {
    let segments = segments(bytes)?;
    let (arch, ids, unidentified_reason) = match identify(bytes) {
        Ok(info) => (Some(info.arch), info.ids, info.unidentified_reason),
        Err(error) => (None, ObjectIds::default(), Some(error.to_string())),
    };
    let record = ModuleRecord {
        path: path.to_string_lossy().into_owned(),
        file_sha256,
        arch,
        ids,
        unidentified_reason,
        image_base: segments.image_base,
    };
    let unwind = unwind_sections(bytes).and_then(|sections| UnwindData::from_sections(sections).ok());
    let code = if keep == KeepCode::Yes { segments.code(bytes) } else { Vec::new() };
    Some(LoadedModule { record, segments, unwind, libc: libc_record(path, bytes), image: None, code })
}

/// The C library's own word about its version.
fn libc_record(path: &Path, bytes: &[u8]) -> Option<LibcRecord> {
    const BANNER: &[u8] = b"stable release version ";
    let name = path.file_name()?.to_str()?;
    if name.starts_with("ld-musl-") || name.starts_with("libc.musl-") {
        return Some(LibcRecord { variant: "musl".to_owned(), version: "unknown".to_owned() });
    }
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "so");
    if name != "libc.so.6" && !(name.starts_with("libc-2.") && is_file) {
        return None;
    }
    let at = bytes.windows(BANNER.len()).position(|window| window == BANNER);
    let version: String = at
        .and_then(|at| bytes.get(at + BANNER.len()..))
        .map(|rest| rest.iter().map(|&byte| char::from(byte)).take_while(|c| c.is_ascii_digit() || *c == '.').take(16).collect())
        .unwrap_or_default();
    let version = version.trim_end_matches('.').to_owned();
    Some(LibcRecord { variant: "glibc".to_owned(), version: if version.is_empty() { "unknown".to_owned() } else { version } })
}

/// The first `length` bytes of a file, for a look at its header.
pub(crate) fn head(path: &str, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let file = File::open(path)?;
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
