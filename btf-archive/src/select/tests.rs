use sealtrace_digest::FileSha256;
use sealtrace_symbols::BtfSource;

use super::*;

fn kernel(text: &str) -> KernelTuple {
    let mut parts = text.split('/').map(ToOwned::to_owned);
    let mut part = || parts.next().unwrap();
    KernelTuple { distro: part(), version: part(), arch: part(), release: part() }
}

fn candidate(text: &str, build_id: Option<&str>) -> Candidate {
    let provenance = build_id.map(|id| BtfProvenance {
        source_kind: BtfSource::Vmlinux,
        source_sha256: FileSha256::of(text.as_bytes()),
        kernel_build_id: Some(id.to_owned()),
        minimised_for: None,
    });
    Candidate { kernel: kernel(text), sha256: BlobDigest::of(text.as_bytes()), bytes: 1, provenance }
}

fn identity(build_id: Option<&str>, tuple: Option<&str>) -> KernelIdentity {
    KernelIdentity { build_id: build_id.map(ToOwned::to_owned), tuple: tuple.map(kernel) }
}

const A: &str = "debian/12/x86_64/6.1.0-18-amd64";
const B: &str = "debian/12/x86_64/6.1.0-19-amd64";

#[test]
fn the_build_id_decides_and_without_one_the_exact_tuple() {
    let candidates = [candidate(A, Some("aa")), candidate(B, None)];
    for (build_id, tuple, chosen, key) in [
        (Some("aa"), None, A, Key::BuildId),
        (Some("aa"), Some(A), A, Key::BuildId),
        (None, Some(A), A, Key::Tuple),
        (None, Some(B), B, Key::Tuple),
        (Some("bb"), Some(B), B, Key::Tuple),
    ] {
        let found = select(&candidates, &identity(build_id, tuple)).unwrap();
        assert_eq!((found.candidate.kernel.to_string().as_str(), found.key), (chosen, key), "{build_id:?} {tuple:?}");
        assert_eq!(found.steps.iter().map(|step| step.step.as_str()).collect::<Vec<_>>(), ["build-id", "tuple"]);
    }
}

#[test]
fn nothing_is_chosen_by_a_part_of_a_key() {
    let candidates = [candidate(A, Some("aabb")), candidate(B, None)];
    for (build_id, tuple) in [
        (Some("aa"), None),
        (None, Some("debian/12/x86_64/6.1.0-18-amd64x")),
        (None, Some("debian/12/arm64/6.1.0-18-amd64")),
        (None, Some("debian/12.1/x86_64/6.1.0-18-amd64")),
        (None, Some("Debian/12/x86_64/6.1.0-18-amd64")),
        (None, None),
    ] {
        let error = select(&candidates, &identity(build_id, tuple)).unwrap_err();
        assert!(matches!(error.fault, SelectFault::None { candidates: 2, .. }), "{error:?}");
        assert_eq!(error.steps.len(), 2);
        for key in [build_id, tuple].into_iter().flatten() {
            assert!(error.to_string().contains(key), "{error}");
        }
    }
    assert!(select(&[], &identity(Some("aa"), Some(A))).is_err());
}

#[test]
fn keys_that_disagree_choose_nothing_and_both_values_are_named() {
    let candidates = [candidate(A, Some("aa")), candidate(B, Some("bb"))];
    let error = select(&candidates, &identity(Some("aa"), Some(B))).unwrap_err();
    assert!(matches!(&error.fault, SelectFault::Disagree { what: "tuple", expected, found, .. } if expected == B && found == A), "{error}");
    let error = select(&candidates, &identity(Some("cc"), Some(B))).unwrap_err();
    assert!(
        matches!(&error.fault, SelectFault::Disagree { what: "build-id", expected, found, .. } if expected == "cc" && found == "bb"),
        "{error}"
    );
}

#[test]
fn two_candidates_for_one_key_choose_nothing() {
    let twins = [candidate(A, Some("aa")), candidate(B, Some("aa"))];
    assert!(
        matches!(select(&twins, &identity(Some("aa"), Some(A))).unwrap_err().fault, SelectFault::Several { kernels, .. } if kernels == [A, B])
    );
    let same = [candidate(A, None), candidate(A, None)];
    assert!(matches!(select(&same, &identity(None, Some(A))).unwrap_err().fault, SelectFault::Several { .. }));
}
