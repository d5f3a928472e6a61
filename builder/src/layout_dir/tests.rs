//! Tests of writing layouts.

use super::*;

fn new_layout(path: &Path) -> LayoutDir {
    LayoutDir::create(path).unwrap()
}

fn bundle(layout: &LayoutDir) -> Descriptor {
    let index = SymbolIndex {
        index_version: 0,
        name: "n".to_owned(),
        version: "1".to_owned(),
        modules: Vec::new(),
        btf: Vec::new(),
        id_map: sealtrace_symbols::IdMap::default(),
    };
    let layer = layout.put_blob(media::SYMBOL_INDEX, &index.encode().unwrap()).unwrap();
    layout.put_blob(media::EMPTY, sealtrace_layout::EMPTY_CONFIG).unwrap();
    let manifest = Manifest::new(media::SYMBOL_BUNDLE, vec![layer]).encode().unwrap();
    layout.put_blob(media::MANIFEST, &manifest).unwrap()
}

fn attached(layout: &LayoutDir, subject: &Descriptor, text: &str) -> Descriptor {
    let layer = layout.put_blob(media::SIGSTORE_BUNDLE, text.as_bytes()).unwrap();
    let mut manifest = Manifest::new(media::SIGSTORE_BUNDLE, vec![layer]);
    manifest.subject = Some(subject.clone());
    layout.put_blob(media::MANIFEST, &manifest.encode().unwrap()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn children_stand_in_one_order_whatever_order_they_are_given_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut indexes = Vec::new();
    for order in [["a", "b"], ["b", "a"]] {
        let layout = new_layout(&dir.path().join(order.concat()));
        let bundle = bundle(&layout);
        let mut children: Vec<_> = order.iter().map(|text| (TAG_SIGNATURE, attached(&layout, &bundle, text))).collect();
        children.push((TAG_BUNDLE, bundle.clone()));
        layout.write_index("n-1", &children).unwrap();
        let graph = layout.graph().unwrap();
        assert_eq!(graph.attachments(&bundle.digest).unwrap().signatures.len(), 2);
        assert_eq!(graph.only_bundle().unwrap().0, bundle.digest);
        assert_eq!(graph.top().manifests[1].digest, bundle.digest, "the bundle comes first");
        assert_eq!(layout.root_tag().unwrap(), "n-1");
        assert_eq!(layout.symbol_index().unwrap().1.name, "n");
        let needed = graph.reachable().len();
        assert_eq!(names(&layout.path().join("blobs/sha256")).len(), needed, "only reachable blobs, no temporary files");
        indexes.push(std::fs::read(layout.path().join("index.json")).unwrap());
    }
    assert_eq!(indexes[0], indexes[1]);
}

#[test]
fn a_staged_layout_appears_only_when_published_and_leaves_nothing_when_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    drop(StagedLayout::begin(&target, Existing::Keep).unwrap());
    assert!(names(dir.path()).is_empty());
    let staged = StagedLayout::begin(&target, Existing::Keep).unwrap();
    let first = bundle(staged.layout());
    staged.layout().write_index("n-1", &[(TAG_BUNDLE, first)]).unwrap();
    assert!(!target.exists());
    staged.publish().unwrap();
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn only_a_layout_with_a_bundle_of_ours_is_ever_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("precious");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("thesis"), b"x").unwrap();
    assert!(matches!(StagedLayout::begin(&precious, Existing::Keep), Err(LayoutDirError::NotEmpty { .. })));
    assert!(matches!(StagedLayout::begin(&precious, Existing::Replace), Err(LayoutDirError::NotALayout { .. })));
    let empty_layout = dir.path().join("other");
    new_layout(&empty_layout);
    assert!(matches!(StagedLayout::begin(&empty_layout, Existing::Replace), Err(LayoutDirError::NotALayout { .. })));
    let ours = dir.path().join("ours");
    let layout = new_layout(&ours);
    let manifest = bundle(&layout);
    layout.write_index("n-1", &[(TAG_BUNDLE, manifest)]).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&ours, &link).unwrap();
    assert!(StagedLayout::begin(&link, Existing::Replace).is_err());
    let staged = StagedLayout::begin(&ours, Existing::Replace).unwrap();
    let manifest = bundle(staged.layout());
    staged.layout().write_index("n-2", &[(TAG_BUNDLE, manifest)]).unwrap();
    assert_eq!(staged.publish().unwrap().root_tag().unwrap(), "n-2");
    assert_eq!(names(dir.path()), ["link", "other", "ours", "precious"]);
}

#[test]
fn a_planted_link_is_replaced_and_never_written_through() {
    let dir = tempfile::tempdir().unwrap();
    let layout = new_layout(&dir.path().join("l"));
    let outside = dir.path().join("outside");
    std::fs::write(&outside, b"keep").unwrap();
    let digest = BlobDigest::of(b"content");
    std::os::unix::fs::symlink(&outside, layout.blobs().blob_path(&digest)).unwrap();
    layout.put_blob("text/plain", b"content").unwrap();
    assert_eq!(std::fs::read(&outside).unwrap(), b"keep");
    assert_eq!(&*layout.blob(&digest, 100).unwrap(), b"content");
    std::fs::write(layout.blobs().blob_path(&digest), b"CONTENT").unwrap();
    layout.put_blob("text/plain", b"content").unwrap();
    assert_eq!(&*layout.blob(&digest, 100).unwrap(), b"content");
}
