//! Policies: what parses, which quorum is met, whose time counts.

use std::fmt::Write as _;

use sealtrace_verdict::UnixTime;

use super::cosignatures::Cosigner;
use super::vectors::{REAL_LOG, REAL_WITNESSES, SPEC_VKEY};
use super::*;

const ORIGIN: &str = "example.org/log";

fn log() -> Log {
    Log::new(1, ORIGIN)
}

fn parse(text: &str) -> Result<TlogPolicy, PolicyError> {
    TlogPolicy::parse(text.as_bytes())
}

/// Log witnesses by host, e.g. `x.example/1`; each has a key of its own.
fn witnesses(names: &[&str]) -> Vec<Cosigner> {
    (10..).zip(names).map(|(fill, name)| Cosigner::new(fill, name)).collect()
}

/// The policy of our log, of these log witnesses under their key names, and of some lines.
fn policy(witnesses: &[Cosigner], lines: &str) -> TlogPolicy {
    let mut text = format!("log {}\n", log().log.note_key().unwrap().vkey());
    for witness in witnesses {
        writeln!(text, "witness {} {}", witness.key.key().name(), witness.key.key().vkey()).unwrap();
    }
    parse(&format!("{text}{lines}")).unwrap()
}

/// A checkpoint, cosigned by some of them at some times.
fn cosigned(by: &[(&Cosigner, u64)]) -> SignedCheckpoint {
    by.iter().fold(log().checkpoint(head(&leaves(5))), |checkpoint, (witness, time)| witness.cosign(&checkpoint, *time))
}

fn met(policy: &TlogPolicy, by: &[&Cosigner]) -> bool {
    let by: Vec<(&Cosigner, u64)> = by.iter().map(|witness| (*witness, 7)).collect();
    policy.check(&cosigned(&by)).is_ok()
}

#[test]
fn the_example_of_the_specification_needs_two_of_three_and_one_of_three() {
    let all = witnesses(&["x.example/1", "x.example/2", "x.example/3", "y.example/1", "y.example/2", "y.example/3"]);
    let policy = policy(
        &all,
        "group X-witnesses 2 x.example/1 x.example/2 x.example/3\n\ngroup Y-witnesses any y.example/1 y.example/2 y.example/3\n\
         group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
    );
    for chosen in 0..64_u32 {
        let by: Vec<&Cosigner> =
            all.iter().enumerate().filter(|(place, _)| chosen & (1 << place) != 0).map(|(_, witness)| witness).collect();
        let expected = (chosen & 7).count_ones() >= 2 && (chosen >> 3).count_ones() >= 1;
        assert_eq!(met(&policy, &by), expected, "{chosen:06b}");
    }
}

#[test]
fn one_operator_with_two_keys_is_not_two_operators() {
    let all = witnesses(&["x.example/1", "x.example/2", "y.example", "z.example"]);
    let [x1, x2, y, z] = all.as_slice() else { panic!() };
    let two = policy(&all, "group q 2 x.example/1 x.example/2 y.example z.example\nquorum q\n");
    assert!(!met(&two, &[x1, x2]) && met(&two, &[x1, y]) && met(&two, &[y, z]) && met(&two, &[x1, x2, y]));
    // Hidden one group further down.
    let nested = policy(&all, "group a any x.example/1 y.example\ngroup b any x.example/2 z.example\ngroup q all a b\nquorum q\n");
    assert!(!met(&nested, &[x1, x2]) && met(&nested, &[x1, z]) && met(&nested, &[y, x2]) && met(&nested, &[x1, x2, y]));
    // Where a group has fewer operators than its threshold, all of them are needed.
    let three = policy(&all, "group q 3 x.example/1 x.example/2 y.example\nquorum q\n");
    assert!(met(&three, &[x1, x2, y]) && !met(&three, &[x1, x2]) && !met(&three, &[x1, y]));
    // Two machines of one site that watch each other are one operator, and the policy says two keys.
    let site = policy(&all, "group q 2 x.example/1 x.example/2\nquorum q\n");
    assert!(met(&site, &[x1, x2]) && !met(&site, &[x1]));
}

