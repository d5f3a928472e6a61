//! Trees against the naive model and known vectors; notes, checkpoints, tiles and fragments against every flipped byte.
#![expect(clippy::as_conversions, reason = "counts of test data are small")]

use std::collections::BTreeMap;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sealtrace_envelope::PublicKey;

use super::*;

mod cosignatures;
mod interop;
mod note_keys;
mod policies;
mod proofs;
mod real;
mod vectors;
mod witnessing;

fn leaves(count: usize) -> Vec<LeafHash> {
    (0..count).map(|index| LeafHash::of(format!("entry {index}").as_bytes())).collect()
}

fn reader(leaves: &[LeafHash]) -> TileReader {
    let mut reader = TileReader::new();
    for (id, hashes) in tiles_of_leaves(leaves) {
        reader.insert(id.level, id.index, hashes);
    }
    reader
}

fn head(leaves: &[LeafHash]) -> TreeHead {
    TreeHead { size: TreeSize(leaves.len() as u64), root: root_of_leaves(leaves) }
}

struct Log {
    key: SigningKey,
    log: LogKey,
}

impl Log {
    fn new(scalar: u8, origin: &str) -> Self {
        let key = SigningKey::from_slice(&[scalar; 32]).unwrap();
        let public = PublicKey::from_verifying_key(*key.verifying_key()).unwrap();
        Self { key, log: LogKey { origin: Origin::parse(origin).unwrap(), key: public } }
    }

    fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let signature: DerSignature = self.key.sign(checkpoint.text().as_bytes());
        SignedCheckpoint::assemble(checkpoint, &self.log, signature.as_bytes().to_vec())
    }

    fn checkpoint(&self, tree: TreeHead) -> SignedCheckpoint {
        self.sign(Checkpoint { origin: self.log.origin.as_str().to_owned(), tree, extension: Vec::new() })
    }
}

#[test]
fn roots_are_those_of_the_certificate_transparency_vectors() {
    let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let leaves: Vec<LeafHash> = entries.iter().map(|entry| LeafHash::of(&hex::decode(entry).unwrap())).collect();
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(root_of_leaves(&leaves[..size]).hex(), *root, "size {size}");
        let reader = reader(&leaves[..size]);
        assert_eq!(root_of(TreeSize(size as u64), &|at| reader.node(at)).unwrap().hex(), *root, "size {size} from tiles");
    }
}

#[test]
fn every_inclusion_proof_up_to_70_holds_for_its_place_and_no_other() {
    for size in 1..70 {
        let leaves = leaves(size);
        let (reader, tree) = (reader(&leaves), head(&leaves));
        for (index, &leaf) in leaves.iter().enumerate() {
            let index = LeafIndex(index as u64);
            let proof = inclusion_proof(index, tree.size, &|at| reader.node(at)).unwrap();
            assert_eq!(verify_inclusion(leaf, index, &tree, &proof), Ok(()));
            assert!(verify_inclusion(LeafHash::of(b"other"), index, &tree, &proof).is_err());
            for other in 0..=tree.size.0 {
                assert_eq!(
                    verify_inclusion(leaf, LeafIndex(other), &tree, &proof).is_ok(),
                    other == index.0,
                    "{index} as {other} of {size}"
                );
            }
            for cut in 0..proof.len() {
                assert!(verify_inclusion(leaf, index, &tree, &proof[..cut]).is_err());
                let mut changed = proof.clone();
                changed[cut] = NodeHash::from_bytes([0; 32]);
                assert!(verify_inclusion(leaf, index, &tree, &changed).is_err());
            }
            let longer = [proof.as_slice(), &[NodeHash::from_bytes([0; 32])]].concat();
            assert!(verify_inclusion(leaf, index, &tree, &longer).is_err());
        }
    }
}

