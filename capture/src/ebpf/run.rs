//! One eBPF capture: the object is pointed at the target, its records are walked as they come, and its counters are held against them.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};
use sealtrace_console::{ExitCode, Failure};
use sealtrace_probe::{Config, OBJECT, OBJECT_NAME, Record, SkipBeforeExec, Slot, USER_PROBES};
use sealtrace_trace::{ProbeObject, ProbeType, Sampling};

use super::failure::{EbpfError, failure};
use super::object::Object;
use super::{Prepared, namespace, symbol};
use crate::child::{self, ChildError};
use crate::cli::Cli;
use crate::failure::{session_failure, start_failure, target_failure};
use crate::modules::KeepCode;
use crate::process;
use crate::record::Probe;
use crate::run::{Captured, Target};
use crate::session::{Counts, Facts, KernelCount, Seen, Session};
use crate::sys::{self, Event, HeldChild, Tid, Wake};
use crate::tracer::Ending;

/// How often records are looked for.
const PAUSE: Duration = Duration::from_millis(2);
/// The same while the program arrives: one that ends at once shows its map for a moment only.
const GLANCE: Duration = Duration::from_micros(200);
/// Programs that still ran when the probes were taken away are through after this.
const SETTLE: Duration = Duration::from_millis(5);
/// How long the memory map is looked at again and again after an exec, until the program is there.
const ARRIVAL: Duration = Duration::from_millis(50);

/// A probe of this capture.
#[derive(Debug)]
struct Attached {
    slot: Slot,
    /// Where; `None` for the clock.
    place: Option<symbol::Place>,
    probe: Probe,
    /// Records read.
    read: u64,
}

/// What is watched.
#[derive(Debug)]
struct Watched {
    pid: Tid,
    /// Of a process that is not a child.
    pidfd: Option<OwnedFd>,
    ending: Option<Ending>,
}

/// A capture under way.
struct Run {
    object: Object,
    walker: Walker,
    started: Instant,
}

/// What is known of the memory map with regard to the exec that records are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MapState {
    /// It cannot be had, or is of another program.
    Unknown,
    /// It was read after this exec; the process may have executed again before that.
    Read,
    /// A record of this exec was made after the map was read, so the map is of this exec.
    Confirmed,
}

/// The most records that wait for their map to be confirmed (ours: about 40 MB); more are counted as filtered.
const MAX_WAITING: usize = 4096;

/// From records to samples.
struct Walker {
    session: Session,
    probes: Vec<Attached>,
    /// The exec that the session's memory map is of.
    exec_id: Option<u64>,
    /// Whether it is.
    map: MapState,
    /// Records of this exec that wait for [`MapState::Confirmed`].
    waiting: Vec<Vec<u8>>,
    /// Boot time at the capture's start, in nanoseconds.
    epoch: u64,
    /// Boot time before the memory map was last read, in nanoseconds.
    map_read: u64,
    /// Boot time after the map of this exec was opened, in nanoseconds.
    opened: u64,
    /// Where threads were found since the memory map was looked at.
    found: BTreeSet<(Slot, u64, u64)>,
}

/// Captures with a prepared object.
pub(super) fn run(prepared: Prepared, cli: &Cli, target: &Target) -> Result<Captured, Failure> {
    let Prepared { object, btf, own_exec_id } = prepared;
    let probes = probes(cli, target).map_err(|error| failure(&error))?;
    if probes.is_empty() {
        return Err(Failure::new(ExitCode::NoVerdict, "--frequency 0 without --uprobe and --uretprobe leaves nothing to capture")
            .hint("give a frequency of 1 to 1000, or name a probe"));
    }
    let (mut watched, held) = hold(target)?;
    let session = Session::new(watched.pid, probes.iter().map(|attached| attached.probe.clone()).collect(), KeepCode::Yes);
    let walker = Walker {
        session,
        probes,
        exec_id: None,
        map: MapState::Unknown,
        waiting: Vec::new(),
        epoch: boot_time(),
        map_read: 0,
        opened: 0,
        found: BTreeSet::new(),
    };
    let mut run = Run { object, walker, started: Instant::now() };
    let captured = run.all(cli, &mut watched, held, own_exec_id);
    run.object.detach();
    if matches!(target, Target::Command(_)) && watched.ending.is_none() {
        watched.ending = child::end(watched.pid);
    }
    let counts = captured?;
    let facts = Facts {
        backend: "ebpf",
        btf,
        probe_object: Some(ProbeObject { name: OBJECT_NAME.to_owned(), sha256: sealtrace_digest::RunDigest::of(OBJECT).hex() }),
        sampling: Sampling { frequency: cli.frequency, duration_ms: cli.duration_ms(), rounds: 0 },
        counts: Counts::Kernel(counts),
    };
    Ok(Captured { pid: watched.pid, session: run.walker.session, facts, missed: 0, ending: watched.ending })
}

