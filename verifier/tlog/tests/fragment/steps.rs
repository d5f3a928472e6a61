//! The seven steps: for each, an audit in which only that one is broken.

use sealtrace_digest::FileSha256;
use sealtrace_tlog::{
    AuditError, AuditStep, AuditTerms, AuditedFragment, Checkpoint, EntryClaim, Fragment, FragmentError, LeafIndex, NodeHash, PinError,
    QuorumError, QuorumRule, RootHash, SignedCheckpoint, TreeHead, TreeSize,
};
use serde_json::json;

use crate::packed::Packed;
use crate::tree::{Log, Tree};

const SIZE: u64 = 66_053;
const ENTRY: u64 = 7;

/// A site with a bundle and a pin, and the fragment that satisfies it.
struct Scene {
    log: Log,
    tree: Tree,
    packed: Packed,
    body: Vec<u8>,
    proof: Vec<NodeHash>,
    /// The tree of the bundle's proof.
    bundle: TreeHead,
    pins: Vec<TreeHead>,
    cosigned: bool,
}

impl Scene {
    fn new() -> Self {
        let (log, tree) = (Log::new(1, "example.org/log"), Tree::new(11, SIZE + 10));
        let packed = Packed::open(&tree.fragment(&log, SIZE, &[ENTRY], &[9, 65_800]).unwrap().encode().unwrap());
        let (body, proof, bundle, pins) = (tree.entry(ENTRY), tree.proof(ENTRY, SIZE), tree.head(SIZE), vec![tree.head(9)]);
        Self { log, tree, packed, body, proof, bundle, pins, cosigned: true }
    }

    fn audit(&self) -> Result<AuditedFragment, AuditError> {
        let quorum = |checkpoint: &SignedCheckpoint| {
            assert_eq!(checkpoint.checkpoint().origin, "example.org/log");
            if self.cosigned { Ok(()) } else { Err(QuorumError { reason: "expected 2 of 3, found 1".into() }) }
        };
        let claims = [EntryClaim { index: LeafIndex(ENTRY), body: &self.body, tree: self.bundle, proof: &self.proof }];
        let terms = AuditTerms { log: &self.log.log, quorum: QuorumRule::Required(&quorum), claims: &claims, pins: &self.pins };
        Fragment::parse(&self.packed.tar()).unwrap().audit(&terms)
    }

    fn refused(&self) -> (AuditStep, AuditError) {
        let error = self.audit().map(|_audited| ()).unwrap_err();
        (error.step(), error)
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self::new();
        change(&mut scene);
        scene
    }

    /// Flips one byte of a file.
    fn flipped(path: &str, position: usize) -> Self {
        Self::with(|scene| scene.packed.files.get_mut(path).unwrap()[position] ^= 1)
    }
}

#[test]
fn an_audit_that_holds_gives_the_new_pin_and_what_it_continues() {
    let scene = Scene::new();
    let audited = scene.audit().unwrap();
    let pin = audited.pin();
    assert_eq!(pin.origin().as_str(), "example.org/log");
    assert_eq!(pin.tree(), scene.tree.head(SIZE));
    assert_eq!(pin.checkpoint().text(), scene.log.checkpoint(scene.tree.head(SIZE)).text());
    assert_eq!(pin.continues(), [scene.tree.head(9)]);
    let [entry] = audited.entries() else { panic!("one claim") };
    assert_eq!((entry.index(), entry.tree()), (LeafIndex(ENTRY), scene.tree.head(SIZE)));
    assert_eq!(entry.leaf(), sealtrace_tlog::LeafHash::of(&scene.body));
    assert_eq!(audited.fragment().pins().count(), 2);
    let ids: std::collections::BTreeSet<_> = AuditStep::ALL.map(AuditStep::id).into();
    assert_eq!(ids.len(), 7);
}

#[test]
fn step_1_a_checkpoint_of_another_key_another_name_or_without_quorum_is_refused() {
    let (step, error) = Scene::with(|scene| scene.cosigned = false).refused();
    assert!(step == AuditStep::Checkpoint && matches!(error, AuditError::Quorum(_)), "{error}");
    let (step, error) = Scene::with(|scene| scene.log = Log::new(2, "example.org/log")).refused();
    assert_eq!(step, AuditStep::Checkpoint, "{error}");
    let (step, error) = Scene::with(|scene| scene.log = Log::new(1, "example.org/other")).refused();
    assert_eq!(step, AuditStep::Checkpoint, "{error}");
    let changed = Scene::with(|scene| {
        // The key's id in the listing is made to fit, so that only the signature is another's.
        scene.log = Log::new(2, "example.org/log");
        let id = FileSha256::from_bytes(scene.log.log.key_id()).hex();
        scene.packed = scene.packed.clone().with_field("keyId", json!(id));
    });
    let (step, error) = changed.refused();
    assert!(step == AuditStep::Checkpoint && error.to_string().contains("no signature"), "{error}");
}

