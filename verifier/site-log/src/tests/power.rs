//! The power fails at every write point: a model of the disk keeps what was synced, and of the rest as much or as little as it likes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::crash::{base, expect_whole, run};
use super::fault::{self, Change};
use super::*;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

/// A file's bytes: as written, and as they were when last synced.
#[derive(Clone, Default)]
struct Inode {
    written: Vec<u8>,
    synced: Vec<u8>,
}

/// Files and names, as written and as synced.
#[derive(Clone, Default)]
struct Model {
    inodes: Vec<Inode>,
    written: BTreeMap<PathBuf, Node>,
    synced: BTreeMap<PathBuf, Node>,
}

impl Model {
    fn of(folder: &Path) -> Self {
        let mut model = Self::default();
        for entry in fs::read_dir(folder).unwrap() {
            model.take_in(&entry.unwrap().path());
        }
        model.synced = model.written.clone();
        model
    }

    fn take_in(&mut self, path: &Path) {
        if path.is_dir() {
            self.written.insert(path.to_owned(), Node::Folder);
            for entry in fs::read_dir(path).unwrap() {
                self.take_in(&entry.unwrap().path());
            }
        } else {
            let bytes = fs::read(path).unwrap();
            self.written.insert(path.to_owned(), Node::File(self.inodes.len()));
            self.inodes.push(Inode { written: bytes.clone(), synced: bytes });
        }
    }

    fn inode(&mut self, path: &Path) -> &mut Inode {
        let Some(Node::File(number)) = self.written.get(path) else { panic!("{} is no file", path.display()) };
        &mut self.inodes[*number]
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateFolder(path) => {
                self.written.entry(path.clone()).or_insert(Node::Folder);
            }
            Change::Create(path) => match self.written.get(path) {
                Some(_there) => self.inode(path).written.clear(),
                None => {
                    self.written.insert(path.clone(), Node::File(self.inodes.len()));
                    self.inodes.push(Inode::default());
                }
            },
            Change::Write { path, offset, bytes } => {
                let start = *offset as usize;
                let written = &mut self.inode(path).written;
                written.resize(written.len().max(start + bytes.len()), 0);
                written[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Change::SetLength { path, length } => self.inode(path).written.resize(*length as usize, 0),
            Change::Sync(path) => {
                let inode = self.inode(path);
                inode.synced = inode.written.clone();
            }
            Change::Rename { from, to } => {
                let node = self.written.remove(from).unwrap();
                self.written.insert(to.clone(), node);
            }
            Change::SyncFolder(folder) => {
                let in_folder = |path: &Path| path.parent() == Some(folder);
                self.synced.retain(|path, _node| !in_folder(path));
                self.synced.extend(self.written.iter().filter(|(path, _node)| in_folder(path)).map(|(path, node)| (path.clone(), *node)));
            }
            Change::Remove(path) => self.written.retain(|found, _node| !found.starts_with(path)),
        }
    }

    /// Writes what is left: names and bytes as they were synced, or as they were written.
    fn restore(&self, from: &Path, to: &Path, left: Left) {
        fs::create_dir_all(to).unwrap();
        let names = if left.names { &self.written } else { &self.synced };
        for (path, node) in names {
            let target = to.join(path.strip_prefix(from).unwrap());
            // A name in a folder that was never made durable is lost with it.
            if !target.parent().unwrap().is_dir() {
                continue;
            }
            match node {
                Node::Folder => fs::create_dir(&target).unwrap(),
                Node::File(number) => {
                    let inode = &self.inodes[*number];
                    fs::write(&target, if left.bytes { &inode.written } else { &inode.synced }).unwrap();
                    if target.ends_with("log.key") {
                        fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                    }
                }
            }
        }
    }
}

/// Whether what was not synced is left.
#[derive(Debug, Clone, Copy)]
struct Left {
    names: bool,
    bytes: bool,
}

#[test]
fn a_power_cut_at_any_write_point_loses_no_acknowledged_leaf() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    base(&path);
    let mut model = Model::of(&path);
    let size = LogReader::open(&path).unwrap().tree().size.0 as usize;
    let mut log = SiteLog::open(&path, None).unwrap();
    fault::record();
    let mut acknowledged = vec![(0, size)];
    run(&mut log, |count, _log| acknowledged.push((fault::recorded(), count))).unwrap();
    let changes = fault::take();
    assert!(changes.len() > 60, "{} changes", changes.len());
    for cut in 0..=changes.len() {
        let sure = acknowledged.iter().rev().find(|(after, _count)| *after <= cut).unwrap().1;
        for left in [Left { names: false, bytes: false }, Left { names: true, bytes: false }, Left { names: false, bytes: true }] {
            let restored = dir.path().join("restored");
            let _old = fs::remove_dir_all(&restored);
            model.restore(&path, &restored, left);
            expect_whole(&restored, sure, &format!("power cut before change {cut} of {}, {left:?}", changes.len()));
        }
        changes.get(cut).into_iter().for_each(|change| model.apply(change));
    }
}

#[test]
fn the_model_finds_a_log_that_does_not_sync() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    base(&path);
    let mut model = Model::of(&path);
    let mut log = SiteLog::open(&path, None).unwrap();
    fault::record();
    run(&mut log, |_count, _log| ()).unwrap();
    for change in fault::take().iter().filter(|change| !matches!(change, Change::Sync(_) | Change::SyncFolder(_))) {
        model.apply(change);
    }
    let restored = dir.path().join("restored");
    model.restore(&path, &restored, Left { names: true, bytes: false });
    assert!(LogReader::open(&restored).is_err());
    let lost = dir.path().join("lost");
    model.restore(&path, &lost, Left { names: false, bytes: false });
    assert_eq!(LogReader::open(&lost).unwrap().tree().size, TreeSize(254), "what was acknowledged is not there");
}
