//! The fixtures of testdata/platforms.sh, made once for this test binary, and the few of them that are committed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use sealtrace_object_id::{IdentityError, ObjectInfo, Slice, identify_slices};
use sealtrace_skip::skip;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

static MADE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("object-id-platforms");
    let output = Command::new("sh").arg(testdata().join("platforms.sh")).arg(&out).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || output.status.code() == Some(3), "{why}");
    if output.status.success() { Ok(out) } else { Err(why) }
});

/// The folder of all fixtures; `None` names the skip: a tool is missing.
pub(crate) fn made() -> Option<&'static Path> {
    match &*MADE {
        Ok(out) => Some(out),
        Err(why) => {
            skip("clang-19", why);
            None
        }
    }
}

/// A committed fixture.
pub(crate) fn committed(name: &str) -> Vec<u8> {
    std::fs::read(testdata().join("fixtures/platforms").join(name)).unwrap()
}

/// The objects below a folder: path, bytes, slices. Files that are none (property lists, relocation lists) are left out.
pub(crate) fn objects(root: &Path) -> Vec<(String, Vec<u8>, Vec<Slice>)> {
    let mut todo = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            match identify_slices(&bytes) {
                Ok(slices) => found.push((name, bytes, slices)),
                Err(IdentityError::NotAnObject) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// The one object of a file.
pub(crate) fn one(bytes: &[u8]) -> ObjectInfo {
    sealtrace_object_id::identify(bytes).unwrap()
}

/// What is wrong with bytes that must be malformed.
pub(crate) fn malformed(bytes: &[u8]) -> String {
    match identify_slices(bytes) {
        Err(IdentityError::Malformed { what, .. }) => what,
        other => panic!("not malformed: {other:?}"),
    }
}

/// Where a byte sequence stands, which must be once.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut places = bytes.windows(wanted.len()).enumerate().filter(|(_, window)| *window == wanted).map(|(at, _)| at);
    let (first, second) = (places.next(), places.next());
    assert!(second.is_none(), "{wanted:?} stands at {first:?} and {second:?}");
    first.unwrap_or_else(|| panic!("{wanted:?} is not there"))
}

/// The bytes with others in their place at one offset.
pub(crate) fn patched(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

/// A little-endian word of a file.
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// [`word`] as an offset.
pub(crate) fn offset(bytes: &[u8], at: usize) -> usize {
    usize::try_from(word(bytes, at)).unwrap()
}