#[test]
fn a_group_named_operator_joins_hosts_that_one_operator_runs_and_parts_those_it_does_not() {
    let all = witnesses(&["a.example", "b.example", "shared.example/1", "shared.example/2"]);
    let [a, b, one, two] = all.as_slice() else { panic!() };
    let plain = policy(&all, "group q 2 a.example b.example shared.example/1 shared.example/2\nquorum q\n");
    assert!(met(&plain, &[a, b]) && !met(&plain, &[one, two]));
    let named = policy(
        &all,
        "group operator-acme any a.example b.example\ngroup operator-one any shared.example/1\ngroup operator-two any shared.example/2\n\
         group q 2 operator-acme operator-one operator-two\nquorum q\n",
    );
    assert!(!met(&named, &[a, b]) && met(&named, &[one, two]) && met(&named, &[b, two]));
    let operators: Vec<&str> = named.witnesses().map(|(_, witness)| witness.operator().as_str()).collect();
    assert_eq!(operators, ["acme", "acme", "one", "two"]);
    // The outermost such group counts; it works through other groups.
    let deep = policy(
        &all,
        "group operator-inner any a.example\ngroup g any operator-inner b.example\ngroup operator-outer any g\n\
         group q all operator-outer shared.example/1\nquorum q\n",
    );
    let operators: Vec<&str> = deep.witnesses().map(|(_, witness)| witness.operator().as_str()).collect();
    assert_eq!(operators, ["outer", "outer", "shared.example", "shared.example"]);
}

#[test]
fn the_host_of_a_key_name_is_compared_without_case_and_an_oid_is_whole() {
    let all = witnesses(&["X.example/1", "x.Example/2", "oid/1.2.3", "oid/1.2.4"]);
    let policy = policy(&all, "quorum none\n");
    let operators: Vec<&str> = policy.witnesses().map(|(_, witness)| witness.operator().as_str()).collect();
    assert_eq!(operators, ["x.example", "x.example", "oid/1.2.3", "oid/1.2.4"]);
}

#[test]
fn a_quorum_of_k_has_the_kth_smallest_and_the_kth_largest_time() {
    let all = witnesses(&["a.example", "b.example", "c.example", "d.example"]);
    let times = |lines: &str, at: &[(usize, u64)]| {
        let by: Vec<(&Cosigner, u64)> = at.iter().map(|(place, time)| (&all[*place], *time)).collect();
        let quorum = policy(&all, lines).check(&cosigned(&by)).unwrap();
        (quorum.existed_by().map(UnixTime::seconds), quorum.at_least().map(UnixTime::seconds))
    };
    let group = |k: &str| format!("group q {k} a.example b.example c.example d.example\nquorum q\n");
    let four = [(0, 10), (1, 40), (2, 20), (3, 30)];
    assert_eq!(times(&group("any"), &four), (Some(10), Some(40)));
    assert_eq!(times(&group("2"), &four), (Some(20), Some(30)));
    assert_eq!(times(&group("3"), &four), (Some(30), Some(20)));
    assert_eq!(times(&group("all"), &four), (Some(40), Some(10)));
    // One clock that runs wild moves neither bound of a quorum of two beyond what another states.
    assert_eq!(times(&group("2"), &[(0, 10), (1, 1 << 40), (2, 20)]), (Some(20), Some(20)));
    assert_eq!(times(&group("2"), &[(0, 0), (1, 15), (2, 20)]), (Some(15), Some(15)));
    // A log witness that cosigned twice has its earliest time for the one bound, its latest for the other.
    assert_eq!(times("quorum a.example\n", &[(0, 10), (0, 30), (1, 5)]), (Some(10), Some(30)));
    let nested = "group x any a.example b.example\ngroup q all x c.example\nquorum q\n";
    assert_eq!(times(nested, &[(0, 10), (1, 40), (2, 20)]), (Some(20), Some(20)));
    assert_eq!(times("quorum none\n", &four), (None, None));
}

#[test]
fn a_missed_quorum_says_who_is_missing() {
    let all = witnesses(&["x.example/1", "x.example/2", "y.example"]);
    let policy = policy(&all, "group X all x.example/1 x.example/2\ngroup q all X y.example\nquorum q\n");
    let missed = policy.check(&cosigned(&[(&all[0], 7)])).unwrap_err();
    assert_eq!(missed.to_string(), "quorum is not met: q has 0 of 2 (missing: X, y.example); X has 1 of 2 (missing: x.example/2)");
    let PolicyRefusal::Quorum(missed) = missed else { panic!("{missed}") };
    assert_eq!(missed.short()[1].missing, ["x.example/2"]);
    let one = self::policy(&all, "group q 2 x.example/1 x.example/2 y.example\nquorum q\n");
    let missed = one.check(&cosigned(&[(&all[0], 7), (&all[1], 7)])).unwrap_err();
    assert_eq!(missed.to_string(), "quorum is not met: q has 2 of 2, by 1 of 2 operators (x.example)");
    let single = self::policy(&all, "quorum y.example\n").check(&cosigned(&[])).unwrap_err();
    assert_eq!(single.to_string(), "quorum is not met: y.example has 0 of 1 (missing: y.example)");
}

