//! Ours beside the peer, in one run: importing against copying and `skopeo`, one symbol lookup against the `addr2line` crate.
//!
//! Medians of five; ratios are ours ÷ peer. A peer that is not installed is SKIPPED. Input: the C library of this machine, and as
//! many bytes of its other libraries as make a bundle worth measuring.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a bench"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sealtrace_layout::Blobs as _;
use sealtrace_store::LayoutBlobs;
use sealtrace_symbols::{SymbolIndex, SymbolTable};
use sealtrace_unwind::ModuleRelAddr;

const ROUNDS: usize = 5;
const LOOKUPS: u64 = 100_000;

fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = seal(scratch.path());
    import(scratch.path());
    lookup(&layout);
}

fn ours(arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_symbol-bundle")).args(arguments).stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// Builds, signs, logs and exports a bundle of the system's libraries; gives the layout.
fn seal(scratch: &Path) -> PathBuf {
    let release = scratch.join("release");
    std::fs::create_dir(&release).unwrap();
    let libraries = std::fs::read_dir("/usr/lib/x86_64-linux-gnu").into_iter().flatten().flatten();
    for library in libraries.filter(|entry| entry.file_name().to_string_lossy().contains(".so")) {
        if library.file_type().unwrap().is_file() {
            std::fs::copy(library.path(), release.join(library.file_name())).unwrap();
        }
    }
    let path = |name: &str| scratch.join(name).to_string_lossy().into_owned();
    let (layout, key, log, trust) = (path("bundle"), path("k"), path("log"), path("trust"));
    let debug = Path::new("/usr/lib/debug").is_dir().then_some(["--debug-dir", "/usr/lib/debug"]);
    let release = path("release");
    let mut build = vec!["build", &release, "--name", "bench", "--version", "1", "--debug-files", "all", "-o", &layout];
    build.extend(debug.into_iter().flatten());
    let start = Instant::now();
    ours(&build);
    println!("build: {} in {:.2?}", megabytes(size(&scratch.join("release"))), start.elapsed());
    ours(&["key", "generate", "-o", &key]);
    ours(&["log", "init", "--log", &log, "--origin", "bench/log"]);
    ours(&["sign", &layout, "--key", &format!("{key}.key"), "--trust", &trust]);
    ours(&["log", "append", &layout, "--log", &log, "--trust", &trust]);
    ours(&["export", &layout, "--to", &path("bundle.tar")]);
    scratch.join("bundle")
}

fn import(scratch: &Path) {
    let (archive, trust) = (scratch.join("bundle.tar"), scratch.join("trust"));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    println!("\nimport of {}", megabytes(size(&archive)));
    let import = median(|round| {
        let store = text(&scratch.join(format!("store-{round}")));
        ours(&["trust", "add", &text(&trust), "--store", &store]);
        let start = Instant::now();
        ours(&["import", &text(&archive), "--store", &store]);
        start.elapsed()
    });
    let copy = median(|round| {
        let to = scratch.join(format!("copy-{round}"));
        let start = Instant::now();
        std::fs::copy(&archive, &to).unwrap();
        std::fs::File::open(&to).unwrap().sync_all().unwrap();
        start.elapsed()
    });
    report("import, verified", import, "copy and fsync", Some(copy));
    let skopeo = Command::new("skopeo").arg("--version").output().is_ok().then(|| {
        median(|round| {
            let to = format!("oci:{}:x", text(&scratch.join(format!("skopeo-{round}"))));
            let from = format!("oci-archive:{}:bench-1", text(&archive));
            let start = Instant::now();
            assert!(Command::new("skopeo").args(["copy", "-q", "--all", &from, &to]).status().unwrap().success());
            start.elapsed()
        })
    });
    report("import, verified", import, "skopeo copy --all", skopeo);
}

/// Looks the same addresses of the C library up in its table and with `addr2line` on its debug file.
fn lookup(layout: &Path) {
    let blobs = LayoutBlobs::open(layout).unwrap();
    let graph = blobs.graph().unwrap();
    let (_, manifest) = graph.only_bundle().unwrap();
    let index = SymbolIndex::parse(&blobs.blob(&manifest.layers[0].digest, u64::MAX).unwrap());
    let Ok(index) = index else { return println!("SKIPPED: lookup (the first layer is not the index)") };
    let Some(libc) = index.modules.iter().find(|module| module.path == "libc.so.6") else {
        return println!("SKIPPED: lookup (no libc.so.6)");
    };
    let part = libc.table.as_ref().unwrap();
    let layer = blobs.blob(&part.layer, u64::MAX).unwrap();
    let start = usize::try_from(part.offset).unwrap();
    let table = SymbolTable::open(&layer[start..start + usize::try_from(part.size).unwrap()]).unwrap();
    let rows: Vec<u64> = table.rows().filter_map(|row| row.ok().filter(|row| row.location.is_some()).map(|row| row.start.0)).collect();
    let addresses: Vec<u64> =
        (0..LOOKUPS).map(|n| rows[usize::try_from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).unwrap() % rows.len()]).collect();
    println!("\n{LOOKUPS} lookups with inline chains in libc");
    let table = median(|_| {
        let start = Instant::now();
        let found = addresses.iter().filter(|&&at| table.lookup(ModuleRelAddr(at)).unwrap().is_some()).count();
        std::hint::black_box(found);
        start.elapsed()
    });
    let id = libc.ids.gnu_build_id.clone().unwrap_or_default();
    let (head, tail) = id.split_at(2.min(id.len()));
    let debug = PathBuf::from(format!("/usr/lib/debug/.build-id/{head}/{tail}.debug"));
    let peer = debug.is_file().then(|| {
        let loader = addr2line::Loader::new(&debug).unwrap();
        median(|_| {
            let start = Instant::now();
            for &at in &addresses {
                let mut frames = loader.find_frames(at).unwrap();
                while let Ok(Some(frame)) = frames.next() {
                    std::hint::black_box(frame.location.is_some());
                }
            }
            start.elapsed()
        })
    });
    report("our table", table, "addr2line crate", peer);
}

fn median(mut measure: impl FnMut(usize) -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(&mut measure).collect();
    times.sort();
    times[ROUNDS / 2]
}

fn report(ours: &str, time: Duration, peer: &str, other: Option<Duration>) {
    match other {
        Some(other) => println!("  {ours} {time:.2?}   {peer} {other:.2?}   ratio {:.2}", time.as_secs_f64() / other.as_secs_f64()),
        None => println!("  {ours} {time:.2?}   SKIPPED: {peer} (not installed here)"),
    }
}

fn size(path: &Path) -> u64 {
    let metadata = std::fs::metadata(path).unwrap();
    if metadata.is_file() {
        return metadata.len();
    }
    std::fs::read_dir(path).unwrap().flatten().map(|entry| size(&entry.path())).sum()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
