//! Finding the capture that a trace witness refers to.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_digest::CaptureSha256;
use sealtrace_store::read_bounded;
use sealtrace_trace::MAX_CAPTURE_BYTES;

/// The name of a trace without `.sigstore.json`, `.json`: what stands before `.capture.jsonl`.
pub fn stem(trace: &Path) -> String {
    let name = trace.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.strip_suffix(".sigstore.json").or_else(|| name.strip_suffix(".json"));
    stem.map(str::to_owned).unwrap_or(name)
}

/// Where the copy of the capture lies beside its trace.
pub fn capture_beside(trace: &Path) -> PathBuf {
    trace.with_file_name(format!("{}.capture.jsonl", stem(trace)))
}

/// A capture's bytes with their digest.
#[derive(Debug, Clone)]
pub struct FoundCapture {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256, as computed.
    pub sha256: CaptureSha256,
    /// A file that lies where the capture should, and is another.
    passed_over: Option<PathBuf>,
}

impl FoundCapture {
    /// Digests a capture.
    pub fn of(bytes: Vec<u8>) -> Self {
        let sha256 = CaptureSha256::of(&bytes);
        Self { bytes, sha256, passed_over: None }
    }

    /// What people should know of a file that was passed over.
    pub fn warning(&self) -> Option<String> {
        let other = self.passed_over.as_ref()?.display().to_string();
        Some(format!("{other} is the capture of another trace, or was changed; the store's was used"))
    }
}

/// The capture with this digest: `explicit` and no other, else the one beside the trace, else the store's.
///
/// # Errors
/// Exit 2, naming the digest and the places looked at, when none matches.
pub fn find_capture(
    sha256: &CaptureSha256,
    trace: &Path,
    explicit: Option<&Path>,
    captures: Option<&Path>,
) -> Result<FoundCapture, Failure> {
    let places = match explicit {
        Some(explicit) => vec![explicit.to_owned()],
        None => [capture_beside(trace)].into_iter().chain(captures.map(|folder| folder.join("sha256").join(sha256.hex()))).collect(),
    };
    let (mut looked, mut passed_over) = (Vec::new(), None);
    for place in places {
        match read_bounded(&place, u64::try_from(MAX_CAPTURE_BYTES).unwrap_or(u64::MAX)) {
            Ok(bytes) => {
                let found = FoundCapture::of(bytes);
                if found.sha256 == *sha256 {
                    return Ok(FoundCapture { passed_over, ..found });
                }
                looked.push(format!("{} (sha256 {})", escape(&place.display().to_string()), found.sha256.hex()));
                passed_over = Some(place);
            }
            Err(error) => looked.push(error.to_string()),
        }
    }
    let next = match explicit {
        Some(_) => {
            "give the capture of this trace, or leave --capture out: the one beside the trace or in the store is found by its digest"
        }
        None => "give the file with --capture F; without it nothing can be replayed",
    };
    Err(Failure::new(ExitCode::NoVerdict, format_args!("no capture with sha256 {}; looked at {}", sha256.hex(), looked.join(", ")))
        .hint(next))
}
