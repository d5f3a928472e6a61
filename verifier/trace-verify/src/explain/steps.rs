//! The steps of an explanation, as data.

use std::collections::BTreeMap;

use sealtrace_digest::RunDigest;
use sealtrace_resolve::{Derivation, MatchedModule};
use sealtrace_trace::ModuleRecord;
use sealtrace_unwind::{CfiSection, Place, Rule, SourcedRow, Word};
use serde::Serialize;

use super::materials::{Logged, Materials};
use super::{Explained, taken};
use crate::judge::Judged;

/// One step.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    /// Stable name.
    pub(crate) id: &'static str,
    /// One sentence.
    pub(crate) says: String,
    /// What the step rests on and yields.
    pub(crate) values: BTreeMap<String, String>,
    /// Commands that give the same values; files are those of `--materials`, or the module's own.
    pub(crate) commands: Vec<String>,
}

impl Step {
    pub(super) fn new(id: &'static str, says: impl Into<String>) -> Self {
        Self { id, says: says.into(), values: BTreeMap::new(), commands: Vec::new() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "texts, numbers and format_args are all given as they come")]
    pub(super) fn value(mut self, key: &str, value: impl ToString) -> Self {
        self.values.insert(key.to_owned(), value.to_string());
        self
    }

    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }
}

/// All steps of a frame, from the address to the log.
pub(crate) fn steps(explained: &Explained<'_>, materials: &Materials, judged: &Judged) -> Vec<Step> {
    let derivation = explained.derived.derivations.get(explained.position);
    let mut steps = vec![record_step(explained)];
    if let Some(derivation) = derivation {
        steps.extend(address_step(explained, derivation));
        steps.push(rule_step(explained, derivation));
        steps.push(capture_step(explained));
        steps.extend(taken::taken_step(&explained.capture.header));
        steps.extend(explained.derived.stacks.get(explained.stack.0).and_then(|stack| taken::end_step(stack, explained.stack.1)));
        steps.extend(symbol_steps(explained, derivation));
    }
    if let Some(logged) = &materials.bundle {
        let bundle = judged.bundles().find(|bundle| Some(bundle.digest()) == explained.record.bundle_sha256);
        let name = bundle.map(|bundle| format!("{}:{}", bundle.name(), bundle.version())).unwrap_or_default();
        steps.push(
            Step::new("bundle", format!("that table belongs to symbol bundle {name}, identified by its manifest"))
                .value("manifest", explained.record.bundle_sha256.map(|digest| digest.to_string()).unwrap_or_default())
                .value("index", RunDigest::of(&materials.index).hex())
                .command("sha256sum bundle.manifest.json bundle.symbol_index.json"),
        );
        steps.extend(signed_steps("bundle", "the manifest's digest is the subject of a signed statement", logged));
    }
    if let Some(logged) = &materials.trace {
        steps.extend(signed_steps("trace", "this frame record stands in a signed statement", logged));
    }
    steps
}

fn record_step(explained: &Explained<'_>) -> Step {
    let record = sealtrace_json::canonical(explained.record).unwrap_or_default();
    let (stack, position) = explained.stack;
    Step::new("record", format!("the record, frame {position} of stack {stack}, was derived again just now and is equal"))
        .value("sha256", RunDigest::of(&record).hex())
        .value("witness", explained.trace.digest)
        .value("function", explained.record.function.as_deref().unwrap_or("none"))
        .value("resolver", explained.record.resolver.map(|resolver| format!("{resolver:?}").to_lowercase()).unwrap_or_default())
        .value("unresolved", explained.record.unresolved_reason.as_deref().unwrap_or("no"))
}

fn module_of<'a>(explained: &Explained<'a>, place: Place) -> Option<&'a ModuleRecord> {
    explained.capture.header.regions.get(usize::try_from(place.region.0).ok()?)?.module.as_ref()
}

fn pc(derivation: &Derivation) -> Option<Place> {
    match derivation.frame.pc {
        Word::At(place) => Some(place),
        Word::Null | Word::Invalid => None,
    }
}

