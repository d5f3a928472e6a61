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
    let lists: [(&str, &str, Spell<'_>); 3] = [
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
