//! What issue 2 promises about traces, shown through the installed tools: capture and resolve, privacy, replay, foreign verifiers, audit,
//! explanation, wrong input. One sealed sample release serves all of them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code outside #[test] functions")]

mod audit;
mod btf;
mod by_hand;
mod core_dump;
mod ebpf;
mod explain;
mod foreign_unwinders;
mod interop;
mod names;
mod portability;
mod replay;
mod secrets;
mod stacks;
mod wrong_input;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sealtrace_acceptance::process::capture_command;
use sealtrace_acceptance::release::Site;
use serde_json::Value;

/// The release and its site, made once.
fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::sealed(Path::new(env!("CARGO_TARGET_TMPDIR")), "traces"))
}

/// A captured and resolved program.
struct Case {
    capture: PathBuf,
    trace: PathBuf,
    report: Value,
}

impl Case {
    fn of(name: &str, command: &[&str]) -> Self {
        let folder = site().path("cases").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (capture, trace) = (folder.join("capture.jsonl"), folder.join("trace.sigstore.json"));
        capture_command(site(), &capture, command);
        let report = site().resolve(&capture, &trace);
        Self { capture, trace, report }
    }

    /// The C++ program with its threads.
    fn threads() -> &'static Self {
        static CASE: OnceLock<Case> = OnceLock::new();
        CASE.get_or_init(|| Self::of("threads", &[site().program("threads").to_str().unwrap()]))
    }

    /// The Rust program.
    fn waiting() -> &'static Self {
        static CASE: OnceLock<Case> = OnceLock::new();
        CASE.get_or_init(|| Self::of("waiting", &[site().program("waiting").to_str().unwrap()]))
    }

    /// python3 in nested calls, where it is installed.
    fn python() -> Option<&'static Self> {
        static CASE: OnceLock<Option<Case>> = OnceLock::new();
        let case = CASE.get_or_init(|| {
            let python = sealtrace_acceptance::release::python()?;
            Some(Self::of("python", &[python.to_str().unwrap(), "-c", PYTHON]))
        });
        case.as_ref()
    }
}

/// Calls nested through the interpreter's own C functions, then sleep.
const PYTHON: &str = "import time
def a(n):
    if n:
        return list(map(a, [n - 1]))
    print('ready', flush=True)
    time.sleep(1000)
a(8)
";

/// A text with one character replaced by another that stands in base64 too.
fn flipped(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}