#[test]
fn every_consistency_proof_up_to_70_holds_for_its_sizes_and_no_other_tree() {
    let all = leaves(70);
    let mut fork = all.clone();
    fork[0] = LeafHash::of(b"rewritten");
    let reader = reader(&all);
    for newer in 1..=70_usize {
        let newer_head = head(&all[..newer]);
        for older in 1..=newer {
            let older_head = head(&all[..older]);
            let proof = consistency_proof(older_head.size, newer_head.size, &|at| reader.node(at)).unwrap();
            assert_eq!(verify_consistency(&older_head, &newer_head, &proof), Ok(()), "{older} to {newer}");
            assert!(verify_consistency(&head(&fork[..older]), &newer_head, &proof).is_err());
            assert!(verify_consistency(&older_head, &head(&fork[..newer]), &proof).is_err());
            if older < newer {
                assert!(verify_consistency(&newer_head, &older_head, &proof).is_err());
                let longer = [proof.as_slice(), &[NodeHash::from_bytes([0; 32])]].concat();
                assert!(verify_consistency(&older_head, &newer_head, &longer).is_err());
                assert!(verify_consistency(&older_head, &newer_head, &proof[..proof.len() - 1]).is_err());
            }
        }
    }
    let empty = TreeHead { size: TreeSize(0), root: RootHash::empty() };
    assert_eq!(verify_consistency(&empty, &head(&all), &[]), Ok(()));
}

#[test]
fn tile_paths_and_widths_are_those_of_c2sp() {
    let path = |level, index, width| TileId { level, index, width }.path();
    assert_eq!(path(0, 0, 256), "tile/0/000");
    assert_eq!(path(1, 1_234_067, 256), "tile/1/x001/x234/067");
    assert_eq!(path(0, 1234, 5), "tile/0/x001/234.p/5");
    assert_eq!(TileId { level: 0, index: 2, width: 9 }.entries_path(), "tile/entries/002.p/9");
    // The example of C2SP tlog-tiles: a tree of 70,000 entries.
    let size = TreeSize(70_000);
    let edge: Vec<String> = TileId::right_edge(size).iter().map(TileId::path).collect();
    assert_eq!(edge, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    let path: Vec<String> = TileId::path_of(LeafIndex(1000), size).iter().map(TileId::path).collect();
    assert_eq!(path, ["tile/0/003", "tile/1/000"]);
    assert!(TileId::path_of(LeafIndex(69_999), size).is_empty());
}

#[test]
fn an_entry_bundle_round_trips_and_every_cut_is_refused() {
    let entries = [b"one".to_vec(), Vec::new(), vec![7; 65_535]];
    let bytes = entry_bundle(&entries).unwrap();
    assert_eq!(parse_entry_bundle(&bytes, 3).unwrap(), entries);
    assert!(parse_entry_bundle(&bytes, 2).is_err() && parse_entry_bundle(&bytes, 4).is_err());
    assert!([0, 1, 4, 6, bytes.len() - 1].iter().all(|&cut| parse_entry_bundle(&bytes[..cut], 3).is_err()));
    assert!(entry_bundle(&[vec![0; 65_536]]).is_err());
    assert!(parse_tile(&[0; 63], 2).is_none() && parse_tile(&[0; 64], 2).is_some());
}

/// A checkpoint of `rekor2-dsse-happy-path` of sigstore-conformance, with three cosignatures.
const REAL: &str = "log2025-alpha3.rekor.sigstage.dev\n4026479\n5iaX4xK6PMnp4ZFTP4iywMcwLgaTjzgRTkrTOUFIrfY=\n\n\
    — log2025-alpha3.rekor.sigstage.dev 09OnDHwVrKeXjBYQ4NJ5EoENdtpBwZcV3X8n+cAZFIk+8LBPKEpZcKqoN2CfjGw0zlQwt+U2pLt5UyYEFv+STPHPmQg=\n\
    — witness.stagemole.eu Z/euoAAAAABqBM+21mV7JbHwWmLP20ZSpNWneHMkITOPopt+Vj1MoJSILqOIPpx93pbRfA0U+Eq5IiJjEUhG1JwGhPCJEUT5yDcFDg==\n\
    — staging.witness.transparency.goog/ring-any-bells LhqNyQAAAABqBM+2Ob9EtpF9h6IUMXc/LTRkkXiNAgbbohBxHekby1oASdDtPLkgZLmBHH73DF25f2L8xGgp/qVwoZK5thKXc6XnCw==\n\
    — witness.navigli.sunlight.geomys.org o+AP4gAAAABqBM+2NoYlK4g3lkC5QltDB6f2F9U8yF6+8kXKjLKHAYvSDJ3u5dZufSU3bz+AtJMdOoMixoFJBkQ397WY/mE0i9tlCg==\n";

#[test]
fn a_real_cosigned_checkpoint_parses_and_is_not_ours() {
    let signed = SignedCheckpoint::parse(REAL).unwrap();
    assert_eq!(signed.checkpoint().tree.size, TreeSize(4_026_479));
    assert_eq!(Note::parse(REAL).unwrap().signatures.len(), 4);
    assert_eq!(Note::parse(REAL).unwrap().encode(), REAL);
    let log = Log::new(1, "log2025-alpha3.rekor.sigstage.dev");
    assert!(matches!(signed.verify(&log.log), Err(CheckpointError::Unsigned { .. })));
}

#[test]
fn no_flipped_bit_of_a_checkpoint_verifies_under_the_same_text() {
    let log = Log::new(1, "example.org/log");
    let signed = log.checkpoint(head(&leaves(5)));
    assert_eq!(signed.verify(&log.log), Ok(()));
    assert_eq!(SignedCheckpoint::parse(signed.text()).unwrap(), signed);
    let bytes = signed.text().as_bytes();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[position] ^= 1 << bit;
            let verified = SignedCheckpoint::parse_bytes(&changed).and_then(|changed| changed.verify(&log.log));
            assert!(verified.is_err(), "byte {position} bit {bit}");
        }
        assert!(SignedCheckpoint::parse_bytes(&bytes[..position]).is_err(), "cut at {position}");
    }
}

