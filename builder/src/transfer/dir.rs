//! A directory held open: every name below it is one we computed, and no step through it follows a symbolic link.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// A failed step on the file system: what was tried, where, and the system's answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub(crate) struct DeviceError {
    pub(crate) doing: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

/// A held directory.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens a directory that the operator named; symbolic links are followed.
    pub(crate) fn open(path: &Path) -> Result<Self, DeviceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failed("open", path.to_owned(), error))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, doing: &'static str, name: &str) -> impl FnOnce(Errno) -> DeviceError {
        let path = self.path.join(name);
        move |error| failed(doing, path, error)
    }

    /// Opens a directory below; a symbolic link is refused.
    pub(crate) fn open_dir(&self, name: &str) -> Result<Self, DeviceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty()).map_err(self.error("open the folder", name))?;
        Ok(Self { fd, path: self.path.join(name) })
    }

    /// Opens a directory below, made if it is not there; says whether it was made.
    pub(crate) fn make_dir(&self, name: &str, mode: u32) -> Result<(Self, bool), DeviceError> {
        self.step("make the folder", name)?;
        let made = match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(mode)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(self.error("make the folder", name)(error)),
        };
        Ok((self.open_dir(name)?, made))
    }

    /// Makes a new directory below; `None` when the name is taken.
    pub(crate) fn make_new_dir(&self, name: &str, mode: u32) -> Result<Option<Self>, DeviceError> {
        self.step("make the folder", name)?;
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(mode)) {
            Ok(()) => self.open_dir(name).map(Some),
            Err(Errno::EXIST) => Ok(None),
            Err(error) => Err(self.error("make the folder", name)(error)),
        }
    }

    /// Makes a new file, 0600.
    pub(crate) fn create_new(&self, name: &str) -> Result<File, DeviceError> {
        self.step("create", name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR).map_err(self.error("create", name))?;
        Ok(File::from(fd))
    }

    /// Opens a regular file for reading.
    pub(crate) fn open_file(&self, name: &str) -> Result<File, DeviceError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty()).map_err(self.error("open", name))?;
        let file = File::from(fd);
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(file),
            Ok(_) => Err(DeviceError { doing: "open", path: self.path.join(name), source: io::Error::other("not a regular file") }),
            Err(source) => Err(DeviceError { doing: "open", path: self.path.join(name), source }),
        }
    }

    /// Writes a new file with the mode given and makes its bytes durable.
    pub(crate) fn write_new(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), DeviceError> {
        let mut file = self.create_new(name)?;
        io::Write::write_all(&mut file, bytes).map_err(|source| self.io("write", name, source))?;
        self.seal(name, &file, mode)
    }

    /// Sets a file's mode and makes bytes and mode durable.
    pub(crate) fn seal(&self, name: &str, file: &File, mode: u32) -> Result<(), DeviceError> {
        self.step("write", name)?;
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(self.error("set the mode of", name))?;
        rustix::fs::fsync(file).map_err(self.error("write", name))
    }

    /// Where the tests make any one change of the store fail, or all from one on.
    #[cfg(test)]
    fn step(&self, doing: &'static str, name: &str) -> Result<(), DeviceError> {
        if super::tests::fault::hits() { Err(self.error(doing, name)(Errno::IO)) } else { Ok(()) }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the tests' version uses both")]
    fn step(&self, _doing: &'static str, _name: &str) -> Result<(), DeviceError> {
        Ok(())
    }

    fn io(&self, doing: &'static str, name: &str, source: io::Error) -> DeviceError {
        DeviceError { doing, path: self.path.join(name), source }
    }

    /// Whether a name exists, as whatever it is.
    pub(crate) fn has(&self, name: &str) -> Result<bool, DeviceError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.error("look at", name)(error)),
        }
    }

    /// The names in it, sorted. A name that is not UTF-8 is not one of ours and is left out.
    pub(crate) fn names(&self) -> Result<Vec<String>, DeviceError> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(self.error("list", "."))? {
            let entry = entry.map_err(self.error("list", "."))?;
            if let Some(name) = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes a file or link; it need not be there.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), DeviceError> {
        self.step("remove", name)?;
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.error("remove", name)(error)),
        }
    }

    /// Removes an empty directory; says whether it is gone (it stays when it is not empty).
    pub(crate) fn remove_empty_dir(&self, name: &str) -> Result<bool, DeviceError> {
        self.step("remove", name)?;
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(error) => Err(self.error("remove", name)(error)),
        }
    }

    /// Moves a file to another held directory, in place of what is there.
    pub(crate) fn rename_into(&self, name: &str, to: &Self, new_name: &str) -> Result<(), DeviceError> {
        self.step("move", name)?;
        rustix::fs::renameat(&self.fd, name, &to.fd, new_name).map_err(to.error("move a verified file to", new_name))
    }

    /// Makes the directory's entries durable.
    pub(crate) fn sync(&self) -> Result<(), DeviceError> {
        self.step("write", ".")?;
        rustix::fs::fsync(&self.fd).map_err(self.error("write", "."))
    }

    /// Takes the exclusive lock of this directory, held until it is closed. `waiting` is called when another holds it.
    pub(crate) fn lock(&self, waiting: impl FnOnce()) -> Result<(), DeviceError> {
        match rustix::fs::flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => waiting(),
            result => return result.map_err(self.error("lock", ".")),
        }
        loop {
            match rustix::fs::flock(&self.fd, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                result => return result.map_err(self.error("lock", ".")),
            }
        }
    }

    /// Bytes that an ordinary user can still write to this file system.
    pub(crate) fn free_bytes(&self) -> Result<u64, DeviceError> {
        let free = rustix::fs::fstatvfs(&self.fd).map_err(self.error("ask for free space of", "."))?;
        Ok(free.f_bavail.saturating_mul(free.f_frsize))
    }
}

fn failed(doing: &'static str, path: PathBuf, error: Errno) -> DeviceError {
    DeviceError { doing, path, source: error.into() }
}
