//! Entries that have no place in an archive, and paths that are no archive: refused, nothing followed, nothing waited for.

use std::path::Path;

use crate::archive::{file, header, special, with_entry};
use crate::fixture::{Sealed, Tree, assert_same, fifo, import, promptly, scratch, seal, small_release, tree};

/// A digest that no blob of the archive has.
const OTHER: &str = "blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Scene {
    folder: tempfile::TempDir,
    sealed: Sealed,
    good: Vec<u8>,
    before: Tree,
}

fn scene() -> Scene {
    let folder = scratch();
    small_release(&folder.path().join("release"));
    let sealed = seal(&folder.path().join("release"), &folder.path().join("sealed"));
    let good = std::fs::read(&sealed.archive).unwrap();
    sealed.fresh_store(&folder.path().join("store"));
    let before = tree(&folder.path().join("store"));
    Scene { folder, sealed, good, before }
}

impl Scene {
    /// Imports a path into the store, which must refuse it with this code, say this, and stay as it was.
    fn refuses(&self, path: &Path, (code, says): (i32, &str), what: &str) {
        let store = self.folder.path().join("store");
        let outside = tree(self.folder.path());
        let output = promptly(&mut import(path, &store));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(said.contains(says) && said.contains("next: "), "{what}: {said}");
        assert_same(&tree(&store), &self.before, what);
        assert_same(&tree(self.folder.path()), &outside, what);
    }

    fn refuses_bytes(&self, bytes: &[u8], expected: (i32, &str), what: &str) {
        let path = self.folder.path().join("hostile.tar");
        std::fs::write(&path, bytes).unwrap();
        self.refuses(&path, expected, what);
    }
}

#[test]
fn an_archive_with_a_link_a_special_file_or_a_name_outside_its_set_is_refused_as_malformed_and_the_store_is_unchanged() {
    let scene = scene();
    let absolute = scene.folder.path().join("escaped").display().to_string();
    let secret = scene.folder.path().join("secret");
    std::fs::write(&secret, "a secret").unwrap();
    let secret = secret.display().to_string();
    let long = header(OTHER, 0, |header| header[345..350].copy_from_slice(b"../..")); // a prefix
    for (what, entry) in [
        ("a symbolic link", special(OTHER, b'2', &secret)),
        ("a symbolic link to a device", special(OTHER, b'2', "/dev/zero")),
        ("a symbolic link as index", special("index.json", b'2', &secret)),
        ("a symbolic link as folder", special("blobs", b'2', "..")),
        ("a hard link", special(OTHER, b'1', "index.json")),
        ("a hard link outside", special(OTHER, b'1', &secret)),
        ("a parent folder", file("../x", b"x")),
        ("a parent folder below", file("blobs/sha256/../../../x", b"x")),
        ("an absolute name", file(&absolute, b"x")),
        ("an absolute name of ours", file("/index.json", b"{}")),
        ("a name with a dot", file("./index.json", b"{}")),
        ("a name with two slashes", file(&OTHER.replace("256/", "256//"), b"")),
        ("a name in capitals", file(&OTHER.replace('e', "E"), b"")),
        ("another algorithm", file(&OTHER.replace("256", "512"), b"")),
        ("another name", file("manifest.json", b"[]")),
        ("an empty name", file("", b"")),
        ("a name in a prefix", long),
        ("a duplicate index", file("index.json", b"{}")),
        ("a duplicate oci-layout", file("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}")),
        ("a FIFO", special(OTHER, b'6', "")),
        ("a FIFO as index", special("index.json", b'6', "")),
        ("a character device", special(OTHER, b'3', "")),
        ("a block device", special(OTHER, b'4', "")),
        ("a folder in place of a blob", special(OTHER, b'5', "")),
        ("another folder", special("etc/", b'5', "")),
        ("a folder twice", special("blobs/sha256", b'5', "")),
        ("a contiguous file", special(OTHER, b'7', "")),
        ("a pax header", file("PaxHeaders/x", b"").tap_kind(b'x')),
        ("a global pax header", file("pax_global_header", b"").tap_kind(b'g')),
        ("a GNU long name", special("././@LongLink", b'L', "")),
        ("a sparse file", special(OTHER, b'S', "")),
        ("a volume label", special("label", b'V', "")),
    ] {
        for (place, bytes) in ["first", "last"].into_iter().zip(with_entry(&scene.good, &entry)) {
            scene.refuses_bytes(&bytes, (3, "archive refused"), &format!("{what}, {place}"));
        }
    }
    assert!(!Path::new(&absolute).exists());
}

