//! What a fragment holds, to the file, and what of another shape is refused.

use std::collections::BTreeSet;

use sealtrace_digest::FileSha256;
use sealtrace_tlog::{Fragment, FragmentError, FragmentExtras, FragmentSource, LeafIndex, TileId, TreeSize};
use serde_json::json;

use crate::packed::Packed;
use crate::tree::{Log, Random, Tree};

fn log() -> Log {
    Log::new(1, "example.org/log")
}

/// The formulas of the format, literally, on 128-bit numbers.
fn tiles_by_the_formulas(n: u128, entries: &[u64], pins: &[u64]) -> BTreeSet<String> {
    let power = |level: u32| 256_u128.pow(level);
    let width = |level, size: u128| size / power(level) % 256;
    let name = |level, index: u128| {
        let held = (n / power(level)).saturating_sub(index * 256).min(256);
        TileId { level: u8::try_from(level).unwrap(), index: u64::try_from(index).unwrap(), width: u16::try_from(held).unwrap() }.path()
    };
    let edge: BTreeSet<(u32, u128)> = (0..8).filter(|&level| width(level, n) > 0).map(|level| (level, n / power(level + 1))).collect();
    let mut tiles = edge.clone();
    for &entry in entries {
        tiles.extend(
            (0..8)
                .map(|level| (level, u128::from(entry) / power(level + 1)))
                .take_while(|tile| !edge.contains(tile))
                .filter(|(level, _)| n / power(*level) > 0),
        );
    }
    for &pin in pins {
        let pin = u128::from(pin);
        let lowest = (0..8).find(|&level| width(level, pin) > 0).unwrap();
        tiles.extend(
            (lowest..8)
                .map(|level| (level, pin / power(level + 1)))
                .take_while(|tile| !edge.contains(tile))
                .filter(|(level, _)| n / power(*level) > 0),
        );
    }
    tiles.into_iter().map(|(level, index)| name(level, index)).collect()
}

fn tile_files(packed: &Packed) -> BTreeSet<String> {
    packed.files.keys().filter(|path| path.starts_with("tile/")).cloned().collect()
}

#[test]
fn the_tiles_are_those_of_the_formulas_and_no_others() {
    let (log, tree, mut random) = (log(), Tree::new(3, 140_000), Random(7));
    for size in [2, 256, 257, 65_536, 65_537, 65_792, 131_072, 131_328, 140_000] {
        for _ in 0..4 {
            let (entry, pin) = (random.between(0, size), random.between(1, size));
            for pin in [pin, 1, size - 1, (pin & !0xff).max(1), (pin & !0xffff).max(1)] {
                let packed = Packed::open(&tree.fragment(&log, size, &[entry], &[pin]).unwrap().encode().unwrap());
                let expected = tiles_by_the_formulas(u128::from(size), &[entry], &[pin]);
                assert_eq!(tile_files(&packed), expected, "size {size}, entry {entry}, pin {pin}");
            }
        }
    }
}

#[test]
fn a_pin_whose_middle_level_is_empty_brings_the_tiles_between() {
    // W_1(m) is 0, and tile/1/000 is neither in the right edge nor below another needed tile.
    let edge: Vec<String> = TileId::edge_of(TreeSize(5), TreeSize(4_194_304)).iter().map(TileId::path).collect();
    assert_eq!(edge, ["tile/0/000", "tile/1/000"]);
    let edge: Vec<String> = TileId::edge_of(TreeSize(65_541), TreeSize(4_194_304)).iter().map(TileId::path).collect();
    assert_eq!(edge, ["tile/0/256", "tile/1/001"]);
    let edge: Vec<String> = TileId::edge_of(TreeSize(512), TreeSize(4_194_304)).iter().map(TileId::path).collect();
    assert_eq!(edge, ["tile/1/000"]);
    assert!(TileId::edge_of(TreeSize(1 << 16), TreeSize(4_194_304)).is_empty());
    for size in [1, u64::MAX - 1, u64::MAX] {
        assert!(TileId::edge_of(TreeSize(size), TreeSize(u64::MAX)).len() <= 8);
    }
}

