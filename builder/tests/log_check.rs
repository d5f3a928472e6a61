//! `symbol-bundle log check`: a whole log is told so, a changed one is refused with the file's name.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use sealtrace_site_log::SiteLog;
use sealtrace_tlog::Origin;
use support::{json, run, stderr};

#[test]
fn log_check_hashes_everything_and_names_the_file_that_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = SiteLog::init_with_own_key(&path, &Origin::parse("example.org/site-log").unwrap()).unwrap();
    let bodies: Vec<_> = (0..300).map(|number| format!("body {number}")).collect();
    let root = log.append_all(&bodies).unwrap().checkpoint.checkpoint().tree.root;
    drop(log);
    let checked = json(&run("log check --json --log", &[&path]));
    assert_eq!((&checked["size"], &checked["checkpoints"], &checked["tiles"]), (&300.into(), &2.into(), &3.into()));
    assert_eq!(checked["root"], root.hex());
    assert!(String::from_utf8_lossy(&run("log check --log", &[&path]).stdout).contains("300 entries"));
    // In a full bundle, which opening the log does not read.
    let bundle = path.join("tile/entries/000");
    let good = std::fs::read(&bundle).unwrap();
    let mut bad = good.clone();
    bad[5] ^= 1;
    std::fs::write(&bundle, &bad).unwrap();
    assert!(run("log checkpoint --log", &[&path]).status.success());
    let refused = run("log check --json --log", &[&path]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    let refused = run("log check --log", &[&path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("tile/entries/000") && stderr(&refused).contains("next: "), "{}", stderr(&refused));
    std::fs::write(&bundle, good.get(..100).unwrap()).unwrap();
    assert_eq!(run("log check --log", &[&path]).status.code(), Some(1));
}

/// A log of five entries in a folder.
fn small() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = SiteLog::init_with_own_key(&path, &Origin::parse("example.org/site-log").unwrap()).unwrap();
    log.append_all(&(0..5).map(|number| format!("body {number}")).collect::<Vec<_>>()).unwrap();
    (dir, path)
}

/// The command is refused with the code and says each of these.
fn refused(line: &str, path: &std::path::Path, code: i32, says: &[&str]) {
    let output = run(line, &[path]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{line}: {said}");
    for words in says {
        assert!(said.contains(words), "{line} does not say {words:?}: {said}");
    }
    assert!(said.contains("next: "), "{line}: {said}");
}

#[test]
fn log_check_names_the_file_when_the_log_cannot_even_be_opened() {
    let restore = "restore the log's folder from a copy";
    for name in ["tile/0/000.p/5", "tile/entries/000.p/5"] {
        let (_dir, path) = small();
        let mut bytes = std::fs::read(path.join(name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path.join(name), bytes).unwrap();
        refused("log check --log", &path, 1, &[&format!("{name} does not agree"), restore]);
        std::fs::remove_file(path.join(name)).unwrap();
        refused("log check --log", &path, 1, &[&format!("{name} is missing"), restore]);
    }
    let (_dir, path) = small();
    let checkpoint = std::fs::read_to_string(path.join("checkpoint")).unwrap();
    std::fs::write(path.join("checkpoint"), checkpoint.replacen("\n5\n", "\n4\n", 1)).unwrap();
    refused("log check --log", &path, 1, &["checkpoint signature by", restore]);
    std::fs::write(path.join("checkpoint"), "garbage").unwrap();
    refused("log check --log", &path, 3, &["log checkpoint", restore]);
    let (_dir, path) = small();
    std::fs::remove_file(path.join("checkpoint")).unwrap();
    refused("log check --log", &path, 1, &["log/checkpoint", restore]);
    let (_dir, path) = small();
    std::fs::create_dir(path.join("cosigned")).unwrap();
    std::fs::write(path.join("cosigned/5"), "garbage").unwrap();
    refused("log check --log", &path, 1, &["cosigned/5 does not agree", restore]);
}

#[test]
fn a_proof_of_a_damaged_or_absent_entry_says_what_to_do_next() {
    let (dir, path) = small();
    let proof = dir.path().join("f.tlog-proof");
    let prove = |index: u64| format!("log prove --index {index} -o {} --log", proof.display());
    refused(&prove(99), &path, 2, &["log has 5 entries", "from 0 to 4"]);
    let entries = path.join("tile/entries/000.p/5");
    let mut bytes = std::fs::read(&entries).unwrap();
    bytes[4] ^= 1;
    std::fs::write(&entries, bytes).unwrap();
    refused(&prove(0), &path, 1, &["symbol-bundle log check --log"]);
    std::fs::remove_file(&entries).unwrap();
    refused(&prove(0), &path, 1, &["symbol-bundle log check --log"]);
    assert!(!proof.exists());
    let empty = dir.path().join("empty");
    SiteLog::init_with_own_key(&empty, &Origin::parse("example.org/empty").unwrap()).unwrap();
    refused(&prove(0), &empty, 2, &["the log is empty"]);
}

#[test]
fn a_mistyped_path_or_a_cut_description_is_told_from_a_log_to_be_made() {
    let (dir, path) = small();
    refused("log check --log", &dir.path().join("lgo"), 2, &["holds no log", "next: check the path", "log init"]);
    let description = std::fs::read(path.join("log.json")).unwrap();
    std::fs::write(path.join("log.json"), description.get(..40).unwrap()).unwrap();
    for line in ["log check --log", "log checkpoint --log"] {
        refused(line, &path, 3, &["log.json", "restore log.json from a copy"]);
    }
}
