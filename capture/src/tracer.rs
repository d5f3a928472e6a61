//! The traced threads of one process: seize, stop, hand each stop to a visitor, resume, let go.
//!
//! The target must not notice: signals that arrive are passed on, a stopped process stays stopped, and letting go leaves it as it was found.
//! Not here: what is read at a stop (`live`).

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::sys::{self, Event, Tid, Wake};

/// How long a thread may take to stop (ours). A thread in an uninterruptible wait, or a main thread that exited, never does.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);
/// The most threads traced (ours; twice what `kernel.threads-max` allows on a host of 32 GiB).
const MAX_THREADS: usize = 1 << 19;

/// What a thread does, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// In a group stop that it must stay in.
    Listening,
    /// Asked to stop; the answer is not here yet.
    Asked,
    /// Its answer came too late or it cannot stop any more; not asked again before it was heard of.
    Silent,
}

/// Why a process cannot be traced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TraceError {
    /// The kernel refuses to attach.
    #[error("attaching to process {pid} is refused")]
    Refused { pid: Tid, source: io::Error },
    /// The list of threads cannot be read, other than because the process is gone.
    #[error("the threads of process {pid} cannot be listed")]
    Threads { pid: Tid, source: io::Error },
    /// More than the limit.
    #[error("process {pid} has more than {MAX_THREADS} threads")]
    TooManyThreads { pid: Tid },
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// Threads that were asked to stop.
    pub(crate) asked: u64,
    /// Threads that did.
    pub(crate) stopped: u64,
}

/// How waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The time is reached.
    Due,
    /// No thread is left.
    TargetGone,
    /// This tool was asked to end.
    Stopped,
}

/// How the target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Killed(i32),
}

/// The tracer of one process.
#[derive(Debug)]
pub(crate) struct Tracer {
    pid: Tid,
    threads: BTreeMap<Tid, State>,
    ending: Option<Ending>,
    executed: bool,
    stop_asked: bool,
}

impl Tracer {
    /// Attaches to every thread of a process.
    pub(crate) fn attach(pid: Tid) -> Result<Self, TraceError> {
        let mut tracer = Self { pid, threads: BTreeMap::new(), ending: None, executed: false, stop_asked: false };
        match tracer.seize_new() {
            Ok(()) => Ok(tracer),
            Err(error) => {
                tracer.detach_all();
                Err(error)
            }
        }
    }

    /// How the process ended, once it has.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether a signal asked this tool to end.
    pub(crate) fn stop_asked(&self) -> bool {
        self.stop_asked
    }

    /// Whether the process executed another program since the last call.
    pub(crate) fn take_executed(&mut self) -> bool {
        std::mem::take(&mut self.executed)
    }

    /// Attaches to threads that are not traced yet, until a look at the list finds no new one.
    pub(crate) fn seize_new(&mut self) -> Result<(), TraceError> {
        loop {
            let mut found = false;
            for tid in self.list()? {
                if self.threads.contains_key(&tid) {
                    continue;
                }
                match sys::seize(tid) {
                    Ok(()) => {
                        self.threads.insert(tid, State::Running);
                        found = true;
                    }
                    // Gone since it was listed, or a main thread that has exited while others run.
                    Err(error) if error.raw_os_error() == Some(libc::ESRCH) || self.is_dead(tid) => {}
                    Err(source) => return Err(TraceError::Refused { pid: self.pid, source }),
                }
            }
            if self.threads.len() > MAX_THREADS {
                return Err(TraceError::TooManyThreads { pid: self.pid });
            }
            if !found {
                return Ok(());
            }
        }
    }

    fn list(&self) -> Result<Vec<Tid>, TraceError> {
        let entries = match std::fs::read_dir(format!("/proc/{}/task", self.pid)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(TraceError::Threads { pid: self.pid, source }),
        };
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
    }

    fn is_dead(&self, tid: Tid) -> bool {
        let state = crate::process::state(&format!("/proc/{}/task/{tid}/stat", self.pid));
        matches!(state, None | Some('Z' | 'X'))
    }

    /// Waits until the process, held before its first exec, has executed; `visit` sees it at its first instruction. False: it ended instead.
    pub(crate) fn until_executed(&mut self, visit: &mut dyn FnMut(Tid) -> bool) -> (bool, Round) {
        let mut round = Round::default();
        while !self.threads.is_empty() && !self.stop_asked {
            while let Some((tid, event)) = self.poll() {
                if event == Event::Exec {
                    round.asked = 1;
                    round.stopped = u64::from(visit(tid));
                }
                self.answer(tid, event);
                if self.take_executed() {
                    return (true, round);
                }
            }
            if !self.threads.is_empty() {
                self.wait(STOP_TIMEOUT);
            }
        }
        (false, round)
    }

