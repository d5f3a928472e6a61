//! `verifier/schemas/*.json` against the types that read and write those records, and `docs/formats/` against both.
//!
//! A type that refuses unknown fields lists the known ones in its error; that list is compared with the schema, so a field or
//! variant that is added, dropped or renamed in the code alone fails here.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test over the repository itself")]

#[path = "schemas/instances.rs"]
mod instances;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jsonschema::{Draft, JSONSchema};
use sealtrace_object_id::{IdKind, ModuleId, ObjectIds, Os};
use sealtrace_replay::{ReplayVerdict, SignatureState, Slo};
use sealtrace_store::{LogPosition, Receipt, ReceiptCheck};
use sealtrace_symbols::{
    BlobRef, BtfEntry, BtfProvenance, BtfSource, Compression, Coverage, DebugSource, IdMap, Module, PairedBy, SymbolIndex,
};
use sealtrace_trace as trace;
use sealtrace_trust as trust;
use sealtrace_unwind::{CallSite, CfaRule, CfiSection, Failed, RegisterRule, Rule, TerminatedBy, UnwindRow, UnwindSource, WhyNot};
use sealtrace_verdict::{Assurance, Conclusion, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Objects whose keys are data.
const MAPS: &[&str] = &["registers", "linux", "windows", "macos", "btf"];
/// Fields of any type.
const ANY: &[&str] = &["recorded", "replayed", "trustedRoot"];
/// Fields that a writer may leave out.
const OPTIONAL: &[&str] = &[
    "gnuBuildId",
    "goBuildId",
    "machoUuid",
    "pdbGuidAge",
    "peCodeId",
    "image",
    "probeType",
    "probeTypeRaw",
    "verify_time_ms",
    "used",
    "probes",
    "notCopied",
    "provenance",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every schema by name.
fn schemas() -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(root().join("verifier/schemas")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read_json(&path))).collect()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compile(name: &str, schemas: &BTreeMap<String, Value>) -> JSONSchema {
    let mut options = JSONSchema::options();
    options.with_draft(Draft::Draft202012);
    for schema in schemas.values() {
        options.with_document(schema["$id"].as_str().unwrap().to_owned(), schema.clone());
    }
    options.compile(&schemas[name]).unwrap_or_else(|error| panic!("{name}.json is no schema: {error} at {}", error.instance_path))
}

#[test]
fn every_schema_file_is_a_2020_12_schema_with_its_own_id() {
    let schemas = schemas();
    assert_eq!(schemas.keys().map(String::as_str).collect::<BTreeSet<_>>(), instances::all().iter().map(|(name, _)| *name).collect());
    for (name, schema) in &schemas {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(schema["$id"], format!("https://sealtrace.dev/schemas/{name}.json"), "{name}");
        compile(name, &schemas);
    }
    let wrong = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": 7});
    assert!(JSONSchema::options().with_draft(Draft::Draft202012).compile(&wrong).is_err(), "the validator does not look at schemas");
}

#[test]
fn what_the_types_write_is_valid() {
    let schemas = schemas();
    for (name, instance) in instances::all() {
        let compiled = compile(name, &schemas);
        let faults: Vec<String> =
            compiled.validate(&instance).err().into_iter().flatten().map(|error| format!("{error} at {}", error.instance_path)).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
    let capture = instances::capture_file();
    assert_eq!(trace::Capture::parse(&capture).unwrap().encode().unwrap(), capture);
}

#[test]
fn a_missing_field_an_extra_field_and_a_wrong_type_are_not_valid_anywhere() {
    let schemas = schemas();
    for (name, instance) in instances::all() {
        let compiled = compile(name, &schemas);
        let mutants = mutants(&instance);
        assert!(mutants.len() > 20, "{name}: only {} mutants", mutants.len());
        for (what, mutant) in mutants {
            assert!(!compiled.is_valid(&mutant), "{name}: {what} is valid");
        }
    }
}

/// Every value one step away: a key dropped, a key too many, a value of another type.
fn mutants(instance: &Value) -> Vec<(String, Value)> {
    let mut mutants = Vec::new();
    let mut pointers = vec![(String::new(), String::new())];
    while let Some((pointer, key)) = pointers.pop() {
        let mut change = |what: &str, edit: &dyn Fn(&mut Value)| {
            let mut mutant = instance.clone();
            edit(mutant.pointer_mut(&pointer).unwrap());
            mutants.push((format!("{what} at {pointer:?}"), mutant));
        };
        if ANY.contains(&key.as_str()) {
            continue;
        }
        change("a value of another type", &|value| *value = json!({"wrong": true}));
        match instance.pointer(&pointer).unwrap() {
            Value::Object(map) => {
                let open = MAPS.contains(&key.as_str());
                if !open {
                    change("an extra field", &|value| value["extra"] = json!(1));
                }
                for field in map.keys() {
                    if !open && !OPTIONAL.contains(&field.as_str()) {
                        change(&format!("the lack of {field}"), &|value| drop(value.as_object_mut().unwrap().remove(field)));
                    }
                }
                pointers.extend(map.keys().map(|field| {
                    (format!("{pointer}/{}", field.replace('~', "~0").replace('/', "~1")), if open { String::new() } else { field.clone() })
                }));
            }
            Value::Array(items) => pointers.extend((0..items.len()).map(|item| (format!("{pointer}/{item}"), String::new()))),
            _ => {}
        }
    }
    mutants
}

/// The names that a type says it knows: its fields, or its variants.
fn known<T: DeserializeOwned>(probe: &Value) -> BTreeSet<String> {
    let Err(error) = serde_json::from_value::<T>(probe.clone()) else { panic!("{} takes anything", std::any::type_name::<T>()) };
    let error = error.to_string();
    let (_, names) = error.split_once("expected ").unwrap_or_else(|| panic!("{}: {error}", std::any::type_name::<T>()));
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    known::<T>(&json!({"?": 0}))
}

fn variants<T: DeserializeOwned>() -> BTreeSet<String> {
    known::<T>(&json!("?"))
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

fn values(schema: &Value) -> BTreeSet<String> {
    schema["enum"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// Fails when a pointer leads nowhere.
fn part<'a>(schemas: &'a BTreeMap<String, Value>, place: &str) -> &'a Value {
    let (name, pointer) = place.split_once('#').unwrap();
    schemas[name].pointer(pointer).unwrap_or_else(|| panic!("{place} is not there"))
}

#[test]
fn each_schema_has_the_fields_that_its_type_reads() {
    let schemas = schemas();
    let table = [
        ("capture-header#", fields::<trace::CaptureHeader>()),
        ("capture-header#/$defs/hostContext", fields::<trace::HostContext>()),
        ("capture-header#/$defs/probeObject", fields::<trace::ProbeObject>()),
        ("capture-header#/$defs/btfRecord", fields::<trace::BtfRecord>()),
        ("capture-header#/$defs/btfUse", fields::<trace::BtfUse>()),
        ("capture-header#/$defs/relocationCounts", fields::<trace::RelocationCounts>()),
        ("capture-header#/$defs/selectionStep", fields::<trace::SelectionStep>()),
        ("capture-header#/$defs/probeRecord", fields::<trace::ProbeRecord>()),
        ("capture-header#/$defs/sampling", fields::<trace::Sampling>()),
        ("capture-header#/$defs/libcRecord", fields::<trace::LibcRecord>()),
        ("capture-header#/$defs/region", fields::<trace::Region>()),
        ("capture-header#/$defs/mapRange", fields::<trace::MapRange>()),
        ("capture-header#/$defs/moduleRecord", fields::<trace::ModuleRecord>()),
        ("capture-header#/$defs/objectIds", fields::<ObjectIds>()),
        ("capture-header#/$defs/capturedRow", fields::<trace::CapturedRow>()),
        ("capture-header#/$defs/unwindRow", fields::<UnwindRow>()),
        ("capture-header#/$defs/loss", fields::<trace::Loss>()),
        ("capture-header#/$defs/privacyProfile", fields::<trace::PrivacyProfile>()),
        ("capture-sample#", fields::<trace::Sample>()),
        ("capture-sample#/$defs/callFact", fields::<trace::CallFact>()),
        ("frame-record#", fields::<trace::FrameRecord>()),
        ("frame-record#/$defs/moduleId", fields::<ModuleId>()),
        ("frame-record#/$defs/failed", fields::<Failed>()),
        ("frame-record#/$defs/inline", fields::<trace::InlineRecord>()),
        ("micro-witness#", fields::<trace::MicroWitness>()),
        ("micro-witness#/$defs/btfUse", fields::<trace::BtfUse>()),
        ("micro-witness#/$defs/probeRecord", fields::<trace::ProbeRecord>()),
        ("micro-witness#/$defs/module", fields::<trace::WitnessModule>()),
        ("micro-witness#/$defs/symbolization", fields::<trace::Symbolization>()),
        ("micro-witness#/$defs/symbolizer", fields::<trace::Symbolizer>()),
        ("micro-witness#/$defs/resolverPolicy", fields::<trace::ResolverPolicy>()),
        ("micro-witness#/$defs/observation", fields::<trace::Observation>()),
        ("micro-witness#/$defs/stack", fields::<trace::StackRecord>()),
        ("micro-witness#/$defs/coverage", fields::<trace::CoverageCounts>()),
        ("micro-witness#/$defs/captureRef", fields::<trace::CaptureRef>()),
        ("micro-witness#/$defs/freshness", fields::<trace::Freshness>()),
        ("symbol-index#", fields::<SymbolIndex>()),
        ("symbol-index#/$defs/module", fields::<Module>()),
        ("symbol-index#/$defs/blobRef", fields::<BlobRef>()),
        ("symbol-index#/$defs/debugSource", fields::<DebugSource>()),
        ("symbol-index#/$defs/coverage", fields::<Coverage>()),
        ("symbol-index#/$defs/btfEntry", fields::<BtfEntry>()),
        ("symbol-index#/$defs/btfProvenance", fields::<BtfProvenance>()),
        ("symbol-index#/$defs/idMap", fields::<IdMap>()),
        ("receipt#", fields::<Receipt>()),
        ("receipt#/$defs/logPosition", fields::<LogPosition>()),
        ("receipt#/$defs/check", fields::<ReceiptCheck>()),
        ("receipt#/$defs/time", fields::<sealtrace_store::ReceiptTime>()),
        ("receipt#/$defs/kit", fields::<sealtrace_store::ReceiptKit>()),
        ("policy#", fields::<trust::Policy>()),
        ("policy#/$defs/signerRule", fields::<trust::SignerRule>()),
        ("policy#/$defs/identity", fields::<trust::Identity>()),
        ("trust-kit#", fields::<trust::kit::Kit>()),
        ("trust-kit#/$defs/key", fields::<trust::kit::KitKey>()),
        ("trust-kit#/$defs/signer", fields::<trust::kit::KitSigner>()),
        ("trust-kit#/$defs/site", fields::<trust::kit::KitSite>()),
        ("trust-kit#/$defs/witness", fields::<trust::kit::KitWitness>()),
        ("trust-kit#/$defs/pin", fields::<trust::kit::KitPin>()),
        ("trust-kit#/$defs/consistency", fields::<trust::kit::KitConsistency>()),
        ("trust-kit#/$defs/frozen", fields::<trust::kit::KitFrozen>()),
        ("trust-kit#/$defs/denied", fields::<trust::Denied>()),
        ("trust-kit#/$defs/logOrder", fields::<trust::LogOrder>()),
        ("trust-kit#/$defs/staleness", fields::<trust::kit::Staleness>()),
    ];
    for (place, fields) in table {
        assert_eq!(properties(part(&schemas, place)), fields, "{place}");
    }
}

/// The texts of all variants of a type that is only written; a variant that is not named does not compile.
macro_rules! every {
    ($type:ident: $($variant:ident),+) => {{
        let _exhaustive = |value: $type| match value { $($type::$variant => ()),+ };
        BTreeSet::from([$(text(&$type::$variant)),+])
    }};
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn each_schema_has_the_values_that_its_type_knows() {
    let schemas = schemas();
    let table = [
        ("capture-header#/$defs/region/properties/kind", variants::<trace::RegionKind>()),
        ("capture-header#/$defs/unwindRow/properties/section", variants::<CfiSection>()),
        ("capture-sample#/$defs/callSite", variants::<CallSite>()),
        ("frame-record#/properties/context", variants::<trace::FrameContext>()),
        ("frame-record#/properties/unwinder", variants::<trace::UnwinderClass>()),
        ("frame-record#/properties/unwindSource", variants::<UnwindSource>()),
        ("frame-record#/properties/resolver/anyOf/0", variants::<trace::Resolver>()),
        ("frame-record#/properties/boundary", variants::<trace::Boundary>()),
        ("frame-record#/$defs/rule", variants::<Rule>()),
        ("frame-record#/$defs/whyNot", variants::<WhyNot>()),
        ("frame-record#/$defs/moduleId/properties/kind", variants::<IdKind>()),
        ("micro-witness#/$defs/terminatedBy", variants::<TerminatedBy>()),
        ("symbol-index#/$defs/module/properties/os", variants::<Os>()),
        ("symbol-index#/$defs/blobRef/properties/compression", variants::<Compression>()),
        ("symbol-index#/$defs/btfProvenance/properties/sourceKind", variants::<BtfSource>()),
        ("symbol-index#/$defs/debugSource/properties/pairedBy", variants::<PairedBy>()),
        ("inspect#/$defs/module/properties/os", variants::<Os>()),
        ("bundle-diff#/$defs/os", variants::<Os>()),
        ("verdict#/properties/verdict", every!(Conclusion: Verified, Rejected, Malformed, Undecided)),
        ("verdict#/properties/assurance", every!(Assurance: None, Signed, LoggedLocally, CosignedByPeer, CosignedOutside)),
        ("verdict#/$defs/check/properties/outcome", every!(Outcome: Pass, Fail, Skipped)),
        ("receipt#/properties/assurance", every!(Assurance: None, Signed, LoggedLocally, CosignedByPeer, CosignedOutside)),
        ("policy#/properties/minimumAssurance", variants::<trust::MinimumAssurance>()),
        ("trust-kit#/$defs/witness/properties/placement", variants::<trust::kit::Placement>()),
        ("trust-kit#/$defs/denied/properties/kind", variants::<trust::DeniedKind>()),
        ("replay-summary#/properties/slo", every!(Slo: Standard, Strict)),
        ("replay-summary#/properties/verdict", every!(ReplayVerdict: Pass, Below, Vacuous)),
        ("replay-summary#/properties/signature", every!(SignatureState: Verified, Rejected, Unsigned, Unchecked)),
    ];
    for (place, variants) in table {
        assert_eq!(values(part(&schemas, place)), variants, "{place}");
    }
    for name in values(part(&schemas, "micro-witness#/$defs/probeType")) {
        assert_eq!(text(&trace::ProbeType::from_name(&name)), name, "probe type");
    }
    let rules = |place: &str| -> BTreeSet<String> {
        let choices = part(&schemas, place)["oneOf"].as_array().unwrap().iter();
        choices.flat_map(|choice| if choice.get("enum").is_some() { values(choice) } else { properties(choice) }).collect()
    };
    assert_eq!(rules("capture-header#/$defs/cfaRule"), variants::<CfaRule>());
    assert_eq!(rules("capture-header#/$defs/registerRule"), variants::<RegisterRule>());
}

fn formats() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(root().join("docs/formats")).unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// Every name in `properties`, `enum` and `const`, at any depth.
fn names_in(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => names.extend(properties.keys().cloned()),
                    ("enum", Value::Array(values)) => names.extend(values.iter().filter_map(Value::as_str).map(str::to_owned)),
                    ("const", Value::String(value)) => drop(names.insert(value.clone())),
                    _ => {}
                }
                names_in(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        _ => {}
    }
}

/// The pages that a page links, without their anchors.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn the_page_of_each_schema_explains_every_field_and_value_in_it() {
    let pages = formats();
    for (name, schema) in schemas() {
        let page = schema["description"].as_str().unwrap().split("docs/formats/").nth(1).unwrap().trim_end_matches('.');
        let own = pages.get(page).unwrap_or_else(|| panic!("{name}.json names the page {page:?}, which is not there"));
        let linked = links(own).into_iter().filter_map(|target| pages.get(target.split('#').next().unwrap()));
        let text: String = std::iter::once(own).chain(linked).cloned().collect();
        let mut names = BTreeSet::new();
        names_in(&schema, &mut names);
        let missing: Vec<_> = names.into_iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{name}.json: neither {page} nor a page it links mentions {missing:?} in backquotes");
    }
}

/// The anchor of a heading, as Markdown renderers make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_index_page_links_every_page_and_no_link_is_dead() {
    let pages = formats();
    let index = links(&pages["README.md"]);
    for page in pages.keys().filter(|page| *page != "README.md") {
        assert!(index.contains(&page.as_str()), "docs/formats/README.md does not link {page}");
    }
    for (page, text) in &pages {
        for target in links(text) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            assert!(root().join("docs/formats").join(file).exists(), "{page} links {target}");
            let there = |line: &str| line.starts_with('#') && anchor(line) == heading;
            assert!(heading.is_empty() || pages[file].lines().any(there), "{page} links {target}, and there is no such heading");
        }
    }
}

