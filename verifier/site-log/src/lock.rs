//! The writer's lock: one process at a time writes a log. Not here: what is written.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::SiteLogError;

/// The file that the writer locks.
pub(crate) const LOCK_FILE: &str = "lock";
/// How often a busy lock is asked for again.
const LOCK_ATTEMPTS: u32 = 300;
/// How long between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The writer's lock, held until dropped; given back by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits up to 30 s for the lock of the log in `folder`.
    pub(crate) fn take(folder: &Path) -> Result<Self, SiteLogError> {
        Self::take_within(folder, LOCK_ATTEMPTS)
    }

    pub(crate) fn take_within(folder: &Path, attempts: u32) -> Result<Self, SiteLogError> {
        let path = folder.join(LOCK_FILE);
        for attempt in 0..attempts {
            if attempt > 0 {
                std::thread::sleep(LOCK_PAUSE);
            }
            let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(&path);
            let file = opened.map_err(|error| SiteLogError::io("open", &path, error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let lock = Self { file, path: path.clone() };
                    // Somebody may have removed the file between the two calls: then this lock keeps nobody out.
                    if lock.is_held() {
                        return Ok(lock);
                    }
                }
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(SiteLogError::io("lock", &path, error.into())),
            }
        }
        Err(SiteLogError::Busy { path: folder.to_owned() })
    }

    /// Whether the locked file is still the one that others will find.
    pub(crate) fn is_held(&self) -> bool {
        let same = |ours: &std::fs::Metadata, theirs: &std::fs::Metadata| (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino());
        matches!((self.file.metadata(), std::fs::metadata(&self.path)), (Ok(ours), Ok(theirs)) if same(&ours, &theirs))
    }
}
