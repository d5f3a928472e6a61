//! The few calls that differ between Unix and everything else: opening without following or waiting, reading at an offset, who the user is.
//!
//! Elsewhere (Windows, WASI) a path is looked at before it is opened, so a link put there in between is followed; the digests that every
//! reader of a store compares afterwards hold all the same. Not here: any decision about what was read.

use std::fs::{File, FileType};
use std::io;
use std::path::Path;

/// What a path turned out to be when it was opened as a file of the store.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Something that can be read; what kind it is has to be asked of the open file.
    File(File),
    /// A symbolic link, or something that cannot be opened without waiting.
    Special,
}

/// Opens a path for reading, through links, without waiting for a FIFO or becoming a terminal's owner.
#[cfg(unix)]
pub(crate) fn open_through_links(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Opens a path for reading.
#[cfg(not(unix))]
pub(crate) fn open_through_links(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a path for reading; a link at the last step is not followed and nothing is waited for.
#[cfg(unix)]
pub(crate) fn open_here(path: &Path) -> io::Result<Opened> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(Opened::File(File::from(fd))),
        Err(Errno::LOOP | Errno::NXIO) => Ok(Opened::Special),
        Err(error) => Err(error.into()),
    }
}

/// Opens a path for reading when it is a regular file and no link.
#[cfg(not(unix))]
pub(crate) fn open_here(path: &Path) -> io::Result<Opened> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Ok(Opened::Special);
    }
    File::open(path).map(Opened::File)
}

/// What something is that is neither a file nor a folder.
#[cfg(unix)]
pub(crate) fn special_kind(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match () {
        () if kind.is_fifo() => "FIFO",
        () if kind.is_socket() => "socket",
        () => "device",
    }
}

/// What something is that is neither a file nor a folder.
#[cfg(not(unix))]
pub(crate) fn special_kind(_: FileType) -> &'static str {
    "device"
}

/// A file read at offsets.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Offsets(File);

#[cfg(unix)]
impl Offsets {
    pub(crate) fn new(file: File) -> Self {
        Self(file)
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }
}

/// A file read at offsets: its one position is moved under a lock.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Offsets(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl Offsets {
    pub(crate) fn new(file: File) -> Self {
        Self(std::sync::Mutex::new(file))
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        use std::io::{Read as _, Seek as _};
        // The position is set before every read, so whatever a panicking reader left behind does not matter.
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(io::SeekFrom::Start(offset))?;
        file.read(buffer)
    }
}

impl Offsets {
    /// Fills `buffer` from `offset`.
    pub(crate) fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            buffer = buffer.get_mut(read..).ok_or(io::ErrorKind::InvalidData)?;
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

/// Waits for the only lock on an open file; given back when it is closed.
#[cfg(unix)]
pub(crate) fn lock_exclusive(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(file, rustix::fs::FlockOperation::LockExclusive)?)
}

/// Elsewhere two writers of one state are not kept apart; what they would break, the next reader notices.
#[cfg(not(unix))]
pub(crate) fn lock_exclusive(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file: a rename is as durable as the system makes it.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether the effective user is root, whose store is the system's. Nobody is, where there is no such user.
pub fn user_is_root() -> bool {
    #[cfg(unix)]
    let root = rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    let root = false;
    root
}