trait Kind {
    /// The entry with another type, its checksum in order.
    fn tap_kind(self, kind: u8) -> Self;
}

impl Kind for Vec<u8> {
    fn tap_kind(self, kind: u8) -> Self {
        let name: Vec<u8> = self.iter().copied().take_while(|byte| *byte != 0).collect();
        special(&String::from_utf8(name).unwrap(), kind, "")
    }
}

#[test]
fn each_blob_twice_left_out_or_exchanged_is_refused_in_its_class() {
    let scene = scene();
    let entries = crate::archive::entries(&scene.good);
    let blobs: Vec<_> = entries.iter().filter(|entry| entry.name.starts_with("blobs/sha256/") && !entry.name.ends_with('/')).collect();
    assert!(blobs.len() >= 8, "{}", blobs.len());
    for entry in &blobs {
        let whole = &scene.good[entry.header..entry.end()];
        for bytes in with_entry(&scene.good, whole) {
            scene.refuses_bytes(&bytes, (3, "archive refused"), &format!("{} twice", entry.name));
        }
        let less = [&scene.good[..entry.header], &scene.good[entry.end()..]].concat();
        scene.refuses_bytes(&less, (2, "nothing was admitted"), &format!("without {}", entry.name));
        let other = [&scene.good[..entry.header], &file(&entry.name, b"something else"), &scene.good[entry.end()..]].concat();
        scene.refuses_bytes(&other, (1, "has the content of"), &format!("{} with other content", entry.name));
    }
    for name in ["oci-layout", "index.json"] {
        let entry = entries.iter().find(|entry| entry.name == name).unwrap();
        let less = [&scene.good[..entry.header], &scene.good[entry.end()..]].concat();
        scene.refuses_bytes(&less, (3, name), &format!("without {name}"));
    }
    scene.refuses_bytes(&[scene.good.clone(), scene.good.clone()].concat(), (3, "archive refused"), "two archives in one file");
    scene.refuses_bytes(&[&scene.good[..], b"x"].concat(), (3, "archive refused"), "a byte after the end");
}

#[test]
fn a_path_that_is_no_regular_file_is_refused_without_waiting_for_it() {
    let scene = scene();
    let path = |name: &str| scene.folder.path().join(name);
    fifo(&path("fifo"));
    std::os::unix::fs::symlink("fifo", path("link-to-fifo")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    for (file, expected) in [
        ("fifo", (3, "FIFO")),
        ("link-to-fifo", (3, "FIFO")),
        ("socket", (3, "socket")),
        ("/dev/zero", (3, "device")),
        ("dangling", (2, "dangling")),
        ("release", (2, "symbol-bundle export")),
        ("sealed/layout", (2, "symbol-bundle export")),
        ("release/lib/libsmall.so", (3, "not a ustar header")),
    ] {
        scene.refuses(&path(file), expected, file);
    }
    drop(socket);
}

#[test]
fn what_anyone_may_add_to_an_archive_changes_nothing_in_the_store() {
    let scene = scene();
    let path = |name: &str| scene.folder.path().join(name);
    let admit = |bytes: &[u8], store: &str| {
        std::fs::write(path("added.tar"), bytes).unwrap();
        scene.sealed.fresh_store(&path(store));
        let output = promptly(&mut import(&path("added.tar"), &path(store)));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (tree(&path(store)), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (expected, _) = admit(&scene.good, "expected");
    let folders: Vec<_> = crate::archive::entries(&scene.good).into_iter().filter(|entry| entry.name.ends_with('/')).collect();
    assert_eq!(folders.len(), 2);
    let without_folders = [&scene.good[..folders[0].header], &scene.good[folders[1].end()..]].concat();
    let [_, stray] = with_entry(&scene.good, &file(OTHER, b""));
    let longer = [scene.good.clone(), vec![0; 20 * 512]].concat();
    assert_same(&admit(&without_folders, "folders").0, &expected, "without entries for folders");
    assert_same(&admit(&longer, "tail").0, &expected, "zero blocks at the end");
    let (store, said) = admit(&stray, "stray");
    assert_same(&store, &expected, "a blob that nobody names");
    assert!(said.contains("warning") && said.contains(OTHER.trim_start_matches("blobs/sha256/")), "{said}");
}