#[test]
fn the_log_must_be_of_the_policy_and_sign_under_its_own_name() {
    let all = witnesses(&["x.example"]);
    let policy = policy(&all, "quorum none\n");
    let tree = head(&leaves(5));
    let quorum = policy.check(&log().checkpoint(tree)).unwrap();
    assert_eq!((quorum.checkpoint().tree(), quorum.witnesses().len()), (tree, 0));
    let other = log().sign(Checkpoint { origin: "example.org/other".into(), tree, extension: Vec::new() });
    let refused = PolicyRefusal::Origin { expected: ORIGIN.into(), found: "example.org/other".into() };
    assert_eq!(policy.check(&other), Err(refused));
    let stranger = Log::new(2, ORIGIN).checkpoint(tree);
    assert_eq!(policy.check(&stranger), Err(PolicyRefusal::Unsigned { origin: ORIGIN.into() }));
    // A second log of the policy cannot sign for the first.
    let two =
        format!("log {}\nlog {}\nquorum none\n", log().log.note_key().unwrap().vkey(), Log::new(2, "b").log.note_key().unwrap().vkey());
    let two = parse(&two).unwrap();
    let by_b = Log::new(2, "b").sign(Checkpoint { origin: ORIGIN.into(), tree, extension: Vec::new() });
    assert_eq!(two.check(&by_b), Err(PolicyRefusal::Origin { expected: "b".into(), found: ORIGIN.into() }));
    assert!(two.check(&Log::new(2, "b").checkpoint(tree)).is_ok());
}

#[test]
fn a_policy_without_logs_takes_a_checkpoint_whose_log_is_known_otherwise() {
    let witness = Cosigner::new(10, "x.example");
    let policy = parse(&format!("witness x {}\nquorum x\n", witness.key.key().vkey())).unwrap();
    let checkpoint = cosigned(&[(&witness, 7)]);
    assert_eq!(policy.check(&checkpoint), Err(PolicyRefusal::Unsigned { origin: ORIGIN.into() }));
    let opened = checkpoint.open(&log().log.note_key().unwrap()).unwrap();
    assert_eq!(policy.check_opened(&opened).unwrap().witnesses()[0].name(), "x");
    let listed = parse(&format!("log {SPEC_VKEY}\nquorum none\n")).unwrap();
    assert_eq!(listed.check_opened(&opened), Err(PolicyRefusal::Unsigned { origin: ORIGIN.into() }));
}

#[test]
fn a_failing_line_of_a_known_key_rejects_whatever_the_quorum() {
    let all = witnesses(&["x.example", "y.example"]);
    let policy = policy(&all, "group q any x.example y.example\nquorum q\n");
    let good = cosigned(&[(&all[0], 7)]);
    let mut bad = all[1].line(&good, 7);
    bad.signature[20] ^= 1;
    let refused = policy.check(&good.with_signatures(&[bad]).unwrap());
    assert!(matches!(refused, Err(PolicyRefusal::Signature(NoteVerifyError::Signature { .. }))), "{refused:?}");
}

/// Three lines that the wrong ones of the next test follow.
fn defined() -> String {
    format!("log {REAL_LOG}\nwitness a {}\nwitness b {}\n", REAL_WITNESSES[0], REAL_WITNESSES[1])
}