/// The first argument of every call that records a check, in the crates that verdicts come from.
fn check_ids() -> BTreeSet<String> {
    const CALLS: &[&str] = &[
        ".pass(\"",
        ".fail(\"",
        ".differ(\"",
        ".warn(\"",
        "counted(\"",
        ".compare(\"",
        ".result(\"",
        ".malformed(\"",
        ".undecided(\"",
        ".skipped(\"",
        "hold(checks,\"",
    ];
    let mut ids = BTreeSet::new();
    for folder in ["verifier/bundle/src", "verifier/case/src", "verifier/trace-verify/src", "verifier/trace-replay/src"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let packed: String = source.chars().filter(|c| !c.is_whitespace()).collect();
                for call in CALLS {
                    ids.extend(packed.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
                }
            }
        }
    }
    ids
}

#[test]
fn the_verdict_page_lists_every_check() {
    let page = &formats()["verdict.md"];
    let ids = check_ids();
    assert!(ids.len() > 30, "only {ids:?} were found");
    let missing: Vec<_> = ids.iter().filter(|id| !page.contains(&format!("`{id}`"))).collect();
    assert!(missing.is_empty(), "docs/formats/verdict.md does not mention {missing:?}");
}

#[test]
fn every_check_is_explained() {
    let known: BTreeSet<&str> = sealtrace_verdict::codes::all().map(|text| text.id).collect();
    let sentences = sealtrace_verdict::codes::all().flat_map(|text| [text.means, text.fails, text.next]);
    assert!(sentences.into_iter().all(|sentence| sentence.len() > 10));
    assert_eq!(known.len(), sealtrace_verdict::codes::all().count(), "an id stands in the table twice");
    let missing: Vec<String> = check_ids().into_iter().filter(|id| !known.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "verifier/verdict/src/codes.rs does not explain {missing:?}");
}

