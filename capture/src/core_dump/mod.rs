//! A core dump of an `x86_64` Linux process as a capture: one sample for each thread that it names.
//!
//! The same core and the same files give the same bytes: no clock is asked, `capturedAt` is when the core was last written. Nothing that the
//! core does not tell is filled in from the host that reads it. Not here: walking, recording (`collect`).

mod error;
mod file;
mod files;
mod maps;
mod memory;
mod notes;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sealtrace_console::{ExitCode, Failure, escape, note};
use sealtrace_object_id::Arch;
use sealtrace_trace::{BtfRecord, Capture, HostContext, ProbeType, Sampling};

use crate::collect::{Collection, Counts, Facts, Origin, Seen};
use crate::host::rfc3339;
use crate::modules::{FileSource, KeepCode, ModuleCache};
use crate::record::Probe;
use crate::space::{Identity, LiveRegion};

use error::{CoreError, failure};
use file::CoreFile;
pub(crate) use files::Sysroot;
use memory::CoreMemory;
use notes::Notes;

/// The largest region: ours; 32 times what a process has with 48-bit addresses, and below the largest integer of a capture.
const MAX_REGION: u64 = 1 << 52;

/// Captures from the core dump at `path`; files of the dumped process are looked for below `sysroot`.
pub(crate) fn run(path: &Path, sysroot: Option<&Path>) -> Result<Capture, Failure> {
    let folder = sysroot.map_or_else(|| PathBuf::from("/"), Path::to_owned);
    if !folder.is_dir() {
        let shown = escape(&folder.display().to_string());
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is no folder"))
            .hint("name the folder with the files of the dumped process's host with --sysroot DIR, or leave it out for /"));
    }
    let dump = CoreFile::open(path).and_then(|core| capture(&core, folder)).map_err(|error| failure(path, &error))?;
    for remark in &dump.remarks {
        note(&format!("warning: {remark}"));
    }
    let process = dump.pid.map_or_else(String::new, |pid| format!(" of process {pid}"));
    note(&format!("trace-capture: a core{process} with {} threads", dump.threads));
    Ok(dump.capture)
}

/// A core dump, walked.
#[derive(Debug)]
struct Dump {
    capture: Capture,
    pid: Option<u32>,
    threads: u64,
    remarks: Vec<String>,
}

fn capture(core: &CoreFile, sysroot: PathBuf) -> Result<Dump, CoreError> {
    let notes = Notes::read(core)?;
    let maps = maps::maps(core, &notes)?;
    let modules = ModuleCache::new(FileSource::Dump(Sysroot::new(sysroot)), KeepCode::Yes);
    let mut collection = Collection::new(modules, vec![Probe { kind: ProbeType::CoreDump, attach_point: "thread".to_owned() }]);
    let holds = |region: &LiveRegion, address| region.maps.iter().any(|&(start, end, _)| (start..end).contains(&address));
    let is_main =
        |region: &LiveRegion| matches!(region.identity, Identity::Module(..)) && notes.entry().is_some_and(|entry| holds(region, entry));
    let entered = collection.enter(&maps, core, &is_main).map_err(|source| CoreError::Placement { source })?;
    let space = std::rc::Rc::clone(&entered.space);
    let mut memory = CoreMemory::new(core, &space);
    for (number, registers) in (0..).zip(&notes.threads) {
        // A core has no times: the order of its threads stands for them.
        collection.record(&entered, Seen { probe: 0, registers, at: Duration::from_nanos(number) }, &mut memory);
    }
    let threads = u64::try_from(notes.threads.len()).unwrap_or(u64::MAX);
    let remarks = remarks(core, &collection.modules);
    let origin = Origin { host: unknown_host(), captured_at: rfc3339(core.modified) };
    let capture = collection.finish(origin, facts(threads));
    if capture.header.regions.iter().any(|region| region.size > MAX_REGION) {
        return error::malformed("it describes more memory in one piece than a process can have");
    }
    Ok(Dump { capture, pid: notes.pid, threads, remarks })
}

fn remarks(core: &CoreFile, modules: &ModuleCache) -> Vec<String> {
    let cut =
        (core.cut > 0).then(|| format!("the core is cut off: {} bytes of memory are missing; stacks end where they need them", core.cut));
    let files = match modules.source() {
        FileSource::Dump(sysroot) => sysroot.remarks().collect(),
        FileSource::Process(_) => Vec::new(),
    };
    cut.into_iter().chain(files).collect()
}

/// A core tells the machine and nothing else of its host.
fn unknown_host() -> HostContext {
    let unknown = || "unknown".to_owned();
    HostContext { kernel_release: unknown(), arch: Arch("x86_64".to_owned()), os_release: unknown(), boot_id_hash: None }
}

fn facts(threads: u64) -> Facts {
    let btf = BtfRecord {
        source_kind: "none".to_owned(),
        source_path: None,
        sha256: None,
        selection_reason: "a core dump needs no kernel types".to_owned(),
        used: None,
    };
    Facts {
        backend: "core",
        btf,
        probe_object: None,
        sampling: Sampling { frequency: 0, duration_ms: 0, rounds: 1 },
        counts: Counts::Due(threads),
    }
}