/// The probes of a capture, in order: the clock, entries, returns.
fn probes(cli: &Cli, target: &Target) -> Result<Vec<Attached>, EbpfError> {
    let clock = Attached {
        slot: Slot::SAMPLE,
        place: None,
        probe: Probe { kind: ProbeType::PerfSample, attach_point: "cpu-clock".to_owned() },
        read: 0,
    };
    let mut probes: Vec<Attached> = (cli.frequency > 0).then_some(clock).into_iter().collect();
    for (arguments, kind) in [(&cli.uprobe, ProbeType::Uprobe), (&cli.uretprobe, ProbeType::Uretprobe)] {
        for (number, argument) in (0..).zip(arguments) {
            let slot = if kind == ProbeType::Uprobe { Slot::entry(number) } else { Slot::exit(number) };
            let slot = slot.ok_or(EbpfError::TooManyProbes { found: arguments.len(), limit: USER_PROBES })?;
            let place = symbol::find(argument, target)?;
            let probe = Probe { kind, attach_point: place.attach_point.clone() };
            if probes.iter().any(|known| known.probe == probe) {
                continue;
            }
            probes.push(Attached { slot, place: Some(place), probe, read: 0 });
        }
    }
    Ok(probes)
}

/// Starts a command, held before its exec, or takes hold of a process.
fn hold(target: &Target) -> Result<(Watched, Option<HeldChild>), Failure> {
    match target {
        Target::Command(command) => {
            let held = child::start(command).map_err(|error| start_failure(&error))?;
            Ok((Watched { pid: held.pid, pidfd: None, ending: None }, Some(held)))
        }
        Target::Process(pid) => {
            process::check(*pid).and_then(|()| process::check_program(*pid)).map_err(|error| target_failure(&error))?;
            let unwatched = |source: std::io::Error| failure(&EbpfError::Pid { path: PathBuf::from(format!("/proc/{pid}")), source });
            let id = Pid::from_raw(*pid).ok_or_else(|| unwatched(std::io::ErrorKind::InvalidInput.into()))?;
            let pidfd = pidfd_open(id, PidfdFlags::empty()).map_err(|error| unwatched(error.into()))?;
            Ok((Watched { pid: *pid, pidfd: Some(pidfd), ending: None }, None))
        }
    }
}

/// Nanoseconds since boot.
fn boot_time() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

impl Run {
    /// Attaches, watches, detaches; gives what the kernel counted.
    fn all(&mut self, cli: &Cli, watched: &mut Watched, held: Option<HeldChild>, own_exec_id: u64) -> Result<Vec<KernelCount>, Failure> {
        let kernel = |error: EbpfError| failure(&error);
        let (ns_dev, ns_ino) = namespace::own().map_err(|source| kernel(EbpfError::Own { source }))?;
        let skip = if held.is_some() { SkipBeforeExec::While(own_exec_id) } else { SkipBeforeExec::No };
        if held.is_none() {
            // Files are read and hashed before anything is counted.
            self.walker.session.open().map_err(|error| session_failure(&error))?;
        }
        self.attach(cli, watched.pid).map_err(kernel)?;
        let tgid = u32::try_from(watched.pid).ok();
        (self.started, self.walker.epoch) = (Instant::now(), boot_time());
        self.object.read_ahead();
        self.object.configure(&Config { ns_dev, ns_ino, tgid, skip }).map_err(kernel)?;
        if let Some(held) = held {
            release(held, cli)?;
            process::check_program(watched.pid)
                .or_else(|error| if process::is_gone(watched.pid) { Ok(()) } else { Err(error) })
                .map_err(|error| target_failure(&error))?;
        }
        self.watch(cli.duration, watched);
        self.object.configure(&Config { ns_dev, ns_ino, tgid: None, skip: SkipBeforeExec::No }).map_err(kernel)?;
        self.object.detach();
        std::thread::sleep(SETTLE);
        let Self { object, walker, .. } = self;
        object.drain_to_the_end(&mut |bytes| walker.walk(bytes));
        walker.walk_waiting();
        self.counts().map_err(kernel)
    }

    fn attach(&mut self, cli: &Cli, pid: Tid) -> Result<(), EbpfError> {
        let process = u32::try_from(pid).ok().and_then(NonZeroU32::new);
        let process = process.ok_or(EbpfError::Pid { path: PathBuf::from("/proc/0"), source: std::io::ErrorKind::InvalidInput.into() })?;
        for attached in &self.walker.probes {
            match &attached.place {
                None => self.object.sample(cli.frequency)?,
                Some(place) => self.object.probe(attached.slot, &place.path(), place.offset, process)?,
            }
        }
        Ok(())
    }