fn address_step(explained: &Explained<'_>, derivation: &Derivation) -> Vec<Step> {
    let Some(place) = pc(derivation) else { return Vec::new() };
    let Some(module) = module_of(explained, place) else {
        return vec![Step::new("address", "the pc lies in a region that is no module").value("place", place)];
    };
    let lookup = derivation.frame.lookup.map_or(place.offset, |lookup| lookup.offset);
    let exact = if lookup == place.offset { "the pc is exact" } else { "a return address: names are looked up one byte before it" };
    let address = Step::new("address", format!("the pc lies in {}; {exact}", module.path))
        .value("moduleRelAddr", format_args!("{:#x}", place.offset))
        .value("imageBase", format_args!("{:#x}", module.image_base))
        .value("pc", format_args!("{:#x}", module.image_base.saturating_add(place.offset)))
        .value("lookup", format_args!("{:#x}", module.image_base.saturating_add(lookup)));
    let id = module.ids.primary();
    let mut identity = Step::new("module", "the module is identified by what the file itself carries")
        .value("path", &module.path)
        .value("id", id.as_ref().map_or_else(|| "none".to_owned(), |id| id.id.clone()))
        .value("idKind", id.map_or_else(String::new, |id| format!("{:?}", id.kind)))
        .value("fileSha256", module.file_sha256.map_or_else(|| "unknown".to_owned(), |sha256| sha256.hex()));
    if module.file_sha256.is_some() {
        identity = identity.command(format!("sha256sum {}", quoted(&module.path))).command(format!("readelf -n {}", quoted(&module.path)));
    }
    vec![address, identity]
}

fn rule_step(explained: &Explained<'_>, derivation: &Derivation) -> Step {
    let frame = &derivation.frame;
    let rule = serde_json::to_value(frame.rule).ok().and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default();
    let says = match frame.rule {
        Rule::Context => "the pc is the captured instruction pointer".to_owned(),
        Rule::CfiEhFrame | Rule::CfiDebugFrame => {
            "the call-frame information of the frame below says where its return address is".to_owned()
        }
        Rule::FramePointer => {
            "the frame pointer of the frame below points at the saved frame pointer; the return address is the word above".to_owned()
        }
        Rule::HelperSigreturn => "the frame below is the kernel's signal trampoline; the pc is in the signal context".to_owned(),
        Rule::HeuristicScan => "a guess: the one word of the stack that follows a call instruction".to_owned(),
    };
    let mut step = Step::new("rule", says).value("rule", rule).value("cfa", word(frame.cfa));
    for (number, failed) in (1..).zip(&frame.failed) {
        step = step.value(&format!("tried{number}"), serde_json::to_string(failed).unwrap_or_default());
    }
    for (number, read) in (1..).zip(&frame.reads) {
        let register = read.register.map_or_else(|| "-".to_owned(), |register| format!("r{register}"));
        step = step.value(&format!("word{number}"), format_args!("[{}] = {} ({register})", read.at, word(read.word)));
    }
    let Some(sourced) = &frame.row else { return step };
    let callee = explained.stack.1.checked_sub(1).and_then(|_| explained.position.checked_sub(1));
    let callee = callee.and_then(|callee| explained.derived.derivations.get(callee));
    row_values(step, sourced, callee.and_then(|callee| callee.frame.lookup.and_then(|lookup| module_of(explained, lookup))), callee)
}

fn row_values(step: Step, sourced: &SourcedRow, module: Option<&ModuleRecord>, callee: Option<&Derivation>) -> Step {
    let SourcedRow { row, source, .. } = sourced;
    let base = module.map_or(0, |module| module.image_base);
    let section = match row.section {
        CfiSection::EhFrame => ".eh_frame",
        CfiSection::DebugFrame => ".debug_frame",
    };
    let lookup = callee.and_then(|callee| callee.frame.lookup).map_or(0, |lookup| lookup.offset);
    let mut step = step
        .value("section", section)
        .value("fde", format_args!("{:08x}", row.fde_offset))
        .value("rowStart", format_args!("{:#x}", base.saturating_add(row.start.0)))
        .value("rowEnd", format_args!("{:#x}", base.saturating_add(row.end.0)))
        .value("rowFor", format_args!("{:#x}", base.saturating_add(lookup)))
        .value("cfaRule", format_args!("{:?}", row.cfa))
        .value("rowSource", format!("{source:?}").to_lowercase());
    for (register, rule) in &row.registers {
        step = step.value(&format!("r{register}"), format_args!("{rule:?}"));
    }
    match module {
        // Without following links: readelf fails on the empty `.eh_frame` of a linked debug file.
        Some(module) if module.path != "[vdso]" => {
            step.command(format!("readelf --debug-dump=frames-interp,no-follow-links {}", quoted(&module.path)))
        }
        _ => step,
    }
}

fn capture_step(explained: &Explained<'_>) -> Step {
    Step::new("capture", "registers and words are those of the capture that the witness names")
        .value("sha256", explained.trace.witness.capture_ref.sha256.hex())
        .command("sha256sum capture.jsonl")
}