#[test]
fn step_1_an_origin_line_that_is_not_the_name_of_the_key_is_refused() {
    let scene = Scene::new();
    let fragment = scene.tree.fragment(&scene.log, SIZE, &[], &[]).unwrap();
    let checkpoint = Checkpoint { origin: "example.org/other".to_owned(), tree: scene.tree.head(SIZE), extension: Vec::new() };
    let checkpoint = scene.log.sign(checkpoint);
    assert_eq!(checkpoint.verify(&scene.log.log), Ok(()));
    let packed = Packed::open(&fragment.encode().unwrap()).with_file("checkpoint", checkpoint.text().as_bytes().to_vec());
    let packed = Packed { folder: FileSha256::of(b"example.org/other").hex(), ..packed.with_field("origin", json!("example.org/other")) };
    let refused = Fragment::parse(&packed.tar()).unwrap().verify(&scene.log.log);
    assert!(matches!(&refused, Err(FragmentError::Inconsistent { path, .. }) if path == "checkpoint"), "{refused:?}");
}

#[test]
fn step_2_a_right_edge_that_makes_another_root_is_refused() {
    for path in ["tile/0/258.p/5", "tile/1/001.p/2", "tile/2/000.p/1"] {
        let (step, error) = Scene::flipped(path, 31).refused();
        assert_eq!(step, AuditStep::RightEdge, "{path}: {error}");
    }
    // The log signs a root that is not that of its tiles.
    let scene = Scene::new();
    let lie = TreeHead { root: RootHash::from_bytes([7; 32]), ..scene.tree.head(SIZE) };
    let packed = Packed::open(&scene.tree.fragment(&scene.log, SIZE, &[], &[]).unwrap().encode().unwrap());
    let packed =
        packed.with_file("checkpoint", scene.log.checkpoint(lie).text().as_bytes().to_vec()).with_field("root", json!(lie.root.hex()));
    let terms = AuditTerms { log: &scene.log.log, quorum: QuorumRule::None, claims: &[], pins: &[] };
    let error = Fragment::parse(&packed.tar()).unwrap().audit(&terms).unwrap_err();
    assert_eq!(error.step(), AuditStep::RightEdge, "{error}");
}

#[test]
fn step_3_a_tile_that_is_no_node_of_the_tile_above_is_refused() {
    for path in ["tile/0/000", "tile/0/257", "tile/1/000"] {
        let (step, error) = Scene::flipped(path, 8191).refused();
        assert!(matches!(&error, AuditError::Fragment { source: FragmentError::Tile { path: found }, .. } if found == path), "{error}");
        assert_eq!(step, AuditStep::Tiles);
    }
}

#[test]
fn step_4_an_entry_that_is_not_the_leaf_in_its_tile_is_refused() {
    let (step, error) = Scene::with(|scene| scene.body.push(b' ')).refused();
    assert!(step == AuditStep::Leaf && matches!(error, AuditError::Leaf { index: ENTRY, .. }), "{error}");
    assert!(!error.is_undecided());
    let (step, error) = Scene::flipped("entry/7", 0).refused();
    assert!(step == AuditStep::Leaf && matches!(error, AuditError::Fragment { source: FragmentError::Leaf { .. }, .. }), "{error}");
    let scene = Scene::new();
    let claim = |index| EntryClaim { index: LeafIndex(index), body: &scene.body, tree: scene.bundle, proof: &scene.proof };
    let verified = Fragment::parse(&scene.packed.tar()).unwrap().verify(&scene.log.log).unwrap();
    assert!(verified.audit_entry(&claim(ENTRY)).is_ok());
    for (index, undecided) in [(ENTRY + 1, false), (300, true), (SIZE, true), (u64::MAX, true)] {
        let error = verified.audit_entry(&claim(index)).unwrap_err();
        assert_eq!((error.step(), error.is_undecided()), (AuditStep::Leaf, undecided), "entry {index}: {error}");
    }
}

#[test]
fn step_5_a_proof_that_is_not_the_path_from_the_tiles_is_refused() {
    let changes: [fn(&mut Scene); 4] = [
        |scene| scene.proof[3] = NodeHash::from_bytes([0; 32]),
        |scene| scene.proof.truncate(scene.proof.len() - 1),
        |scene| scene.proof.push(NodeHash::from_bytes([0; 32])),
        |scene| scene.proof.swap(0, 1),
    ];
    for change in changes {
        let (step, error) = Scene::with(change).refused();
        assert!(step == AuditStep::Path && matches!(error, AuditError::Path { index: ENTRY }), "{error}");
    }
    let (step, error) = Scene::with(|scene| scene.bundle.root = RootHash::from_bytes([0; 32])).refused();
    assert!(step == AuditStep::Path && matches!(error, AuditError::EntryTree { source: PinError::Root { .. }, .. }), "{error}");
    let changed = Scene::with(|scene| {
        scene.packed = scene.packed.clone().with_text("proof/7.tlog-proof", "index 7\n", &format!("index 7\n{}\n", "A".repeat(43) + "="));
    });
    let (step, error) = changed.refused();
    assert!(step == AuditStep::Path && matches!(error, AuditError::Fragment { source: FragmentError::Inconsistent { .. }, .. }), "{error}");
}