    /// Reads records until the time is up, the target is gone or the user asks to end.
    fn watch(&mut self, duration: Duration, watched: &mut Watched) {
        let end = self.started + duration;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let pause = if self.started.elapsed() < ARRIVAL { GLANCE } else { PAUSE };
            if left.is_zero() || sys::wait(left.min(pause)) == Wake::Stop {
                return;
            }
            let gone = watched.is_gone();
            if self.drain() > 0 || self.started.elapsed() < ARRIVAL {
                // A target that is just exiting has no map any more; what is known stays true for what it did.
                self.walker.refresh();
                self.walker.found.clear();
            }
            if gone {
                return;
            }
        }
    }

    /// Walks every record that is there.
    fn drain(&mut self) -> u64 {
        let Self { object, walker, .. } = self;
        object.drain(&mut |bytes| walker.walk(bytes))
    }

    /// The kernel's counters, which must agree with themselves and with what was read.
    fn counts(&self) -> Result<Vec<KernelCount>, EbpfError> {
        let count = |attached: &Attached| {
            let counters = self.object.counters(attached.slot)?;
            if !counters.add_up() || counters.delivered != attached.read {
                let what =
                    format!("{} of {}: {counters:?}, {} read", attached.probe.kind.name(), attached.probe.attach_point, attached.read);
                return Err(EbpfError::Counters { what });
            }
            Ok(KernelCount { hits: counters.hits, lost: counters.lost })
        };
        self.walker.probes.iter().map(count).collect()
    }
}

impl Walker {
    /// Reads the memory map again if it changed.
    fn refresh(&mut self) {
        self.map_read = boot_time();
        let was_open = self.session.is_open();
        drop(self.session.refresh());
        if !was_open {
            self.opened = boot_time();
        }
    }

    /// Whether the memory map is, or can be made, that of the program whose first record is here. A process that executed again since
    /// shows the next program's map: samples of the one before are then counted as filtered, not placed in another program.
    fn knows_program(&mut self, first: bool, start_stack: u64) -> bool {
        if !first || !self.session.is_of(start_stack) {
            let opened = self.session.open();
            (self.map_read, self.opened) = (boot_time(), boot_time());
            if opened.is_err() {
                return false;
            }
        }
        self.session.is_of(start_stack) && self.session.is_supported()
    }

    /// Walks one record. One of another layout is not counted as read, and so found by [`Run::counts`].
    fn walk(&mut self, bytes: &[u8]) {
        let Ok(record) = Record::parse(bytes) else { return };
        let of_slot = |(_, attached): &(usize, &mut Attached)| attached.slot == record.slot;
        let Some((number, attached)) = self.probes.iter_mut().enumerate().find(of_slot) else { return };
        attached.read += 1;
        if self.exec_id.is_some_and(|known| record.exec_id < known) {
            return;
        }
        if self.exec_id != Some(record.exec_id) {
            let first = self.exec_id.replace(record.exec_id).is_none();
            // Those that still wait may lie in this program or in the one before: they are counted as filtered.
            self.waiting.clear();
            self.map = if self.knows_program(first, record.start_stack) { MapState::Read } else { MapState::Unknown };
        }
        if self.map == MapState::Read && record.time > self.opened {
            self.map = MapState::Confirmed;
            self.walk_waiting();
        }
        match self.map {
            MapState::Confirmed => self.place(number, &record),
            MapState::Read if self.waiting.len() < MAX_WAITING => self.waiting.push(bytes.to_vec()),
            MapState::Read | MapState::Unknown => {}
        }
    }

    /// Walks the records whose map was confirmed, or that no later exec followed.
    fn walk_waiting(&mut self) {
        for bytes in std::mem::take(&mut self.waiting) {
            let Ok(record) = Record::parse(&bytes) else { continue };
            let number = self.probes.iter().position(|attached| attached.slot == record.slot);
            if let Some(number) = number {
                self.place(number, &record);
            }
        }
    }

    /// Walks one record in the memory map.
    fn place(&mut self, number: usize, record: &Record<'_>) {
        let [_, _, _, _, _, _, _, sp, .., ip] = record.registers;
        if self.found.insert((record.slot, ip, sp)) && record.time >= self.map_read {
            // A caller may lie in a library that was loaded after the map was read.
            self.refresh();
        }
        let at = Duration::from_nanos(record.time.saturating_sub(self.epoch));
        // One whose place is not known any more is counted as filtered: hits that are neither delivered nor lost.
        self.session.copied(Seen { probe: number, registers: &record.registers, at }, record.stack_base, &record.own_stack());
    }
}

/// Lets the child execute, and waits until it did.
fn release(held: HeldChild, cli: &Cli) -> Result<(), Failure> {
    let mut report = held.release().map_err(|source| start_failure(&ChildError::Fork { source }))?;
    // The pipe closes at the exec; a child that cannot execute writes why.
    let mut number = [0; 4];
    match report.read_exact(&mut number) {
        Ok(()) => {
            let error = std::io::Error::from_raw_os_error(i32::from_ne_bytes(number));
            Err(start_failure(&child::not_executed(&cli.program, error)))
        }
        Err(_closed) => Ok(()),
    }
}

impl Watched {
    /// Whether the process has ended; of a child, how.
    fn is_gone(&mut self) -> bool {
        match &self.pidfd {
            Some(pidfd) => {
                let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
                poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
            }
            None => {
                while let Ok(Some((pid, event))) = sys::next_event() {
                    match event {
                        Event::Exited(status) if pid == self.pid => self.ending = Some(Ending::Exited(status)),
                        Event::Killed(signal) if pid == self.pid => self.ending = Some(Ending::Killed(signal)),
                        _ => {}
                    }
                }
                self.ending.is_some()
            }
        }
    }
}
