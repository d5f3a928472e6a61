//! JSON: strict and canonical; envelopes and statements; bodies of log entries.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use sealtrace_envelope::{EntryBody, Envelope, Statement, encode_base64};
use sealtrace_json::{canonical, parse, parse_value};
use sealtrace_sigstore::{Bundle, Request, Thresholds, verify};
use serde_json::Value;

use crate::bundle;
use crate::instance::{Case, cases};

const LIMIT: usize = 1 << 20;

/// Strict JSON: what is accepted means the same to a lenient reader, and its canonical form is its own.
pub(crate) fn run_json(data: &[u8]) {
    let Ok(value) = parse_value(data, LIMIT) else { return };
    assert_eq!(serde_json::from_slice::<Value>(data).expect("a lenient reader accepts more"), value, "two readers differ");
    let bytes = canonical(&value).expect("strict JSON has a canonical form");
    assert_eq!(parse_value(&bytes, LIMIT * 8).expect("the canonical form is strict"), value);
    assert_eq!(canonical(&parse_value(&bytes, LIMIT * 8).expect("the canonical form is strict")).expect("it has one"), bytes);
}

pub(crate) fn json_seeds() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"b":[1,-2,9007199254740991,null,true,false,""],"a":{"\u0001\n\"\\":"\ud83d\ude00é"},"":{}}"#,
        r#"[[[[[[[[]]]]]]],{"a":{"a":{"a":0}}}]"#,
        " { \"x\" : [ 0 , \"\\u20ac\" ] }\n",
        "\"text\"",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into_iter().chain([own_payload()]).collect()
}

fn own_payload() -> Vec<u8> {
    bundle::own_bundle().envelope.payload
}

/// A DSSE envelope and the statement in it, or a statement alone.
pub(crate) fn run_statement(data: &[u8]) {
    if let Ok(envelope) = parse::<Envelope>(data, LIMIT) {
        let bytes = canonical(&envelope).expect("what was parsed can be encoded");
        assert_eq!(parse::<Envelope>(&bytes, LIMIT * 8).expect("what was encoded can be parsed"), envelope);
        let _ = envelope.one_signature();
        check_statement(&envelope.payload);
    }
    check_statement(data);
}

fn check_statement(bytes: &[u8]) {
    let Ok(statement) = Statement::parse(bytes) else { return };
    let bytes = statement.encode().expect("what was parsed can be encoded");
    assert_eq!(Statement::parse(&bytes).expect("what was encoded can be parsed"), statement);
}

pub(crate) fn statement_seeds() -> Vec<Vec<u8>> {
    let envelope = bundle::own_bundle().envelope;
    vec![canonical(&envelope).expect("the envelope is well formed"), envelope.payload]
}

/// The body of a log entry: our own kind has one form, and none of the public kinds is believed in place of the one that was logged.
pub(crate) fn run_entry(data: &[u8]) {
    if let Ok(body) = EntryBody::parse(data) {
        assert_eq!(body.encode().expect("what was parsed can be encoded"), data, "a body has one form");
    }
    for (case, bundle) in logged() {
        let Some(root) = &case.root else { continue };
        let mut changed = bundle.clone();
        changed["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"] = encode_base64(data).into();
        let text = changed.to_string();
        let request = Request {
            bundle: text.as_bytes(),
            root,
            expected: &case.expected,
            artifact: &case.artifact,
            thresholds: Thresholds::default(),
        };
        let (_, verified) = verify(&request);
        assert!(verified.is_none() || changed == *bundle, "another entry than the one logged was believed");
    }
}

/// An honest bundle for each kind of entry.
fn logged() -> &'static [(&'static Case, Value)] {
    static LOGGED: OnceLock<Vec<(&'static Case, Value)>> = OnceLock::new();
    LOGGED.get_or_init(|| {
        let mut kinds = BTreeSet::new();
        let honest = cases().iter().filter(|case| case.honest);
        let parsed = honest.map(|case| (case, serde_json::from_slice::<Value>(&case.bundle).expect("the instance is JSON")));
        parsed.filter(|(_, bundle)| kinds.insert(bundle["verificationMaterial"]["tlogEntries"][0]["kindVersion"].to_string())).collect()
    })
}

pub(crate) fn entry_seeds() -> Vec<Vec<u8>> {
    let own = bundle::own_bundle().entries.into_iter().map(|entry| entry.canonicalized_body);
    let parsed = cases().iter().filter_map(|case| Bundle::parse(&case.bundle).ok());
    let bodies: BTreeSet<Vec<u8>> = parsed.flat_map(|bundle| bundle.entries).map(|entry| entry.body).collect();
    own.chain(bodies).collect()
}