#[test]
fn step_5_a_proof_in_an_earlier_tree_holds_if_the_fragment_shows_that_tree() {
    let at = |size| {
        Scene::with(|scene| {
            (scene.proof, scene.bundle) = (scene.tree.proof(ENTRY, size), scene.tree.head(size));
        })
    };
    for size in [9, 65_800] {
        assert_eq!(at(size).audit().unwrap().entries()[0].tree().size, TreeSize(size));
    }
    let (step, error) = at(300).refused();
    assert!(step == AuditStep::Path && error.is_undecided(), "{error}");
    let mut other = at(65_800);
    other.proof = other.tree.proof(ENTRY, SIZE);
    assert!(matches!(other.refused(), (AuditStep::Path, AuditError::Path { .. })));
    // An entry that came after the tree that is said to hold it.
    let (step, error) = at(9).with_claim_in(5);
    assert!(step == AuditStep::Path && matches!(error, AuditError::Inclusion { .. }), "{error}");
}

impl Scene {
    /// The claim in the tree of `size`, with its root.
    fn with_claim_in(mut self, size: u64) -> (AuditStep, AuditError) {
        self.bundle = self.tree.head(size);
        self.refused()
    }
}

#[test]
fn step_6_a_pin_of_another_root_is_refused_with_both() {
    for size in [1, 8, 9, 65_800, SIZE] {
        let fork = Tree::new(12, SIZE).head(size);
        let (step, error) = Scene::with(|scene| scene.pins = vec![scene.tree.head(9), fork]).refused();
        let AuditError::Pin(PinError::Root { size: found_size, expected, found }) = error else { panic!("{error}") };
        assert_eq!((step, found_size, expected, found), (AuditStep::Consistency, size, fork.root, Scene::new().tree.head(size).root));
    }
    let empty = TreeHead { size: TreeSize(0), root: RootHash::empty() };
    assert!(Scene::with(|scene| scene.pins = vec![empty]).audit().is_ok());
    let (step, error) = Scene::with(|scene| scene.pins = vec![scene.tree.head(300)]).refused();
    assert!(step == AuditStep::Consistency && error.is_undecided(), "{error}");
}

#[test]
fn step_6_a_carried_proof_or_older_checkpoint_that_does_not_hold_is_refused() {
    let line = |text: &str| text.lines().nth(1).unwrap().to_owned();
    let scene = Scene::new();
    let hash = line(std::str::from_utf8(&scene.packed.files["consistency/9-66053"]).unwrap());
    let zero = "A".repeat(43) + "=";
    let fork = scene.log.checkpoint(Tree::new(12, SIZE).head(9)).text().as_bytes().to_vec();
    let foreign = Log::new(2, "example.org/log").checkpoint(scene.tree.head(9)).text().as_bytes().to_vec();
    let cases = [
        ("a hash of the proof", scene.packed.clone().with_text("consistency/9-66053", &hash, &zero)),
        ("a hash too few", scene.packed.clone().with_text("consistency/9-66053", &format!("{hash}\n"), "")),
        ("a hash too many", scene.packed.clone().with_text("consistency/9-66053", &hash, &format!("{hash}\n{zero}"))),
        ("a fork that the log signed", scene.packed.clone().with_file("checkpoints/9", fork)),
        ("another key", scene.packed.clone().with_file("checkpoints/9", foreign)),
    ];
    for (what, packed) in cases {
        let (step, error) = Scene::with(|scene| scene.packed = packed).refused();
        assert!(step == AuditStep::Consistency && matches!(error, AuditError::Fragment { .. }), "{what}: {error}");
    }
}

#[test]
fn step_7_a_pin_never_moves_back() {
    let (step, error) = Scene::with(|scene| scene.pins = vec![scene.tree.head(SIZE + 1), scene.tree.head(9)]).refused();
    assert!(matches!(error, AuditError::Pin(PinError::Ahead { pinned: 66_054, size: SIZE })), "{error}");
    assert!(step == AuditStep::Advance && error.is_undecided());
    // A fork is found before that.
    let fork = Tree::new(12, SIZE).head(9);
    let (step, _) = Scene::with(|scene| scene.pins = vec![scene.tree.head(SIZE + 1), fork]).refused();
    assert_eq!(step, AuditStep::Consistency);
}
