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