/// A number of bytes as the pages write it.
fn bytes(limit: impl TryInto<u64>) -> String {
    let limit: u64 = limit.try_into().ok().unwrap();
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| limit >> shift > 0 && limit.trailing_zeros() >= *shift);
    unit.map_or_else(|| format!("{} bytes", thousands(limit)), |(shift, name)| format!("{} {name}", limit >> shift))
}

fn thousands(number: impl TryInto<u64>) -> String {
    let number: u64 = number.try_into().ok().unwrap();
    if number < 1000 { number.to_string() } else { format!("{},{:03}", thousands(number / 1000), number % 1000) }
}

#[test]
fn the_pages_give_the_limits_that_the_code_has() {
    use sealtrace_layout::{archive, graph};
    let limits = sealtrace_unwind::Limits::default();
    let table = [
        ("archive.md", format!("at most {}, folders included", thousands(archive::MAX_ENTRIES))),
        ("archive.md", format!("at most {} |", bytes(archive::MAX_TAIL_BYTES))),
        (
            "archive.md",
            format!(
                "At most {} files and {}.",
                thousands(archive::FileLimits::default().files),
                bytes(archive::FileLimits::default().bytes)
            ),
        ),
        ("capture.md", format!("At most {}; a line at most {}", bytes(trace::MAX_CAPTURE_BYTES), bytes(trace::MAX_LINE_BYTES))),
        ("store.md", format!("at most {}", bytes(sealtrace_store::MAX_RECEIPT_BYTES))),
        ("symbol-bundle.md", format!("A manifest or index has at most {}.", bytes(sealtrace_layout::MAX_MANIFEST_BYTES))),
        ("symbol-bundle.md", format!("{} attachments to one manifest", thousands(graph::MAX_ATTACHMENTS))),
        (
            "symbol-bundle.md",
            format!("{} manifests of {} together", thousands(graph::MAX_MANIFESTS), bytes(graph::MAX_MANIFEST_TOTAL_BYTES)),
        ),
        ("symbol-bundle.md", format!("{} levels of indexes", graph::MAX_INDEX_DEPTH)),
        ("symbol-bundle.md", format!("at most {}. Certificates", bytes(sealtrace_envelope::MAX_BUNDLE_BYTES))),
        ("symbol-bundle.md", format!("A statement has at most {}", bytes(sealtrace_envelope::MAX_STATEMENT_BYTES))),
        ("symbol-bundle.md", format!("at most {}; the leaf hash", bytes(sealtrace_envelope::MAX_ENTRY_BYTES))),
        ("symbol-index.md", format!("at most {}.", bytes(sealtrace_symbols::MAX_INDEX_BYTES))),
        ("symbol-table.md", format!("at most {} scopes", sealtrace_symbols::MAX_SCOPE_DEPTH)),
        (
            "trust-folder.md",
            format!("{} files of at most {}", thousands(sealtrace_store::MAX_TRUST_FILES), bytes(sealtrace_store::MAX_TRUST_FILE_BYTES)),
        ),
        ("unwind.md", format!("A section has at most {}", bytes(sealtrace_unwind::MAX_SECTION_BYTES))),
        ("unwind.md", format!("hex of at most {} bytes", thousands(sealtrace_unwind::MAX_EXPRESSION_BYTES))),
        ("unwind.md", format!("{} frames |", thousands(limits.frames))),
        ("unwind.md", format!("at most {} steps", thousands(limits.expression_steps))),
        ("unwind.md", format!("in {} words", limits.scan_words)),
    ];
    let pages = formats();
    for (page, phrase) in table {
        let text = pages[page].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&phrase), "docs/formats/{page} does not say {phrase:?}");
    }
}