#[test]
fn unknown_keys_are_ignored_sixteen_at_least_and_a_bad_line_of_the_known_key_rejects() {
    let log = Log::new(1, "example.org/log");
    let signed = log.checkpoint(head(&leaves(5)));
    let mut note = Note::parse(signed.text()).unwrap();
    for index in 0..20 {
        note.signatures.insert(
            0,
            NoteSignature {
                name: KeyName::parse(&format!("witness{index}")).unwrap(),
                key_id: NoteKeyId::from_bytes([1; 4]),
                signature: vec![9; 72],
            },
        );
    }
    let cosigned = SignedCheckpoint::parse(&note.encode()).unwrap();
    assert_eq!(cosigned.verify(&log.log), Ok(()));
    let good = note.signatures.last().unwrap().clone();
    note.signatures.push(NoteSignature { signature: vec![9; 72], ..good.clone() });
    assert!(matches!(SignedCheckpoint::parse(&note.encode()).unwrap().verify(&log.log), Err(CheckpointError::Signature { .. })));
    note.signatures = vec![good; 65];
    assert_eq!(Note::parse(&note.encode()), Err(NoteError::TooManySignatures));
}

#[test]
fn extension_lines_are_tolerated_and_malformed_lines_are_not() {
    let log = Log::new(1, "example.org/log");
    let checkpoint =
        Checkpoint { origin: "example.org/log".into(), tree: head(&leaves(5)), extension: vec!["more".into(), "lines".into()] };
    assert_eq!(log.sign(checkpoint).verify(&log.log), Ok(()));
    let text = log.checkpoint(head(&leaves(5))).text().to_owned();
    for (from, to) in
        [("\n5\n", "\n05\n"), ("\n5\n", "\n+5\n"), ("\n5\n", "\n\n5\n"), ("=\n\n", "\n\n"), ("— ", "- "), ("example.org/log\n5", "\n5")]
    {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from:?}");
        assert!(SignedCheckpoint::parse(&changed).is_err(), "{from:?} → {to:?} was accepted");
    }
    for origin in ["", "a b", "a+b", "https://a", "ä", "a\nb"] {
        assert!(Origin::parse(origin).is_err(), "{origin:?} was accepted");
    }
}

