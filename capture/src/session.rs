//! One capture run of a live process: what is known of it, and what each look at a thread adds. Ends in a [`Capture`].
//!
//! Not here: what every capture collects (`collect`); core dumps (`core_dump`).

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Instant, SystemTime};

use sealtrace_trace::Capture;
use sealtrace_unwind::PlacementError;

use crate::collect::{Collection, Entered, Origin};
pub(crate) use crate::collect::{Counts, Facts, KernelCount, Seen};
use crate::host::{host_context, rfc3339};
use crate::maps::{FileKey, MapsError, parse};
use crate::memory::{Memory, StackCopy};
use crate::modules::{FileSource, KeepCode, ModuleCache};
use crate::process::{self, TargetError};
use crate::record::Probe;
use crate::space::{Identity, LiveRegion};
use crate::sys::{self, Tid};

/// How far two values of one `start_stack` may lie apart: an exec sets it before the arguments are laid out below, and again after that.
/// Two address spaces lie further apart, 16 GiB at most, by chance of about one in four thousand nearer than this.
const SAME_STACK: u64 = 4 << 20;

/// Why a process cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SessionError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the memory of process {pid} cannot be opened")]
    Memory { pid: Tid, source: io::Error },
    #[error(transparent)]
    Maps(#[from] MapsError),
    #[error("the memory map has no canonical form")]
    Placement(#[from] PlacementError),
}

/// One address space of the target and its map.
#[derive(Debug)]
struct Opened {
    /// Bound to one address space: after an exec it reads empty, and never tells the next program's map.
    file: File,
    maps: Vec<u8>,
    /// `mm_struct.start_stack` of that address space, as far as it is told.
    start_stack: Option<u64>,
    memory: Memory,
}

/// What is true of the target until it maps, unmaps or executes.
#[derive(Debug)]
struct Moment {
    opened: Opened,
    entered: Entered,
}

/// A capture under way.
#[derive(Debug)]
pub(crate) struct Session {
    pid: Tid,
    collection: Collection,
    moment: Option<Moment>,
    /// Asked while the target lives: its root shows the distribution it sees.
    origin: Origin,
    started: Instant,
}

impl Session {
    pub(crate) fn new(pid: Tid, probes: Vec<Probe>, keep: KeepCode) -> Self {
        Self {
            pid,
            collection: Collection::new(ModuleCache::new(FileSource::Process(pid), keep), probes),
            moment: None,
            origin: Origin { host: host_context(pid), captured_at: rfc3339(SystemTime::now()) },
            started: Instant::now(),
        }
    }

    /// Opens the target's memory, at the start and after an exec.
    pub(crate) fn open(&mut self) -> Result<(), SessionError> {
        self.moment = None;
        let memory = Memory::open(self.pid).map_err(|source| SessionError::Memory { pid: self.pid, source })?;
        let file = process::open_maps(self.pid)?;
        let maps = process::read_maps(self.pid, &file)?;
        let start_stack = process::start_stack(self.pid);
        self.enter(Opened { file, maps, start_stack, memory })
    }

    /// Reads the memory map again if it changed.
    pub(crate) fn refresh(&mut self) -> Result<(), SessionError> {
        let Some(moment) = &self.moment else { return self.open() };
        let maps = process::read_maps(self.pid, &moment.opened.file)?;
        if maps.is_empty() || moment.opened.maps == maps {
            return Ok(());
        }
        match self.moment.take() {
            Some(moment) => self.enter(Opened { maps, ..moment.opened }),
            None => Ok(()),
        }
    }

    /// Opens the address space that the target has now, where it has another one: a thread that is stopped runs in it.
    fn follow(&mut self) -> Result<(), SessionError> {
        let left =
            self.moment.as_ref().is_none_or(|moment| process::read_maps(self.pid, &moment.opened.file).is_ok_and(|maps| maps.is_empty()));
        let has_another =
            || process::open_maps(self.pid).and_then(|file| process::read_maps(self.pid, &file)).is_ok_and(|maps| !maps.is_empty());
        if left && has_another() { self.open() } else { Ok(()) }
    }

    /// Whether a memory map was read.
    pub(crate) fn is_open(&self) -> bool {
        self.moment.is_some()
    }

    /// Whether the map is one of the address space with this `mm_struct.start_stack`.
    pub(crate) fn is_of(&self, start_stack: u64) -> bool {
        self.moment.as_ref().is_some_and(|moment| moment.opened.start_stack.is_none_or(|known| known.abs_diff(start_stack) < SAME_STACK))
    }

    /// Whether the program that runs now can be walked. One that has ended tells no more; what is known of it stays true.
    pub(crate) fn is_supported(&self) -> bool {
        process::is_gone(self.pid) || process::check_program(self.pid).is_ok()
    }

    fn enter(&mut self, opened: Opened) -> Result<(), SessionError> {
        let executable = executable(self.pid);
        let is_main = |region: &LiveRegion| match (&region.identity, &executable) {
            (Identity::Module(key, _), Some(executable)) => is_same_file(key, executable),
            _ => false,
        };
        let entered = self.collection.enter(&parse(&opened.maps)?, &opened.memory, &is_main)?;
        self.moment = Some(Moment { opened, entered });
        Ok(())
    }

    /// Walks the stack of a stopped thread. False when it is gone already.
    pub(crate) fn visit(&mut self, tid: Tid) -> bool {
        let Ok(registers) = sys::registers(tid) else { return false };
        if !self.knows(&registers) && (self.refresh().is_err() || (!self.knows(&registers) && self.follow().is_err())) {
            return false;
        }
        let seen = Seen { probe: 0, registers: &registers, at: self.started.elapsed() };
        let Some(moment) = &mut self.moment else { return false };
        moment.opened.memory.forget();
        self.collection.record(&moment.entered, seen, &mut moment.opened.memory);
        true
    }

    /// Walks a copied stack. False when the place where it was is not known any more.
    pub(crate) fn copied(&mut self, seen: Seen<'_>, base: u64, stack: &[u8]) -> bool {
        if !self.knows(seen.registers) && (self.refresh().is_err() || !self.knows(seen.registers)) {
            return false;
        }
        let Some(moment) = &mut self.moment else { return false };
        let mut memory = StackCopy { base, bytes: stack, space: &moment.entered.space };
        self.collection.record_copy(&moment.entered, seen, &mut memory);
        true
    }

    /// Whether code and stack lie in what is known to be mapped.
    fn knows(&self, registers: &[u64; 17]) -> bool {
        self.moment.as_ref().is_some_and(|moment| moment.entered.knows(registers))
    }

    /// Samples taken so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.collection.recorder.delivered()
    }

    /// Says that the sample just added is the stop at exec, see [`Recorder::mark_entry`](crate::record::Recorder::mark_entry).
    pub(crate) fn mark_entry(&mut self) {
        self.collection.recorder.mark_entry();
    }

    /// The capture: regions numbered, samples in order, counters that add up.
    pub(crate) fn finish(self, facts: Facts) -> Capture {
        self.collection.finish(self.origin, facts)
    }
}

/// Device, inode and path of the program that a process runs.
fn executable(pid: Tid) -> Option<FileKey> {
    let link = format!("/proc/{pid}/exe");
    let metadata = std::fs::metadata(&link).ok()?;
    let device = format!("{:02x}:{:02x}", rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    Some(FileKey { device, inode: metadata.ino(), path: std::fs::read_link(&link).unwrap_or_default() })
}

/// The same inode of the same device, or (overlay file systems number devices in two ways) under the same path.
fn is_same_file(key: &FileKey, executable: &FileKey) -> bool {
    key.inode == executable.inode && (key.device == executable.device || key.path == executable.path)
}
