//! What appending costs: the site log beside a plain file that gets the same bytes and the same fsyncs, in one run, each part in a
//! process of its own so that its peak memory is its own.
//!
//! `cargo bench -p sealtrace-site-log [-- --leaves 1000000 --single 20000]`. It measures the disk that holds the target folder.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its figures and fails by panicking"
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sealtrace_site_log::{LogReader, SiteLog};
use sealtrace_tlog::{LeafHash, LeafIndex, Origin};

/// Leaves appended in batches, unless `--leaves` says otherwise.
const LEAVES: usize = 50_000;
/// Leaves appended one by one, unless `--single` says otherwise.
const SINGLE: usize = 2_000;
/// The batches measured.
const BATCHES: [usize; 2] = [256, 4096];

/// An entry of the shape and length of those we log; no two are the same.
fn entry(number: usize) -> Vec<u8> {
    let part = |what: &str| LeafHash::of(format!("{what} {number}").as_bytes()).hex();
    let (digest, signature, key) = (part("digest"), part("signature"), part("key"));
    format!(
        "{{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{{\"hashedRekordV002\":{{\"data\":{{\"algorithm\":\"SHA2_256\",\
         \"digest\":\"{}\"}},\"signature\":{{\"content\":\"{}{}\",\"verifier\":{{\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\
         \"publicKey\":{{\"rawBytes\":\"{key}{}\"}}}}}}}}}}}}",
        &digest[..44],
        &signature,
        &signature[..32],
        &key[..60]
    )
    .into_bytes()
}

/// What a part prints for its parent.
struct Measured {
    seconds: f64,
    bytes: u64,
    files: u64,
    peak: u64,
}

fn main() {
    let args: Vec<_> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).map(|at| args[at + 1].clone());
    let count = |name: &str, default| value(name).map_or(default, |text| text.parse().expect("a number"));
    if let Some(part) = value("--part") {
        return run_part(&part, count("--leaves", LEAVES), count("--batch", 1), Path::new(&value("--folder").unwrap()));
    }
    let (leaves, single) = (count("--leaves", LEAVES), count("--single", SINGLE));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("site-log-append");
    let _old = fs::remove_dir_all(&folder);
    println!("{:<34}{:>12}{:>14}{:>10}{:>10}{:>12}", "", "leaves", "leaves/s", "ratio", "files", "MiB on disk");
    for (batch, leaves) in BATCHES.into_iter().map(|batch| (batch, leaves)).chain([(1, single)]) {
        let plain = part("plain", leaves, batch, &folder.join(format!("plain-{batch}")));
        let log = part("log", leaves, batch, &folder.join(format!("log-{batch}")));
        row(&format!("plain file, fsync each {batch}"), leaves, &plain, &plain);
        row(&format!("site log, checkpoint each {batch}"), leaves, &log, &plain);
        println!("{:<34}{:>12}", "  peak memory of the log, MiB", log.peak >> 10);
    }
    let log = folder.join(format!("log-{}", BATCHES[1]));
    for what in ["open", "open-to-append", "prove", "duplicates", "rebuild-index", "check"] {
        let measured = part(what, leaves, BATCHES[1], &log);
        println!("{:<34}{:>12.3} ms, peak {} MiB", format!("{what} ({leaves} leaves)"), measured.seconds * 1e3, measured.peak >> 10);
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn row(what: &str, leaves: usize, measured: &Measured, plain: &Measured) {
    let (rate, ratio) = (leaves as f64 / measured.seconds, measured.seconds / plain.seconds);
    println!("{what:<34}{leaves:>12}{rate:>14.0}{ratio:>10.2}{:>10}{:>12.1}", measured.files, measured.bytes as f64 / f64::from(1 << 20));
}

fn part(what: &str, leaves: usize, batch: usize, folder: &Path) -> Measured {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--part", what, "--leaves", &leaves.to_string(), "--batch", &batch.to_string(), "--folder"]).arg(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [seconds, peak] = numbers[..] else { panic!("{text}") };
    let (bytes, files) = size_of(folder);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "kibibytes printed a line above")]
    let peak = peak as u64;
    Measured { seconds, bytes, files, peak }
}

/// Bytes allocated on the disk, and files, folders among them.
fn size_of(path: &Path) -> (u64, u64) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let own = (metadata.blocks() * 512, 1);
    if !metadata.is_dir() {
        return own;
    }
    fs::read_dir(path).unwrap().map(|entry| size_of(&entry.unwrap().path())).fold(own, |sum, of| (sum.0 + of.0, sum.1 + of.1))
}

fn run_part(what: &str, leaves: usize, batch: usize, folder: &Path) {
    let start = Instant::now();
    match what {
        "plain" => plain(leaves, batch, folder),
        "log" => append(leaves, batch, folder),
        "open" => drop(LogReader::open(folder).unwrap()),
        "open-to-append" => drop(SiteLog::open(folder, None).unwrap().append_all(&[entry(leaves / 2)]).unwrap()),
        "prove" => {
            let log = SiteLog::open(folder, None).unwrap();
            drop(log.logged(LeafIndex(leaves as u64 / 2)).unwrap());
        }
        "duplicates" => {
            let mut log = SiteLog::open(folder, None).unwrap();
            let bodies: Vec<_> = (0..batch).map(|number| entry(number * (leaves / batch))).collect();
            assert_eq!(log.append_all(&bodies).unwrap().added, 0);
        }
        "rebuild-index" => {
            fs::remove_dir_all(folder.join("index")).unwrap();
            drop(SiteLog::open(folder, None).unwrap().append_all(&[entry(leaves / 2)]).unwrap());
        }
        "check" => assert_eq!(LogReader::open(folder).unwrap().check().unwrap().tree().size.0, leaves as u64),
        other => panic!("{other}"),
    }
    let seconds = start.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{seconds} {}", peak.trim().trim_end_matches(" kB"));
}

fn batches(leaves: usize, batch: usize) -> impl Iterator<Item = Vec<Vec<u8>>> {
    (0..leaves).step_by(batch).map(move |first| (first..leaves.min(first + batch)).map(entry).collect())
}

fn plain(leaves: usize, batch: usize, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    for bodies in batches(leaves, batch) {
        file.write_all(&bodies.concat()).unwrap();
        file.sync_all().unwrap();
    }
}

fn append(leaves: usize, batch: usize, folder: &Path) {
    let mut log = SiteLog::init_with_own_key(folder, &Origin::parse("example.org/site-log").unwrap()).unwrap();
    for bodies in batches(leaves, batch) {
        match bodies.as_slice() {
            [one] => drop(log.append(one).unwrap()),
            more => assert_eq!(log.append_all(more).unwrap().added, more.len() as u64),
        }
    }
}