#[test]
fn a_line_that_the_format_does_not_allow_is_refused_and_says_why() {
    let renamed = format!("witness c {}", Cosigner::new(3, "c").key.key().vkey());
    let twin = NoteKey::parse(REAL_LOG).unwrap();
    let twin = NoteKey::of_cosigner(twin.name().clone(), twin.key().clone()).unwrap().vkey();
    let cases = [
        ("logs x", "unknown keyword \"logs\""),
        ("log", "expected log <vkey> [<url>]"),
        ("witness c", "expected witness <name> <vkey> [<url>]"),
        ("group g any", "expected group <name> all|any|<k> <name>..."),
        ("quorum", "expected quorum <name>|none"),
        ("quorum a b", "expected quorum <name>|none"),
        ("log x y z", "expected log <vkey> [<url>]"),
        ("log x", "verifier key shape is malformed"),
        ("a\rb", "contains a control character"),
        (
            &format!("log {}", REAL_WITNESSES[2]),
            "staging.witness.transparency.goog/ring-any-bells is the key of a log witness, not of a log",
        ),
        (&format!("witness c {SPEC_VKEY}"), "example.com/foo is not the key of a log witness (types 0x04 and 0x06)"),
        (&format!("witness c {}", REAL_WITNESSES[0]), "the public key of witness.navigli.sunlight.geomys.org stands in the policy already"),
        (&format!("log {REAL_LOG}"), "the public key of log2025-alpha3.rekor.sigstage.dev stands in the policy already"),
        (&format!("witness c {twin}"), "the public key of log2025-alpha3.rekor.sigstage.dev stands in the policy already"),
        (&renamed.replace("witness c", "witness a"), "the name \"a\" is taken"),
        (&renamed.replace("witness c", "witness none"), "the name \"none\" is taken"),
        ("group a any b", "the name \"a\" is taken"),
        ("group g any c", "\"c\" is not defined by an earlier line"),
        ("group g any g", "\"g\" is not defined by an earlier line"),
        ("group g any none", "\"none\" is not defined by an earlier line"),
        ("group g any a a", "\"a\" is a member already"),
        ("group g any a\ngroup h any a", "\"a\" is a member already"),
        ("group g 0 a b", "threshold \"0\" is not all, any or 1 to 2"),
        ("group g 3 a b", "threshold \"3\" is not all, any or 1 to 2"),
        ("group g 01 a b", "threshold \"01\" is not all, any or 1 to 2"),
        ("group g +1 a b", "threshold \"+1\" is not all, any or 1 to 2"),
        ("group g ALL a b", "threshold \"ALL\" is not all, any or 1 to 2"),
        ("quorum c", "\"c\" is not defined by an earlier line"),
        ("quorum a\nquorum a", "a second quorum line"),
    ];
    for (line, problem) in cases {
        let number = 3 + line.lines().count();
        let error = parse(&format!("{}{line}\n", defined())).unwrap_err();
        assert_eq!(error.to_string(), format!("tlog-policy line {number}: {problem}"), "{line}");
    }
    assert_eq!(parse(&defined()), Err(PolicyError::NoQuorum));
    assert_eq!(parse(""), Err(PolicyError::Cut));
    assert_eq!(parse("quorum none"), Err(PolicyError::Cut));
    assert!(matches!(TlogPolicy::parse(&vec![b'\n'; MAX_POLICY_BYTES + 1]), Err(PolicyError::TooLarge { .. })));
    assert!(matches!(
        TlogPolicy::parse(b"log \xff\nquorum none\n"),
        Err(PolicyError::Line { line: 1, problem: PolicyProblem::KeyEncoding })
    ));
}

#[test]
fn white_space_comments_urls_order_and_opaque_names_are_as_the_format_allows() {
    let mut text = b"\n \t\n# comment\n  # another \xff\n".to_vec();
    text.extend_from_slice(format!("witness \u{e9}\u{2003}x {} https://w.example/\n", REAL_WITNESSES[0]).as_bytes());
    text.extend_from_slice(b"\t group  g\xff \t any  \xc3\xa9\xe2\x80\x83x \n quorum g\xff\n");
    text.extend_from_slice(format!("log {REAL_LOG} https://log.example/ \n").as_bytes());
    let policy = TlogPolicy::parse(&text).unwrap();
    assert_eq!(policy.logs(), [NoteKey::parse(REAL_LOG).unwrap()]);
    let (name, witness) = policy.witnesses().next().unwrap();
    assert_eq!((name, witness.url(), policy.needs_witnesses()), ("\u{e9}\u{2003}x", Some("https://w.example/"), true));
    assert!(!parse("quorum none\n").unwrap().needs_witnesses());
}

/// Lines made of numbers.
fn lines(count: u16, line: impl Fn(u16) -> String) -> String {
    let lines: Vec<String> = (0..count).map(line).collect();
    lines.join("\n")
}

#[test]
fn as_many_logs_witnesses_and_groups_as_recommended_are_taken_and_a_hostile_number_is_not() {
    let vkey = |fill: u16| Cosigner::new(u8::try_from(fill).unwrap(), "w").key.key().vkey();
    let log = |fill: u16| Log::new(u8::try_from(fill + 1).unwrap(), "l").log.note_key().unwrap().vkey();
    let logs = lines(32, |place| format!("log {}", log(place)));
    let witnesses = lines(32, |place| format!("witness w{place} {}", vkey(place)));
    let groups = lines(32, |place| format!("group g{place} any w{place}"));
    assert!(parse(&format!("{logs}\n{witnesses}\n{groups}\nquorum g31\n")).is_ok());
    let chain = lines(511, |place| format!("group g{} any g{place}", place + 1));
    let chained = format!("witness g0 {}\n{chain}\n", vkey(0));
    assert!(parse(&format!("{chained}quorum g511\n")).is_ok());
    let refused = parse(&format!("{chained}group g any g511\nquorum g\n")).unwrap_err();
    assert_eq!(refused.to_string(), "tlog-policy line 513: more than 512 log witnesses and groups");
}

#[test]
fn a_policy_cut_anywhere_is_refused() {
    let text = format!("{}group q all a b\nquorum q\n", defined());
    assert!(parse(&text).is_ok());
    for length in 0..text.len() {
        assert!(TlogPolicy::parse(&text.as_bytes()[..length]).is_err(), "cut at {length}");
    }
}