#[test]
fn every_file_has_its_path_and_its_exact_bytes() {
    let (log, tree) = (log(), Tree::new(3, 600));
    let packed = Packed::open(&tree.fragment(&log, 600, &[7, 599], &[5, 300]).unwrap().encode().unwrap());
    assert_eq!(packed.folder, FileSha256::of(b"example.org/log").hex());
    let names: Vec<_> = packed.files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "checkpoint",
            "checkpoints/300",
            "checkpoints/5",
            "consistency/300-600",
            "consistency/5-600",
            "entry/599",
            "entry/7",
            "fragment.json",
            "proof/599.tlog-proof",
            "proof/7.tlog-proof",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/88",
            "tile/1/000.p/2"
        ]
    );
    let text = |path: &str| String::from_utf8(packed.files[path].clone()).unwrap();
    let newest = log.checkpoint(tree.head(600));
    assert_eq!(text("checkpoint"), newest.text());
    assert_eq!(text("checkpoints/300"), log.checkpoint(tree.head(300)).text());
    let body = text("consistency/300-600");
    let (head, checkpoint) = body.split_once("\n\n").unwrap();
    assert_eq!(checkpoint, newest.text());
    assert!(head.starts_with("old 300\n"), "{head}");
    assert!(head.lines().skip(1).all(|line| line.len() == 44) && head.lines().count() > 3);
    let listing = packed.listing();
    assert_eq!(listing["pins"], json!([5, 300]));
    assert_eq!(listing["entries"], json!([7, 599]));
    assert_eq!(packed.files["entry/7"], tree.entry(7));
}

#[test]
fn a_fragment_without_pins_has_the_bytes_it_always_had() {
    let log = log();
    let golden = [
        (1, vec![0], "be500417c78d6cb3faf6063822ba85823170d153259f785767190acabb660648"),
        (257, vec![0, 256], "7db5608aa13b34f4e40fdbc8396b4be2a3c563fb123b236007d3177705d7d6b9"),
        (66_000, vec![7, 65_999], "ccc8c28a92e0aa76213957ca52a7c46ba4e28b4f22c0b91363954f16f9ee6a6e"),
    ];
    for (size, shown, digest) in golden {
        let entry = |index: u64| format!("entry {index}").into_bytes();
        let leaves: Vec<_> = (0..size).map(|index| sealtrace_tlog::LeafHash::of(&entry(index))).collect();
        let tiles = sealtrace_tlog::tiles_of_leaves(&leaves);
        let head = sealtrace_tlog::TreeHead { size: TreeSize(size), root: sealtrace_tlog::root_of_leaves(&leaves) };
        let entries = shown.into_iter().map(|index| (LeafIndex(index), entry(index))).collect();
        let source =
            FragmentSource { log: &log.log, checkpoint: &log.checkpoint(head), entries: &entries, tile: &|id| tiles.get(id).cloned() };
        let bytes = Fragment::build(&source).unwrap().encode().unwrap();
        assert_eq!(FileSha256::of(&bytes).hex(), digest, "size {size}");
        assert_eq!(Fragment::parse(&bytes).unwrap().verify(&log.log).unwrap().pins().count(), 0);
    }
}

#[test]
fn a_fragment_with_pins_round_trips_and_proves_them() {
    let (log, tree) = (log(), Tree::new(3, 66_000));
    let pins = [1, 255, 256, 257, 512, 65_536, 65_541, 65_999];
    let bytes = tree.fragment(&log, 66_000, &[7], &pins).unwrap().encode().unwrap();
    let parsed = Fragment::parse(&bytes).unwrap();
    assert_eq!(parsed.encode().unwrap(), bytes);
    let verified = parsed.verify(&log.log).unwrap();
    assert_eq!(verified.pins().collect::<Vec<_>>(), pins.map(|pin| tree.head(pin)));
    for pin in pins {
        assert_eq!(verified.pin(TreeSize(pin)).unwrap().proof, verified.consistency_with(&tree.head(pin)).unwrap());
    }
    assert!(verified.bundled_entry(LeafIndex(7)).is_none());
}

fn with_bundles(log: &Log, tree: &Tree, size: u64, shown: &[u64]) -> Vec<u8> {
    let (checkpoint, entries) = (log.checkpoint(tree.head(size)), tree.entries(shown));
    let source = FragmentSource { log: &log.log, checkpoint: &checkpoint, entries: &entries, tile: &|id| tree.tile(id) };
    let read = |id: &TileId| Some(tree.bundle(id));
    Fragment::build_with(&source, &FragmentExtras { pins: &[], entry_bundles: Some(&read) }).unwrap().encode().unwrap()
}

