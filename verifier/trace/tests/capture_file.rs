//! Reading a capture: strict, bounded, never a panic; every check with a capture in which only that check is broken.

use sealtrace_trace::{Capture, CaptureError, MAX_MAPS, MAX_REGIONS};

const HEADER: &str = r#"{"backend":"ptrace","btfSource":{"selectionReason":"none needed","sha256":null,"sourceKind":"none","sourcePath":null},"captureVersion":0,"capturedAt":"2026-01-01T00:00:00Z","host":{"arch":"x86_64","bootIdHash":null,"kernelRelease":"6.1","osRelease":"debian 12"},"libc":{"variant":"glibc","version":"2.36"},"loss":{"delivered":3,"filtered":0,"kernelHits":4,"rateLimited":0,"ringLost":1},"mainModule":null,"platform":"linux","privacyProfile":{"id":"read-set-only/v0","sha256":"00"},"probeObject":null,"raw":false,"record":"header","regions":[{"kind":"stack","maps":[{"offset":0,"perms":"rw-","size":4096}],"module":null,"size":8192}],"rows":[],"sampling":{"durationMs":10,"frequency":1,"rounds":1}}"#;

fn sample(first_seen: u64, count: u64) -> String {
    format!(
        r#"{{"attachPoint":"thread-stop","calls":[],"count":{count},"firstSeen":{first_seen},"lastSeen":9,"probeType":"PtraceStop","record":"sample","registers":{{"16":"invalid","7":"0:10"}},"unreadable":[],"words":[["0:10","null"]]}}"#
    )
}

fn capture(header: &str, samples: &[String]) -> Vec<u8> {
    let mut text = format!("{header}\n");
    for sample in samples {
        text.push_str(sample);
        text.push('\n');
    }
    text.into_bytes()
}

fn good() -> Vec<u8> {
    capture(HEADER, &[sample(1, 2), sample(2, 1)])
}

#[test]
fn a_capture_round_trips_and_the_order_of_samples_does_not_matter() {
    let parsed = Capture::parse(&good()).unwrap();
    assert_eq!(parsed.encode().unwrap(), good());
    let swapped = capture(HEADER, &[sample(2, 1), sample(1, 2)]);
    assert_eq!(Capture::parse(&swapped).unwrap(), parsed);
}

#[test]
fn each_broken_rule_is_refused_with_its_own_error() {
    let with = |from: &str, to: &str| {
        let header = HEADER.replace(from, to);
        assert_ne!(header, HEADER, "{from} is not in the header");
        Capture::parse(&capture(&header, &[sample(1, 2), sample(2, 1)]))
    };
    assert!(matches!(with("\"kernelHits\":4", "\"kernelHits\":5"), Err(CaptureError::Counters { .. })));
    assert!(matches!(with("\"delivered\":3,\"filtered\":0", "\"delivered\":2,\"filtered\":1"), Err(CaptureError::Counters { .. })));
    assert!(matches!(with("\"captureVersion\":0", "\"captureVersion\":1"), Err(CaptureError::Header { .. })));
    assert!(matches!(with("\"record\":\"header\"", "\"record\":\"sample\""), Err(CaptureError::Header { .. })));
    assert!(matches!(with("\"size\":8192", "\"size\":1"), Err(CaptureError::Header { .. })));
    assert!(with("\"size\":8192", "\"size\":9007199254740991").is_ok());
    assert!(matches!(with("\"raw\":false", "\"raw\":false,\"raw\":true"), Err(CaptureError::Line { line: 1, .. })));
    assert!(matches!(with("\"raw\":false", "\"raw\":false,\"more\":1"), Err(CaptureError::Line { line: 1, .. })));
    let twice = capture(HEADER, &[sample(1, 2), sample(1, 1)]);
    assert!(matches!(Capture::parse(&twice), Err(CaptureError::Header { .. })));
    let none = capture(HEADER, &[sample(1, 3), sample(2, 0)]);
    assert!(matches!(Capture::parse(&none), Err(CaptureError::Header { .. })));
    assert!(matches!(Capture::parse(b""), Err(CaptureError::Header { .. })));
}

