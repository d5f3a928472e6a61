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
        if file.ends_with("lock") || file.ends_with("log.key") || file.ends_with("log.json") {
            continue;
        }
        for position in (0..good.len()).step_by(1 + good.len() / 40) {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&file, &bad).unwrap();
            let result = LogReader::open(&path).and_then(|reader| reader.check());
            assert!(result.is_err(), "byte {position} of {}", file.display());
            found += usize::from(result.is_err());
        }
        fs::write(&file, &good).unwrap();
        fs::remove_file(&file).unwrap();
        let result = LogReader::open(&path).and_then(|reader| reader.check());
        assert!(result.is_err(), "{} removed", file.display());
        fs::write(&file, &good).unwrap();
    }
    assert!(found > 300, "{found}");
    LogReader::open(&path).unwrap().check().unwrap();
}
