//! How the capture was made: probe object, kernel types, and the counters of each probe. Absent where there was none of these (ptrace, core).

use sealtrace_trace::{BtfRecord, BtfUse, MicroWitness, ProbeRecord};

use crate::html::Html;

pub(crate) fn making(html: &mut Html, witness: &MicroWitness) {
    let MicroWitness { probe_object, btf_source, probes, .. } = witness;
    if probe_object.is_none() && btf_source.used.is_none() && probes.is_empty() {
        return;
    }
    html.element("h2", "", "How the capture was made").raw("\n<dl>\n");
    if let Some(object) = probe_object {
        html.definition("probe object", &object.name);
        html.definition("its digest", &format!("sha256:{}", object.sha256));
    }
    if let Some(used) = &btf_source.used {
        kernel_types(html, btf_source, used);
    }
    html.raw("</dl>\n");
    steps(html, btf_source.used.as_ref());
    counters(html, probes);
}

fn kernel_types(html: &mut Html, source: &BtfRecord, used: &BtfUse) {
    html.definition("kernel types from", source.source_path.as_deref().unwrap_or(&source.source_kind));
    html.definition(
        "their digest",
        &source.sha256.as_ref().map_or_else(String::new, |sha256| format!("sha256:{sha256}, {} bytes", used.bytes)),
    );
    html.definition("reduced to what the probe object uses", &format!("sha256:{}", used.reduced_sha256));
    html.definition("kernel build-id", used.kernel_build_id.as_deref().unwrap_or("the kernel tells none"));
    html.definition("bound to this kernel by", key(used.key.as_deref()));
    let counts = used.relocations;
    html.definition(
        "relocations",
        &format!("{} of {} resolved; missing, and the object asks first: {}", counts.resolved, counts.total, counts.guarded_missing),
    );
    html.definition("canary, found equal", &used.canary);
}

fn key(key: Option<&str>) -> &str {
    match key {
        None => "nothing needed: the kernel's own",
        Some("build-id") => "its build-id",
        Some("tuple") => "distribution, version, architecture and release",
        Some("unbound") => "nothing: whoever captured said to use it anyway",
        Some(other) => other,
    }
}

fn steps(html: &mut Html, used: Option<&BtfUse>) {
    let steps = used.map(|used| used.steps.as_slice()).unwrap_or_default();
    if steps.is_empty() {
        return;
    }
    html.table(&["step of choosing kernel types", "outcome"]);
    for step in steps {
        html.row(&[&step.step, &step.outcome]);
    }
    html.end_table();
}

fn counters(html: &mut Html, probes: &[ProbeRecord]) {
    if probes.is_empty() {
        return;
    }
    html.table(&["probe", "attached to", "hits in the kernel", "delivered", "lost", "rate limited", "filtered"]);
    for probe in probes {
        let loss = probe.loss;
        let counts = [loss.kernel_hits, loss.delivered, loss.ring_lost, loss.rate_limited, loss.filtered].map(|count| count.to_string());
        let [hits, delivered, lost, limited, filtered] = &counts;
        html.row(&[&probe.probe_type, &probe.attach_point, hits, delivered, lost, limited, filtered]);
    }
    html.end_table();
}