#[test]
fn entry_bundles_are_carried_whole_and_every_entry_in_them_is_authenticated() {
    let (log, tree) = (log(), Tree::new(3, 600));
    let bytes = with_bundles(&log, &tree, 600, &[7, 599]);
    let packed = Packed::open(&bytes);
    let bundles: Vec<_> = packed.files.keys().filter(|path| path.starts_with("tile/entries/")).cloned().collect();
    assert_eq!(bundles, ["tile/entries/000", "tile/entries/002.p/88"]);
    let verified = Fragment::parse(&bytes).unwrap().verify(&log.log).unwrap();
    for index in (0..256).chain(512..600) {
        assert_eq!(verified.bundled_entry(LeafIndex(index)).unwrap(), tree.entry(index));
    }
    assert!(verified.bundled_entry(LeafIndex(256)).is_none() && verified.bundled_entry(LeafIndex(600)).is_none());
    // A neighbour that nobody asked for is authenticated as well.
    let forged = packed.clone().with_text("tile/entries/000", "entry 9 of", "entry 8 of").tar();
    let refused = Fragment::parse(&forged).unwrap().verify(&log.log);
    assert!(matches!(refused, Err(FragmentError::Leaf { .. })), "{refused:?}");
    // One without the other, and one too many.
    assert!(Fragment::parse(&packed.clone().without("tile/entries/000").tar()).is_err());
    assert!(Fragment::parse(&packed.with_file("tile/entries/001", Vec::new()).tar()).is_err());
}

#[test]
fn what_is_malformed_contradicts_or_is_not_called_for_is_refused() {
    let (log, tree) = (log(), Tree::new(3, 600));
    let good = Packed::open(&tree.fragment(&log, 600, &[7], &[5, 300]).unwrap().encode().unwrap());
    assert!(Fragment::parse(&good.tar()).is_ok());
    let older = good.files["checkpoints/5"].clone();
    let cases = [
        ("a pin of size 0", good.clone().with_field("pins", json!([0, 5, 300]))),
        ("pins in another order", good.clone().with_field("pins", json!([300, 5]))),
        ("a pin twice", good.clone().with_field("pins", json!([5, 5, 300]))),
        ("a pin as large as the tree", good.clone().with_field("pins", json!([5, 300, 600]))),
        ("too many pins", good.clone().with_field("pins", (1..1026).collect())),
        ("a pin without files", good.clone().with_field("pins", json!([5, 6, 300]))),
        ("files without a pin", good.clone().with_field("pins", json!([5]))),
        ("no checkpoint of a pin", good.clone().without("checkpoints/5")),
        ("no consistency file of a pin", good.clone().without("consistency/5-600")),
        ("another pin's checkpoint", good.clone().with_file("checkpoints/300", older)),
        ("another pin's proof", good.clone().with_text("consistency/5-600", "old 5", "old 6")),
        ("another checkpoint in the proof", good.clone().with_text("consistency/5-600", "\n600\n", "\n601\n")),
        ("a hash that is none", good.clone().with_text("consistency/5-600", "old 5\n", "old 5\nAAAA\n")),
        ("a proof that is not text", good.clone().with_file("consistency/5-600", vec![0xff; 64])),
        ("a missing tile", good.clone().without("tile/0/000")),
        ("a tile cut short", good.clone().with_file("tile/0/000", vec![0; 8160])),
        ("a tile of another width", good.clone().with_file("tile/0/000.p/10", vec![0; 320])),
        ("a tile of another entry", good.clone().with_file("tile/1/000", vec![0; 8192])),
        ("an entry too long", good.clone().with_file("entry/7", vec![0; 65_536])),
        ("a file outside the format", good.clone().with_file("readme", Vec::new())),
        ("version 2", good.clone().with_field("version", json!(2))),
        ("another folder", Packed { folder: "0".repeat(64), ..good.clone() }),
    ];
    for (what, changed) in cases {
        assert!(Fragment::parse(&changed.tar()).is_err(), "{what} was accepted");
    }
    assert!(matches!(Fragment::parse(&vec![0; (64 << 20) + 1]), Err(FragmentError::Archive(_))));
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let (log, tree) = (log(), Tree::new(3, 600));
    for pins in [vec![0], vec![600], vec![5, 5]] {
        assert!(tree.fragment(&log, 600, &[7], &pins).is_err(), "{pins:?}");
    }
    assert!(tree.fragment(&log, 600, &[600], &[]).is_err());
    let many: Vec<_> = (1..=1025).map(|_| 5).collect();
    assert!(matches!(tree.fragment(&log, 600, &[7], &many), Err(FragmentError::Limit { what: "pins", .. })));
    let (checkpoint, entries) = (log.checkpoint(tree.head(600)), tree.entries(&[7]));
    let source = FragmentSource { log: &log.log, checkpoint: &checkpoint, entries: &entries, tile: &|id| tree.tile(id) };
    let fork = [log.checkpoint(Tree::new(4, 300).head(300))];
    let foreign = [Log::new(2, "example.org/log").checkpoint(tree.head(300))];
    for pins in [&fork, &foreign] {
        assert!(Fragment::build_with(&source, &FragmentExtras { pins, entry_bundles: None }).is_err());
    }
    let short = |_: &TileId| Some(Vec::new());
    assert!(Fragment::build_with(&source, &FragmentExtras { pins: &[], entry_bundles: Some(&short) }).is_err());
}