#[test]
fn a_proof_file_round_trips_and_malformed_ones_are_refused() {
    let proof = ProofFile { index: LeafIndex(5), hashes: vec![NodeHash::from_bytes([1; 32])], checkpoint: "a\n1\nb\n".into() };
    let bytes = proof.encode();
    assert_eq!(ProofFile::parse(&bytes).unwrap(), proof);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text, "c2sp.org/tlog-proof@v1\nindex 5\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\na\n1\nb\n");
    for (from, to) in [("@v1", "@v2"), ("index 5", "index 05"), ("index 5", "idx 5"), ("AQ", "A"), ("\n\n", "\n")] {
        assert!(ProofFile::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{from:?} → {to:?} was accepted");
    }
    let too_many = ProofFile { hashes: vec![NodeHash::from_bytes([1; 32]); 64], ..proof };
    assert!(ProofFile::parse(&too_many.encode()).is_err());
}

fn fragment(log: &Log, size: usize, shown: &[u64]) -> Fragment {
    let leaves = leaves(size);
    let tiles = tiles_of_leaves(&leaves);
    let entries: BTreeMap<LeafIndex, Vec<u8>> =
        shown.iter().map(|&index| (LeafIndex(index), format!("entry {index}").into_bytes())).collect();
    let checkpoint = log.checkpoint(head(&leaves));
    let tile = |id: &TileId| tiles.get(id).cloned();
    Fragment::build(&FragmentSource { log: &log.log, checkpoint: &checkpoint, entries: &entries, tile: &tile }).unwrap()
}

#[test]
fn a_fragment_round_trips_at_every_shape_of_tree() {
    let log = Log::new(1, "example.org/log");
    for (size, shown) in
        [(1, vec![0]), (255, vec![3]), (256, vec![0, 255]), (257, vec![0, 256]), (600, vec![0, 300, 599]), (66_000, vec![7, 65_999])]
    {
        let built = fragment(&log, size, &shown);
        let bytes = built.encode().unwrap();
        let parsed = Fragment::parse(&bytes).unwrap();
        assert_eq!(parsed.encode().unwrap(), bytes);
        let verified = parsed.verify(&log.log).unwrap();
        assert_eq!(verified.tree().size, TreeSize(size as u64));
        for &index in &shown {
            assert_eq!(verified.entry(LeafIndex(index)).unwrap().body, format!("entry {index}").into_bytes());
        }
    }
}

#[test]
fn every_flipped_byte_of_a_fragments_tar_is_refused() {
    let log = Log::new(1, "example.org/log");
    let bytes = fragment(&log, 300, &[0, 299]).encode().unwrap();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        assert!(Fragment::parse(&changed).and_then(|parsed| parsed.verify(&log.log)).is_err(), "byte {position}");
    }
    for length in (0..bytes.len()).step_by(61) {
        assert!(Fragment::parse(&bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn one_changed_byte_in_any_tile_is_refused_even_when_the_listing_is_made_to_fit() {
    let log = Log::new(1, "example.org/log");
    let good = fragment(&log, 66_000, &[7, 300, 65_999]);
    for (id, hashes) in good.tiles_for_tests() {
        for position in 0..hashes.len() {
            let mut changed = hashes.clone();
            let mut bytes = *changed[position].as_bytes();
            bytes[position % 32] ^= 1;
            changed[position] = NodeHash::from_bytes(bytes);
            let relisted = good.with_tile_for_tests(id, changed).encode().unwrap();
            let refused = Fragment::parse(&relisted).unwrap().verify(&log.log);
            assert!(matches!(refused, Err(FragmentError::Tile { .. })), "{} hash {position}", id.path());
        }
    }
}

#[test]
fn a_fragment_of_another_log_or_with_another_entry_is_refused() {
    let (log, other) = (Log::new(1, "example.org/log"), Log::new(2, "example.org/log"));
    let good = fragment(&log, 300, &[5]);
    assert!(good.verify(&other.log).is_err());
    assert!(good.verify(&Log::new(1, "example.org/other").log).is_err());
    let swapped = good.with_entry_for_tests(5, b"entry 6".to_vec()).encode().unwrap();
    assert!(matches!(Fragment::parse(&swapped).unwrap().verify(&log.log), Err(FragmentError::Leaf { .. })));
}