fn symbol_steps(explained: &Explained<'_>, derivation: &Derivation) -> Vec<Step> {
    let matched = pc(derivation).and_then(|place| explained.sources.matched(place.region).ok());
    let (Some(matched), Some(row)) = (matched, derivation.table_row) else { return Vec::new() };
    vec![symbol_step(explained, derivation, matched, row), table_step(matched)]
}

fn symbol_step(explained: &Explained<'_>, derivation: &Derivation, matched: &MatchedModule, row: u32) -> Step {
    let record = explained.record;
    let lookup = derivation.frame.lookup.map_or(0, |lookup| lookup.offset);
    let svma = matched.module.image_base.saturating_add(lookup);
    let file_line = |file: &Option<String>, line: u32| format!("{}:{line}", file.as_deref().unwrap_or("??"));
    let mut step = Step::new("symbol", "the symbol table's row for the lookup address gives names and lines")
        .value("row", row)
        .value("lookup", format_args!("{svma:#x}"))
        .value("function", record.function.as_deref().unwrap_or("none"))
        .value("functionRaw", record.function_raw.as_deref().unwrap_or("none"))
        .value("source", record.source.as_deref().unwrap_or("none"))
        .value("position", file_line(&record.file, record.line.unwrap_or(0)))
        .value("aliases", record.aliases.join(" "));
    if let Some(bytes) = matched.table.as_ref().and_then(|table| table.record_bytes(row)) {
        step = step.value("rowOffset", bytes.offset).value("rowBytes", hex::encode(bytes.bytes));
    }
    for (number, inline) in (1..).zip(&record.inlines) {
        step = step.value(&format!("inline{number}"), format_args!("{} at {}", inline.function, file_line(&inline.file, inline.line)));
    }
    let debug = matched.module.debug.as_ref().map_or(&matched.module.path, |debug| &debug.path);
    let file = release_file(debug);
    step.value("debugFile", debug)
        .value("debugSha256", matched.module.debug.as_ref().map_or(matched.module.file_sha256, |debug| debug.file_sha256))
        .command(format!("sha256sum {file}"))
        .command(format!("llvm-symbolizer --obj={file} {svma:#x}"))
        .command(format!("addr2line -f -i -C -e {file} {svma:#x}"))
}

fn table_step(matched: &MatchedModule) -> Step {
    let step = Step::new("table", "the table is a part of the bundle, by digest").value("module", &matched.module.path);
    match &matched.module.table {
        Some(part) => step
            .value("table", part.digest)
            .value("layer", part.layer)
            .value("offset", part.offset)
            .value("size", part.size)
            .command("sha256sum table.bin"),
        None => step,
    }
}

fn signed_steps(prefix: &str, says: &str, logged: &Logged) -> Vec<Step> {
    let id = |bundle: &'static str, trace: &'static str| if prefix == "bundle" { bundle } else { trace };
    vec![
        Step::new(id("bundle-signature", "trace-signature"), format!("{says}; its signature is that of a key in the trust folder"))
            .value("signer", &logged.signer)
            .value("pae", RunDigest::of(&logged.pae).hex())
            .command(format!("openssl dgst -sha256 -verify {prefix}.signer.pem -signature {prefix}.sig {prefix}.pae"))
            .command(format!("openssl pkey -pubin -in {prefix}.signer.pem -outform DER | sha256sum")),
        Step::new(id("bundle-log", "trace-log"), "the signature is logged: the entry hashes to a leaf below the checkpoint's root")
            .value("origin", &logged.origin)
            .value("index", logged.index)
            .value("treeSize", logged.size)
            .value("root", &logged.root)
            .value("rootBase64", &logged.root_base64)
            .value("leaf", &logged.leaf)
            .command(format!("printf '\\000' | cat - {prefix}.entry.json | sha256sum"))
            .command(format!("openssl dgst -sha256 -verify {prefix}.log.pem -signature {prefix}.checkpoint.sig {prefix}.checkpoint.body")),
    ]
}

fn word(word: Word) -> String {
    match word {
        Word::At(place) => place.to_string(),
        Word::Null => "null".to_owned(),
        Word::Invalid => "invalid".to_owned(),
    }
}

/// A file of the release tree, or of the builder's `--debug-dir`, as one word of a shell command: the reader sets the folder.
fn release_file(path: &str) -> String {
    match path.strip_prefix("debug-dir:") {
        Some(path) => format!("\"$DEBUG_DIR\"/{}", quoted(path)),
        None => format!("\"$RELEASE\"/{}", quoted(path)),
    }
}

/// A path as one word of a shell command.
pub(super) fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%=:,".contains(c);
    if !path.is_empty() && path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