    /// Stops every thread once and hands each to `visit`, which must not let it run.
    pub(crate) fn round(&mut self, visit: &mut dyn FnMut(Tid) -> bool) -> Result<Round, TraceError> {
        self.seize_new()?;
        let mut round = Round::default();
        for (&tid, state) in &mut self.threads {
            if matches!(state, State::Running | State::Listening) && sys::interrupt(tid).is_ok() {
                *state = State::Asked;
                round.asked += 1;
            }
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.threads.values().any(|&state| state == State::Asked) {
            while let Some((tid, event)) = self.poll() {
                if self.threads.get(&tid) == Some(&State::Asked) && is_stop(event) && visit(tid) {
                    round.stopped += 1;
                }
                self.answer(tid, event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if self.threads.values().any(|&state| state == State::Asked) {
                self.wait(left);
            }
        }
        for state in self.threads.values_mut().filter(|state| **state == State::Asked) {
            *state = State::Silent;
        }
        Ok(round)
    }

    /// Passes on what happens to the target until `due`.
    pub(crate) fn idle(&mut self, due: Instant) -> Idle {
        loop {
            while let Some((tid, event)) = self.poll() {
                self.answer(tid, event);
            }
            if self.threads.is_empty() {
                return Idle::TargetGone;
            }
            if self.stop_asked {
                return Idle::Stopped;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Idle::Due;
            }
            self.wait(left);
        }
    }

    fn wait(&mut self, timeout: Duration) {
        if sys::wait(timeout) == Wake::Stop {
            self.stop_asked = true;
        }
    }

    fn poll(&mut self) -> Option<(Tid, Event)> {
        match sys::next_event() {
            Ok(event) => event,
            Err(_) => {
                // ECHILD: nothing is traced any more, whatever the table says.
                self.threads.clear();
                None
            }
        }
    }

    /// Lets a stopped thread go on as it would have without a tracer.
    fn answer(&mut self, tid: Tid, event: Event) {
        let result = match event {
            Event::Exited(status) => return self.forget(tid, Ending::Exited(status)),
            Event::Killed(signal) => return self.forget(tid, Ending::Killed(signal)),
            Event::GroupStop => sys::listen(tid),
            Event::Signal(signal) => sys::resume(tid, signal),
            Event::Exec => {
                // All other threads are gone without a word; the one that executed has the process's id now.
                self.executed = true;
                self.threads.retain(|&other, _| other == tid);
                sys::resume(tid, 0)
            }
            Event::Interrupted | Event::Other => sys::resume(tid, 0),
        };
        // A thread that was killed meanwhile cannot be resumed; its end is reported next.
        drop(result);
        let state = if event == Event::GroupStop { State::Listening } else { State::Running };
        self.threads.insert(tid, state);
    }

    fn forget(&mut self, tid: Tid, ending: Ending) {
        self.threads.remove(&tid);
        if tid == self.pid {
            self.ending = Some(ending);
        }
    }

    /// Lets go of every thread. One that does not stop in time is let go by the kernel when this tool ends.
    pub(crate) fn detach_all(&mut self) {
        for (&tid, state) in &mut self.threads {
            if sys::interrupt(tid).is_ok() {
                *state = State::Asked;
            }
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.threads.values().any(|&state| state == State::Asked) {
            while let Some((tid, event)) = self.poll() {
                match event {
                    Event::Exited(status) => self.forget(tid, Ending::Exited(status)),
                    Event::Killed(signal) => self.forget(tid, Ending::Killed(signal)),
                    Event::Signal(signal) => self.release(tid, signal),
                    Event::GroupStop | Event::Interrupted | Event::Exec | Event::Other => self.release(tid, 0),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if self.threads.values().any(|&state| state == State::Asked) {
                self.wait(left);
            }
        }
        self.threads.clear();
    }

    fn release(&mut self, tid: Tid, signal: i32) {
        // A thread that was killed meanwhile needs no letting go.
        drop(sys::detach(tid, signal));
        self.threads.remove(&tid);
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.detach_all();
    }
}

fn is_stop(event: Event) -> bool {
    !matches!(event, Event::Exited(_) | Event::Killed(_))
}
