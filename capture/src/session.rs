//! One capture run: what is known of the target, and what each stop adds. Ends in a [`Capture`].

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use sealtrace_digest::RunDigest;
use sealtrace_trace::{BtfRecord, Capture, CaptureHeader, HostContext, LibcRecord, Loss, PrivacyProfile, Sampling};
use sealtrace_unwind::{Limits, PlacementError, Registers, walk};

use crate::host::{host_context, rfc3339};
use crate::live::{LiveTarget, words};
use crate::maps::{FileKey, MapsError, parse};
use crate::memory::Memory;
use crate::modules::ModuleCache;
use crate::process::{self, TargetError};
use crate::record::{Finished, Recorder, Stop};
use crate::space::{Identity, Space};
use crate::sys::{self, Tid};
use crate::track::{Stabilizer, Tracker};

/// The rules about what a capture may hold; its digest goes into every capture.
const PRIVACY_PROFILE: &[u8] = include_bytes!("../../docs/formats/privacy-profile.md");
const PRIVACY_PROFILE_ID: &str = "read-set-only/v0";

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

/// How the samples were taken, for the header.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) frequency: u64,
    pub(crate) duration_ms: u64,
    pub(crate) btf: BtfRecord,
}

/// What is true of the target until it maps, unmaps or executes.
#[derive(Debug)]
struct Moment {
    maps: Vec<u8>,
    space: Rc<Space>,
    numbers: Vec<u32>,
    memory: Memory,
}

/// A capture under way.
#[derive(Debug)]
pub(crate) struct Session {
    pid: Tid,
    modules: ModuleCache,
    tracker: Tracker,
    pub(crate) recorder: Recorder,
    moment: Option<Moment>,
    main: Option<u32>,
    libc: Option<LibcRecord>,
    /// Asked while the target lives: its root shows the distribution it sees.
    host: HostContext,
    captured_at: String,
    started: Instant,
}

impl Session {
    pub(crate) fn new(pid: Tid) -> Self {
        Self {
            pid,
            modules: ModuleCache::new(pid),
            tracker: Tracker::default(),
            recorder: Recorder::default(),
            moment: None,
            main: None,
            libc: None,
            host: host_context(pid),
            captured_at: rfc3339(SystemTime::now()),
            started: Instant::now(),
        }
    }

    /// Opens the target's memory, at the start and after an exec.
    pub(crate) fn open(&mut self) -> Result<(), SessionError> {
        let memory = Memory::open(self.pid).map_err(|source| SessionError::Memory { pid: self.pid, source })?;
        self.moment = None;
        self.enter(memory)
    }

    /// Reads the memory map again if it changed.
    pub(crate) fn refresh(&mut self) -> Result<(), SessionError> {
        let maps = process::maps(self.pid)?;
        match self.moment.take() {
            Some(moment) if moment.maps == maps || maps.is_empty() => {
                self.moment = Some(moment);
                Ok(())
            }
            Some(moment) => self.enter(moment.memory),
            None => self.open(),
        }
    }

    fn enter(&mut self, memory: Memory) -> Result<(), SessionError> {
        let maps = process::maps(self.pid)?;
        let space = Space::new(&parse(&maps)?, &mut self.modules, &memory)?;
        let numbers = self.tracker.enter(&space);
        let executable = executable(self.pid);
        for (region, &number) in space.regions.iter().zip(&numbers) {
            if let Some(libc) = region.module.as_ref().and_then(|module| module.libc.clone()) {
                self.libc = Some(libc);
            }
            if matches!((&region.identity, &executable), (Identity::Module(key, _), Some(executable)) if is_same_file(key, executable)) {
                self.main = Some(number);
            }
        }
        self.moment = Some(Moment { maps, space: Rc::new(space), numbers, memory });
        Ok(())
    }

    /// Walks the stack of a stopped thread. False when it is gone already.
    pub(crate) fn visit(&mut self, tid: Tid) -> bool {
        let Ok(values) = sys::registers(tid) else { return false };
        let [.., ip] = values;
        let sp = values.get(usize::from(Registers::SP)).copied().unwrap_or(0);
        let known = |moment: &Moment| moment.space.place(ip).is_some() && moment.space.place(sp).is_some();
        if !self.moment.as_ref().is_some_and(known) && self.refresh().is_err() {
            return false;
        }
        let at = self.started.elapsed();
        let Some(moment) = &mut self.moment else { return false };
        moment.memory.forget();
        let registers = words(&moment.space, &values);
        let mut target = LiveTarget::new(&moment.space, &mut moment.memory);
        let walk = walk(&registers, &moment.space.placement, &mut target, Limits::default());
        let stable = Stabilizer { space: &moment.space, numbers: &moment.numbers };
        self.recorder.add(Stop { registers: &registers, walk: &walk, log: target.log, at }, &stable);
        true
    }

    /// The capture: regions numbered, samples in order, counters that add up.
    pub(crate) fn finish(self, plan: &Plan, asked: u64, rounds: u64) -> Capture {
        let taken = self.recorder.delivered;
        let rate_limited = self.recorder.dropped;
        let layout = self.tracker.finish();
        let Finished { samples, rows, filtered } = self.recorder.finish(&layout);
        let loss = Loss {
            kernel_hits: asked,
            delivered: taken.saturating_sub(filtered),
            ring_lost: asked.saturating_sub(taken).saturating_sub(rate_limited),
            rate_limited,
            filtered,
        };
        let unknown = || LibcRecord { variant: "unknown".to_owned(), version: "unknown".to_owned() };
        let header = CaptureHeader {
            record: "header".to_owned(),
            capture_version: 0,
            platform: "linux".to_owned(),
            backend: "ptrace".to_owned(),
            captured_at: self.captured_at,
            host: self.host,
            probe_object: None,
            btf_source: plan.btf.clone(),
            sampling: Sampling { frequency: plan.frequency, duration_ms: plan.duration_ms, rounds },
            libc: self.libc.unwrap_or_else(unknown),
            main_module: self.main.and_then(|number| layout.region(number)),
            regions: layout.regions,
            rows,
            loss,
            privacy_profile: PrivacyProfile { id: PRIVACY_PROFILE_ID.to_owned(), sha256: RunDigest::of(PRIVACY_PROFILE).hex() },
            raw: false,
        };
        Capture { header, samples }
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