#[test]
fn a_cut_capture_is_refused_wherever_it_is_cut() {
    let whole = good();
    for end in 0..whole.len() {
        assert!(Capture::parse(&whole[..end]).is_err(), "cut at {end} was accepted");
    }
}

#[test]
fn no_flipped_byte_panics() {
    let whole = good();
    for position in 0..whole.len() {
        for mask in [1, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[position] ^= mask;
            drop(Capture::parse(&bytes));
        }
    }
}

const ROW: &str = r#"{"region":0,"row":{"cfa":{"registerOffset":[7,8]},"end":"0x20","fdeOffset":0,"registers":[],"section":"eh_frame","signal":false,"start":"0x10"}}"#;

/// Writes a list of two records at these places.
type Spell<'a> = &'a dyn Fn([&str; 2]) -> String;

#[test]
fn records_out_of_order_or_twice_are_refused_with_their_line() {
    let second = sample(2, 1);
    let with = |from: &str, to: &str| {
        assert!(second.contains(from), "{from} is not in the sample");
        Capture::parse(&capture(HEADER, &[sample(1, 2), second.replace(from, to)]))
    };
    let fact = |at: &str, call: &str| format!(r#"{{"at":"{at}","call":{call},"sigreturn":null}}"#);
    let words = |places: [&str; 2]| format!(r#""words":[["{}","null"],["{}","invalid"]]"#, places[0], places[1]);
    let calls = |places: [&str; 2]| format!(r#""calls":[{},{}]"#, fact(places[0], "null"), fact(places[1], "\"none\""));
    let unreadable = |places: [&str; 2]| format!(r#""unreadable":["{}","{}"]"#, places[0], places[1]);
    let ascending = ["0:9", "0:10"];
    let not_copied = |places: [&str; 2]| format!(r#""notCopied":["1{}","1{}"],"probeType""#, places[0], places[1]);
    let lists: [(&str, &str, Spell<'_>); 4] = [
        (r#""probeType""#, "notCopied", &not_copied),
        (r#""words":[["0:10","null"]]"#, "words", &words),
        (r#""calls":[]"#, "calls", &calls),
        (r#""unreadable":[]"#, "unreadable", &unreadable),
    ];
    for (from, what, to) in lists {
        assert!(with(from, &to(ascending)).is_ok(), "{what}");
        for wrong in [["0:10", "0:9"], ["0:10", "0:10"]] {
            let refused = with(from, &to(wrong));
            assert!(matches!(refused, Err(CaptureError::Order { line: 3, what: found }) if found == what), "{what} {wrong:?}: {refused:?}");
        }
    }
}

#[test]
fn rows_out_of_order_or_with_the_same_start_are_refused() {
    let with = |rows: &[String]| {
        let header = HEADER.replace("\"rows\":[]", &format!("\"rows\":[{}]", rows.join(",")));
        Capture::parse(&capture(&header, &[sample(1, 2), sample(2, 1)]))
    };
    let row = |region: u32, start: &str, end: &str| {
        ROW.replace("\"region\":0", &format!("\"region\":{region}")).replace("0x10", start).replace("0x20", end)
    };
    assert!(with(&[row(0, "0x10", "0x20"), row(0, "0x20", "0x30"), row(1, "0x8", "0x10")]).is_ok());
    for wrong in [
        [row(0, "0x20", "0x30"), row(0, "0x10", "0x20")],
        [row(1, "0x8", "0x10"), row(0, "0x10", "0x20")],
        [row(0, "0x10", "0x20"), row(0, "0x10", "0x20")],
        [row(0, "0x10", "0x20"), row(0, "0x10", "0x30")],
    ] {
        let refused = with(&wrong);
        assert!(matches!(refused, Err(CaptureError::Order { line: 1, what: "rows" })), "{wrong:?}: {refused:?}");
    }
}

#[test]
fn more_regions_or_maps_than_a_process_has_are_refused() {
    let parsed = |regions: &[String]| {
        let (before, rest) = HEADER.split_once("\"regions\":[").unwrap();
        let (_, after) = rest.split_once("],\"rows\"").unwrap();
        let header = format!("{before}\"regions\":[{}],\"rows\"{after}", regions.join(","));
        Capture::parse(&capture(&header, &[sample(1, 2), sample(2, 1)]))
    };
    let region = |maps: usize| {
        let maps: Vec<String> = (0..maps).map(|number| format!(r#"{{"offset":{number},"perms":"r--","size":1}}"#)).collect();
        format!(r#"{{"kind":"stack","maps":[{}],"module":null,"size":1000000}}"#, maps.join(","))
    };
    let many = |count: usize| vec![region(0); count];
    assert!(parsed(&many(MAX_REGIONS)).is_ok());
    assert!(matches!(parsed(&many(MAX_REGIONS + 1)), Err(CaptureError::TooMany { what: "regions", .. })));
    assert!(parsed(&[region(MAX_MAPS / 2), region(MAX_MAPS / 2)]).is_ok());
    assert!(matches!(parsed(&[region(MAX_MAPS / 2), region(MAX_MAPS / 2 + 1)]), Err(CaptureError::TooMany { what: "maps", .. })));
}

#[test]
fn a_place_that_was_not_copied_has_no_other_answer() {
    let second = sample(2, 1);
    let with = |unreadable: &str, not_copied: &str| {
        let text = second.replace(r#""unreadable":[]"#, &format!(r#""unreadable":["{unreadable}"]"#));
        let text = text.replace(r#""probeType""#, &format!(r#""notCopied":["{not_copied}"],"probeType""#));
        let bytes = capture(HEADER, &[sample(1, 2), text]);
        Capture::parse(&bytes).map(|parsed| assert_eq!(parsed.encode().unwrap(), bytes))
    };
    assert!(with("0:18", "0:20").is_ok());
    // The sample's one word is at 0:10.
    let refused = with("0:18", "0:10");
    assert!(matches!(refused, Err(CaptureError::TwoAnswers { line: 3, what: "words", .. })), "{refused:?}");
    let refused = with("0:18", "0:18");
    assert!(matches!(refused, Err(CaptureError::TwoAnswers { line: 3, what: "unreadable", .. })), "{refused:?}");
}

fn probe(attach_point: &str, [hits, delivered, lost, limited, filtered]: [u64; 5]) -> String {
    format!(
        r#"{{"attachPoint":"{attach_point}","loss":{{"delivered":{delivered},"filtered":{filtered},"kernelHits":{hits},"rateLimited":{limited},"ringLost":{lost}}},"probeType":"PtraceStop"}}"#
    )
}

/// The header's counters are 4 hits, 3 delivered, 1 lost; the samples, of 2 and 1, are those of `a` and `b`.
fn with_probes(probes: &[String]) -> Result<Capture, CaptureError> {
    let header = HEADER.replace("\"raw\":false", &format!("\"probes\":[{}],\"raw\":false", probes.join(",")));
    let samples = [sample(1, 2).replace("thread-stop", "a"), sample(2, 1).replace("thread-stop", "b")];
    Capture::parse(&capture(&header, &samples))
}

#[test]
fn the_counters_of_probes_add_up_by_themselves_together_and_with_their_samples() {
    let (a, b, idle) = (probe("a", [3, 2, 1, 0, 0]), probe("b", [1, 1, 0, 0, 0]), probe("idle", [0; 5]));
    let good = with_probes(&[a.clone(), b.clone(), idle.clone()]).unwrap();
    assert_eq!(good.header.probes.len(), 3);
    assert_eq!(Capture::parse(&good.encode().unwrap()).unwrap(), good);
    let limit = (1_u64 << 53) - 1;
    let cases = [
        ("listed twice", vec![a.clone(), b.clone(), idle.clone(), idle.clone()]),
        ("which is no probe", vec![probe("a", [4, 3, 1, 0, 0]), idle.clone()]),
        ("is not the sum of its parts", vec![probe("a", [4, 2, 1, 0, 0]), probe("b", [0, 1, 0, 0, 0])]),
        ("its samples count", vec![probe("a", [3, 1, 2, 0, 0]), probe("b", [1, 2, 0, 0, 0])]),
        ("do not add up to the capture", vec![probe("a", [4, 2, 1, 0, 1]), b.clone()]),
        ("do not add up to the capture", vec![probe("a", [3, 2, 0, 1, 0]), b.clone()]),
        ("do not add up to the capture", vec![a.clone(), b.clone(), probe("idle", [limit, 0, limit, 0, 0])]),
    ];
    for (reason, probes) in cases {
        let refused = with_probes(&probes);
        assert!(matches!(&refused, Err(CaptureError::Counters { what }) if what.contains(reason)), "{reason}: {refused:?}");
    }
    let other_type = with_probes(&[a, b.replace("PtraceStop", "Uprobe")]);
    assert!(matches!(&other_type, Err(CaptureError::Counters { what }) if what.contains("which is no probe")), "{other_type:?}");
}

/// Header fields of a capture that used a BTF.
fn btf_source(kind: &str, sha256: &str, used: &str) -> String {
    format!(r#""btfSource":{{"selectionReason":"the kernel's own","sha256":{sha256},"sourceKind":"{kind}","sourcePath":null{used}}}"#)
}

#[test]
fn the_record_of_the_btf_agrees_with_itself() {
    let none = r#""btfSource":{"selectionReason":"none needed","sha256":null,"sourceKind":"none","sourcePath":null}"#;
    let with = |from: &str, to: &str| {
        assert!(HEADER.contains(from), "{from}");
        Capture::parse(&capture(&HEADER.replace(from, to), &[sample(1, 2), sample(2, 1)])).map(drop)
    };
    let hex = format!("\"{}\"", "0123456789abcdef".repeat(4));
    let used = |reduced: &str, total: u64| {
        format!(
            r#","used":{{"bytes":9,"canary":"pid","kernelBuildId":null,"key":null,"reducedSha256":{reduced},"relocations":{{"guardedMissing":1,"resolved":2,"total":{total}}},"steps":[{{"outcome":"used","step":"kernel"}}]}}"#
        )
    };
    for kind in ["kernel", "split", "external", "bundle"] {
        with(none, &btf_source(kind, &hex, &used(&hex, 3))).unwrap();
    }
    let upper = hex.to_uppercase();
    let refused = [
        ("used without a BTF", with(none, &btf_source("none", "null", &used(&hex, 3)))),
        ("a digest without a BTF", with(none, &btf_source("none", &hex, ""))),
        ("a path without a BTF", with("\"sourcePath\":null", "\"sourcePath\":\"/x\"")),
        ("a BTF without its use", with(none, &btf_source("kernel", &hex, ""))),
        ("a BTF without a digest", with(none, &btf_source("kernel", "null", &used(&hex, 3)))),
        ("another kind", with(none, &btf_source("guess", &hex, &used(&hex, 3)))),
        ("upper case", with(none, &btf_source("kernel", &upper, &used(&hex, 3)))),
        ("too short", with(none, &btf_source("kernel", "\"00\"", &used(&hex, 3)))),
        ("reduced in upper case", with(none, &btf_source("kernel", &hex, &used(&upper, 3)))),
        ("reduced too short", with(none, &btf_source("kernel", &hex, &used("\"\"", 3)))),
        ("relocations unaccounted for", with(none, &btf_source("kernel", &hex, &used(&hex, 4)))),
        ("no digest of the probe object", with("\"probeObject\":null", r#""probeObject":{"name":"p.o","sha256":"00"}"#)),
    ];
    for (what, refused) in refused {
        assert!(matches!(refused, Err(CaptureError::Header { .. })), "{what}: {refused:?}");
    }
    with("\"probeObject\":null", &format!(r#""probeObject":{{"name":"p.o","sha256":{hex}}}"#)).unwrap();
}
