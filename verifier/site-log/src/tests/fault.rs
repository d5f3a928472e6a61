//! The fault layer: asked before each change of the disk, it lets it pass, fails it, cuts it or kills the process.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::disk::Step;

/// What happens at the chosen step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails.
    Fail(Errno),
    /// It and all that follow fail.
    FailFromHere(Errno),
    /// Half of a write is made, then it fails; other steps fail whole.
    Short(Errno),
    /// The process is killed before it.
    Kill,
    /// Half of a write is made, then the process is killed.
    ShortKill,
}

/// A change of the disk that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    CreateFolder(PathBuf),
    Create(PathBuf),
    Write { path: PathBuf, offset: u64, bytes: Vec<u8> },
    SetLength { path: PathBuf, length: u64 },
    Sync(PathBuf),
    Rename { from: PathBuf, to: PathBuf },
    SyncFolder(PathBuf),
    Remove(PathBuf),
}

#[derive(Default)]
struct Plan {
    fault: Option<(usize, Fault)>,
    steps: usize,
    recorded: Option<Vec<Change>>,
}

thread_local! {
    static PLAN: RefCell<Plan> = RefCell::default();
}

/// Lets `fault` happen at the step `at`, counted from 0, of this thread.
pub(crate) fn inject(at: usize, fault: Fault) {
    PLAN.set(Plan { fault: Some((at, fault)), ..Plan::default() });
}

/// Ends faults; gives the number of steps since they were injected.
pub(crate) fn clear() -> usize {
    PLAN.take().steps
}

/// Records the changes of this thread from now on.
pub(crate) fn record() {
    PLAN.set(Plan { recorded: Some(Vec::new()), ..Plan::default() });
}

/// How many changes were recorded.
pub(crate) fn recorded() -> usize {
    PLAN.with_borrow(|plan| plan.recorded.as_ref().map_or(0, Vec::len))
}

/// Ends recording.
pub(crate) fn take() -> Vec<Change> {
    PLAN.take().recorded.unwrap_or_default()
}

/// What [`crate::disk`] asks before each change.
pub(crate) fn step(step: Step<'_>) -> io::Result<()> {
    PLAN.with_borrow_mut(|plan| {
        let number = plan.steps;
        plan.steps += 1;
        match plan.fault {
            Some((at, fault)) if number == at || (number > at && matches!(fault, Fault::FailFromHere(_))) => {
                let (Fault::Fail(error) | Fault::FailFromHere(error) | Fault::Short(error)) = fault else {
                    half(step, fault == Fault::ShortKill);
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
                    unreachable!("killed");
                };
                half(step, matches!(fault, Fault::Short(_)));
                Err(error.into())
            }
            _ => {
                plan.recorded.iter_mut().for_each(|changes| changes.push(change(step)));
                Ok(())
            }
        }
    })
}

fn half(step: Step<'_>, short: bool) {
    if let (Step::Write { path, offset, bytes }, true) = (step, short) {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&bytes[..bytes.len() / 2], offset).unwrap();
    }
}

fn change(step: Step<'_>) -> Change {
    match step {
        Step::CreateFolder(path) => Change::CreateFolder(path.to_owned()),
        Step::Create(path) => Change::Create(path.to_owned()),
        Step::Write { path, offset, bytes } => Change::Write { path: path.to_owned(), offset, bytes: bytes.to_owned() },
        Step::SetLength { path, length } => Change::SetLength { path: path.to_owned(), length },
        Step::Sync(path) => Change::Sync(path.to_owned()),
        Step::Rename { from, to } => Change::Rename { from: from.to_owned(), to: to.to_owned() },
        Step::SyncFolder(path) => Change::SyncFolder(path.to_owned()),
        Step::Remove(path) => Change::Remove(path.to_owned()),
    }
}
