//! Every stack and every frame, each with how it was derived.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_object_id::ModuleId;
use sealtrace_trace::{Boundary, FrameRecord, MicroWitness, Observation, StackRecord};

use crate::CardInput;
use crate::html::{Html, word};
use crate::words::walk_end;

struct Names<'a> {
    paths: BTreeMap<ModuleId, &'a str>,
    differing: BTreeSet<u64>,
}

pub(crate) fn stacks(html: &mut Html, input: &CardInput<'_>) {
    let witness = input.witness;
    let names = Names { paths: paths(witness), differing: input.replay.mismatches.iter().map(|mismatch| mismatch.frame_index).collect() };
    html.raw("<h2>Frames</h2>\n<p class=\"soft\">").text(&format!("Stacks: {}. Innermost frame first.", witness.stacks.len()));
    html.raw(" To see how a line came about by hand: <code>trace-verify explain TRACE --frame N</code></p>\n");
    for (position, stack) in (0_u64..).zip(&witness.stacks) {
        let observation = witness.observations.iter().find(|observation| observation.stack_ref == position);
        one_stack(html, position, stack, (observation, &names));
    }
}

fn paths(witness: &MicroWitness) -> BTreeMap<ModuleId, &str> {
    let mut paths = BTreeMap::new();
    for module in &witness.modules {
        let sha256 = module.file_sha256.map(|sha256| ModuleId { kind: sealtrace_object_id::IdKind::FileSha256, id: sha256.to_string() });
        for id in module.ids.primary().into_iter().chain(sha256) {
            paths.entry(id).or_insert(module.path.as_str());
        }
    }
    paths
}

fn one_stack(html: &mut Html, position: u64, stack: &StackRecord, (observation, names): (Option<&Observation>, &Names<'_>)) {
    let differs = stack.frames.iter().any(|frame| names.differing.contains(&frame.frame_index));
    html.raw(if position == 0 || differs { "<details class=\"stack\" open>" } else { "<details class=\"stack\">" });
    let top = stack.frames.first().map_or("no frame", title);
    let seen = observation.map_or_else(String::new, |seen| {
        let probe = seen.probe_type_raw.clone().unwrap_or_else(|| word(&seen.probe_type));
        format!("; seen {}× by {probe} at {}", seen.hits, seen.attach_point)
    });
    html.raw("<summary>").text(&format!("Stack {position}: {top}; frames: {}{seen}", stack.frames.len())).raw("</summary>\n");
    for frame in &stack.frames {
        one_frame(html, frame, names);
    }
    let failed: Vec<String> = stack.failed_rules.iter().map(|failed| format!("{}: {}", word(&failed.rule), word(&failed.reason))).collect();
    html.raw("<p class=\"soft mono\">").text(&format!("the walk ended: {}, {}", word(&stack.terminated_by), walk_end(stack.terminated_by)));
    if !failed.is_empty() {
        html.text(&format!(" ({})", failed.join("; ")));
    }
    html.raw("</p>\n</details>\n");
}

fn title(frame: &FrameRecord) -> &str {
    frame.function.as_deref().or(frame.unresolved_reason.as_deref()).unwrap_or("unnamed")
}

fn one_frame(html: &mut Html, frame: &FrameRecord, names: &Names<'_>) {
    let differs = names.differing.contains(&frame.frame_index);
    html.raw(if differs { "<details class=\"frame\" open><summary class=\"bad\">" } else { "<details class=\"frame\"><summary>" });
    html.raw("<span class=\"soft mono\">#").text(&frame.frame_index.to_string()).raw("</span> ");
    html.element("span", if frame.function.is_some() { "mono" } else { "soft mono" }, title(frame));
    if let (Some(file), Some(line)) = (&frame.file, frame.line) {
        html.raw(" ").element("span", "soft mono", &format!("{file}:{line}"));
    }
    html.raw(" ").element("span", "tag", &word(&frame.rule)).raw(" ");
    html.element("span", "tag", &frame.resolver.map_or_else(|| "unresolved".to_owned(), |resolver| word(&resolver)));
    if frame.boundary != Boundary::None {
        html.raw(" ").element("span", "tag", &word(&frame.boundary));
    }
    html.raw("</summary>\n<dl>\n");
    derivation(html, frame, names);
    html.raw("</dl></details>\n");
}

/// From the address to the name, in the order of the derivation.
fn derivation(html: &mut Html, frame: &FrameRecord, names: &Names<'_>) {
    let module = frame.module_id.as_ref();
    html.definition("address in the module", &frame.module_rel_addr.to_string());
    html.definition("module", module.and_then(|id| names.paths.get(id)).copied().unwrap_or("none"));
    html.definition("module id", &module.map_or_else(String::new, |id| format!("{} {}", word(&id.kind), id.id)));
    html.definition("context", &word(&frame.context));
    let offset = frame.rule_offset.map_or_else(String::new, |offset| format!(", entry at {offset:#x} of the section"));
    html.definition("found by", &format!("{} ({}){offset}", word(&frame.rule), word(&frame.unwinder)));
    let mismatch = if frame.unwind_mismatch { "; bundle and capture hold different rows" } else { "" };
    html.definition("unwind data from", &format!("{}{mismatch}", word(&frame.unwind_source)));
    let failed: Vec<String> = frame.failed_rules.iter().map(|failed| format!("{}: {}", word(&failed.rule), word(&failed.reason))).collect();
    html.definition("rules that failed first", &failed.join("; "));
    html.definition("named by", &frame.resolver.map_or_else(String::new, |resolver| word(&resolver)));
    html.definition("name read from", frame.source.as_deref().unwrap_or_default());
    html.definition("symbol bundle", &frame.bundle_sha256.map_or_else(String::new, |digest| digest.to_string()));
    let offset = frame
        .symbol_offset
        .map_or_else(String::new, |offset| format!(" {} {:#x}", if offset < 0 { '-' } else { '+' }, offset.unsigned_abs()));
    html.definition("function", &frame.function.as_ref().map_or_else(String::new, |function| format!("{function}{offset}")));
    html.definition("linkage name", frame.function_raw.as_deref().unwrap_or_default());
    html.definition("all names there", &frame.aliases.join(", "));
    for inline in &frame.inlines {
        let file = inline.file.as_deref().unwrap_or("unknown file");
        html.definition("inlined", &format!("{} at {file}:{}", inline.function, inline.line));
    }
    let line = frame.line.map_or_else(String::new, |line| format!(":{line}"));
    html.definition("file and line", &frame.file.as_ref().map_or_else(String::new, |file| format!("{file}{line}")));
    html.definition("segment", &frame.segment.to_string());
    html.definition("no name because", frame.unresolved_reason.as_deref().unwrap_or_default());
}
