//! The private instance of `testdata/instance`: ours is right on every row; where a peer is not, the difference is known by name.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use sealtrace_instance::{Expected, WrittenCase};

use crate::peers::{self, Peer};
use crate::{Said, digest_of, known, ours, trace_verify};

/// The cases, written once, and the folder that holds them.
fn instance() -> &'static (tempfile::TempDir, Vec<WrittenCase>) {
    static INSTANCE: OnceLock<(tempfile::TempDir, Vec<WrittenCase>)> = OnceLock::new();
    INSTANCE.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let cases = sealtrace_instance::write(folder.path()).unwrap();
        (folder, cases)
    })
}

fn verify(case: &WrittenCase) -> (Said, String) {
    let mut command = trace_verify();
    command.arg("--bundle").arg(&case.bundle).arg("--trusted-root").arg(&case.trusted_root);
    match &case.key {
        Some(key) => command.arg("--key").arg(key),
        None => command.args(["--certificate-identity", case.identity, "--certificate-oidc-issuer", case.issuer]),
    };
    ours(command.arg(&case.artifact))
}

fn expected(case: &WrittenCase) -> Said {
    match case.expected {
        Expected::Accept => Said::Accept,
        Expected::Reject => Said::Reject,
    }
}

/// One word of the table; a star where it is not what is right.
fn word(said: Said, right: Said) -> String {
    let word = match said {
        Said::Accept => "accept",
        Said::Reject => "reject",
        Said::Unsupported => return "-".to_owned(),
        Said::NoVerdict => "none",
    };
    format!("{word}{}", if said == right { "" } else { "*" })
}

/// The aligned table: a row for each case, a column for each verifier, what the case shows.
fn table(cases: &[WrittenCase], columns: &[Peer]) -> String {
    let mut text = format!("{:<38} {:<8}", "case", "expected");
    text.extend(columns.iter().map(|column| format!(" {:<8}", column.name)));
    for case in cases {
        let right = expected(case);
        text.push_str(&format!("\n{:<38} {:<8}", case.name, case.expected.word()));
        text.extend(columns.iter().map(|column| format!(" {:<8}", word(column.said(case), right))));
        text.push_str(&format!(" {}", case.why));
    }
    text
}

impl Peer {
    fn said(&self, case: &WrittenCase) -> Said {
        self.outcomes.get(case.name).map_or(Said::NoVerdict, |(said, _)| *said)
    }

    /// The names of the cases on which this verifier is not right, though it has a notion of them.
    fn differs<'cases>(&self, cases: &'cases [WrittenCase]) -> BTreeSet<&'cases str> {
        let wrong = |case: &&WrittenCase| !matches!(self.said(case), Said::Unsupported) && self.said(case) != expected(case);
        cases.iter().filter(wrong).map(|case| case.name).collect()
    }
}

#[test]
fn interop_every_verdict_on_the_private_instance_is_right_and_every_peers_difference_is_known() {
    let (folder, cases) = instance();
    let ours = Peer { name: "ours", outcomes: cases.iter().map(|case| (case.name.to_owned(), verify(case))).collect() };
    let mut columns = vec![ours];
    columns.extend(peers::all(folder.path(), cases));
    eprintln!("{}", table(cases, &columns));
    let mut wrong = Vec::new();
    for column in &columns {
        let (differs, known) = (column.differs(cases), known::differences(column.name));
        for name in differs.symmetric_difference(&known) {
            let (said, why) = &column.outcomes[*name];
            wrong.push(format!("{}: {name}: {said:?}{}: {why}", column.name, if known.contains(name) { ", no longer different" } else { "" }));
        }
        let of = |right: Expected| cases.iter().filter(|case| case.expected == right && differs.contains(case.name)).count();
        eprintln!("{}: refuses {} honest cases, accepts {} broken ones", column.name, of(Expected::Accept), of(Expected::Reject));
    }
    assert!(wrong.is_empty(), "{} outcomes are neither right nor known:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_digest_in_place_of_the_artifact_gives_the_same_verdict() {
    let (_, cases) = instance();
    for case in cases.iter().filter(|case| !case.name.contains("p384") && !case.name.contains("ed25519")) {
        let digest = digest_of(&case.artifact);
        let by_digest = WrittenCase { artifact: Path::new(&digest).to_owned(), ..case.clone() };
        let (said, why) = verify(&by_digest);
        assert_eq!(said, expected(case), "{}: {why}", case.name);
    }
}

#[test]
fn the_known_differences_name_cases_that_exist_and_say_why_where_good_evidence_is_refused() {
    let (_, cases) = instance();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    for peer in known::PEERS {
        for name in known::differences(peer) {
            assert!(names.contains(name), "{peer} differs on {name}, which is no case");
        }
    }
    assert_eq!(known::differences("ours"), BTreeSet::new(), "we are right on every case");
}
