//! The full check: one byte changed in any file of the log is found.

use super::*;

#[test]
fn the_check_finds_a_changed_byte_in_any_tile_entry_or_record() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    let mut log = SiteLog::init_with_own_key(&path, &origin()).unwrap();
    for count in [0..300, 300..301, 301..700] {
        log.append_all(&count.map(body).collect::<Vec<_>>()).unwrap();
    }
    drop(log);
    let checked = LogReader::open(&path).unwrap().check().unwrap();
    assert_eq!((checked.tree().size, checked.tiles(), checked.checkpoints()), (TreeSize(700), 4, 4));
    assert_eq!(checked.entry_bytes(), (0..700).map(|index| body(index).len() as u64).sum::<u64>());
    let current = |path: &Path| {
        // Partial tiles of older sizes are for clients that hold an older checkpoint; they are not of this tree.
        let text = path.to_string_lossy();
        !text.contains(".p/") || text.ends_with("002.p/188") || text.ends_with("1/000.p/2")
    };
    let mut found = 0;
    for file in files(&path).into_iter().filter(|path| current(path)) {
        let good = fs::read(&file).unwrap();
        let name = file.strip_prefix(&path).unwrap().to_str().unwrap().to_owned();
        let named = |path: &Path| {
            let said = CheckedLog::of_folder(path).unwrap_err().to_string();
            assert!(said.contains(&name), "{name}: {said}");
        };
        if file.ends_with("lock") || file.ends_with("log.key") || file.ends_with("log.json") {
            continue;
        }
        for position in (0..good.len()).step_by(1 + good.len() / 40) {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&file, &bad).unwrap();
            named(&path);
            found += 1;
        }
        fs::write(&file, &good).unwrap();
        fs::remove_file(&file).unwrap();
        named(&path);
        fs::write(&file, &good).unwrap();
    }
    assert!(found > 300, "{found}");
    CheckedLog::of_folder(&path).unwrap();
}

/// A log of `size` entries, and the error of its check after `damage`.
fn said(size: usize, damage: impl FnOnce(&Path)) -> String {
    let dir = memory_dir();
    let path = dir.path().join("log");
    let mut log = SiteLog::init_with_own_key(&path, &origin()).unwrap();
    log.append_all(&(0..size).map(body).collect::<Vec<_>>()).unwrap();
    drop(log);
    CheckedLog::of_folder(&path).unwrap();
    damage(&path);
    CheckedLog::of_folder(&path).unwrap_err().to_string()
}

fn flip(file: &Path, position: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[position] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn of_entries_and_tile_the_one_is_named_that_the_signed_root_does_not_vouch_for() {
    for size in [5, 256, 300, 600] {
        let (entries, tile) = if size < 256 { ("tile/entries/000.p/5", "tile/0/000.p/5") } else { ("tile/entries/000", "tile/0/000") };
        for name in [entries, tile] {
            let found = said(size, |log| flip(&log.join(name), 8));
            assert!(found.starts_with(&format!("{name} does not agree")), "{size}: {found}");
            let found = said(size, |log| fs::remove_file(log.join(name)).unwrap());
            assert!(found.starts_with(&format!("{name} is missing")), "{size}: {found}");
        }
    }
}

#[test]
fn a_tile_changed_together_with_its_entries_is_named_and_not_the_checkpoints_over_it() {
    for (size, tile, entries) in [(5, "tile/0/000.p/5", "tile/entries/000.p/5"), (600, "tile/0/001", "tile/entries/001")] {
        let found = said(size, |log| {
            flip(&log.join(entries), 5);
            let bundle = fs::read(log.join(entries)).unwrap();
            let bodies = sealtrace_tlog::parse_entry_bundle(&bundle, if size < 256 { 5 } else { 256 }).unwrap();
            let hashes: Vec<u8> = bodies.iter().flat_map(|body| *LeafHash::of(body).as_bytes()).collect();
            fs::write(log.join(tile), hashes).unwrap();
        });
        assert!(found.starts_with(&format!("{tile} does not agree")), "{found}");
    }
}

#[test]
fn a_kept_cosigned_checkpoint_that_is_not_the_log_s_is_named() {
    let put = |log: &Path, name: &str, text: &str| {
        fs::create_dir_all(log.join("cosigned")).unwrap();
        fs::write(log.join("cosigned").join(name), text).unwrap();
    };
    let text = |log: &Path| fs::read_to_string(log.join("checkpoint")).unwrap();
    let garbage = said(5, |log| put(log, "5", "garbage"));
    assert!(garbage.starts_with("cosigned/5 does not agree"), "{garbage}");
    let renamed = said(5, |log| put(log, "4", &text(log)));
    assert!(renamed.starts_with("cosigned/4 does not agree"), "{renamed}");
    let resized = said(5, |log| put(log, "5", &text(log).replacen("\n5\n", "\n4\n", 1)));
    assert!(resized.starts_with("cosigned/5 does not agree"), "{resized}");
    // Signed by the log's key, of a tree that this copy does not have: a copy that went another way, and one that went on.
    for more in ["other", "later"] {
        let found = said(4, |log| {
            let other = log.with_file_name("other");
            copy(log, &other);
            let mut grown = SiteLog::open(&other, None).unwrap();
            grown.append(more.as_bytes()).unwrap();
            let checkpoint = text(&other);
            if more == "other" {
                SiteLog::open(log, None).unwrap().append(b"body 4").unwrap();
            }
            put(log, "5", &checkpoint);
        });
        assert!(found.starts_with("cosigned/5 does not agree"), "{found}");
    }
    let dir = memory_dir();
    let path = dir.path().join("log");
    SiteLog::init_with_own_key(&path, &origin()).unwrap().append(b"a").unwrap();
    put(&path, "1", &text(&path));
    put(&path, "1.tmp", "half");
    assert_eq!(CheckedLog::of_folder(&path).unwrap().1.cosigned(), 1);
}
