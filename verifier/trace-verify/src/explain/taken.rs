//! The steps that tell how the capture was taken, and why the stack ends where it does.
//!
//! Not here: what the capture holds of the frame (`steps.rs`).

use sealtrace_card::walk_end;
use sealtrace_trace::{BtfRecord, BtfUse, CaptureHeader, StackRecord};

use super::steps::{Step, quoted};

/// Probe object, kernel types and counters of each probe; nothing where none was used (ptrace, core).
pub(super) fn taken_step(header: &CaptureHeader) -> Option<Step> {
    if header.probe_object.is_none() && header.btf_source.used.is_none() && header.probes.is_empty() {
        return None;
    }
    let mut step = Step::new(
        "taken",
        "the kernel took the samples, by the probe object and with the kernel types named here; each probe has its counters",
    );
    if let Some(object) = &header.probe_object {
        step = step.value("objectName", &object.name).value("objectSha256", &object.sha256);
    }
    if let Some(used) = &header.btf_source.used {
        step = kernel_types(step, &header.btf_source, used);
    }
    for (number, probe) in (1..).zip(&header.probes) {
        let loss = probe.loss;
        let counts = format!(
            "hits {}, delivered {}, lost {}, rate limited {}, filtered {}",
            loss.kernel_hits, loss.delivered, loss.ring_lost, loss.rate_limited, loss.filtered
        );
        step = step.value(&format!("probe{number}"), format_args!("{} at {}: {counts}", probe.probe_type, probe.attach_point));
    }
    Some(step)
}

fn kernel_types(step: Step, source: &BtfRecord, used: &BtfUse) -> Step {
    let counts = used.relocations;
    let mut step = step
        .value("btfSource", format_args!("{}: {}", source.source_kind, source.selection_reason))
        .value("btfSha256", source.sha256.as_deref().unwrap_or("none"))
        .value("btfBytes", used.bytes)
        .value("btfKey", used.key.as_deref().unwrap_or("the kernel's own"))
        .value("reducedSha256", &used.reduced_sha256)
        .value("kernelBuildId", used.kernel_build_id.as_deref().unwrap_or("none"))
        .value(
            "relocations",
            format_args!("{} resolved, {} missing and asked for first, of {}", counts.resolved, counts.guarded_missing, counts.total),
        )
        .value("canary", &used.canary);
    for (number, chosen) in (1..).zip(&used.steps) {
        step = step.value(&format!("btfStep{number}"), format_args!("{}: {}", chosen.step, chosen.outcome));
    }
    match &source.source_path {
        // Elsewhere the path is that of a file or an archive that holds the BTF, so its digest is another.
        Some(path) if source.source_kind == "kernel" => step.value("btfPath", path).command(format!("sha256sum {}", quoted(path))),
        Some(path) => step.value("btfPath", path),
        None => step,
    }
}

/// Why there is no frame after this one; nothing where there is.
pub(super) fn end_step(stack: &StackRecord, position: usize) -> Option<Step> {
    if position.checked_add(1)? != stack.frames.len() {
        return None;
    }
    let ended = serde_json::to_value(stack.terminated_by).ok()?;
    let mut step = Step::new("end", format!("the stack ends with this frame: {}", walk_end(stack.terminated_by)))
        .value("terminatedBy", ended.as_str().unwrap_or_default());
    for (number, failed) in (1..).zip(&stack.failed_rules) {
        step = step.value(&format!("tried{number}"), serde_json::to_string(failed).unwrap_or_default());
    }
    Some(step)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn header(kind: &str, used: &Value) -> CaptureHeader {
        let hex = "ab".repeat(32);
        let loss = json!({"kernelHits": 12, "delivered": 5, "ringLost": 4, "rateLimited": 0, "filtered": 3});
        let mut header = json!({
            "record": "header", "captureVersion": 0, "platform": "linux", "backend": "ebpf", "capturedAt": "2026-01-01T00:00:00Z",
            "host": {"kernelRelease": "6.1.0", "arch": "x86_64", "osRelease": "debian 12", "bootIdHash": null},
            "probeObject": null, "btfSource": {"sourceKind": kind, "sourcePath": null, "sha256": null, "selectionReason": "because"},
            "sampling": {"frequency": 99, "durationMs": 10, "rounds": 1}, "libc": {"variant": "unknown", "version": "unknown"},
            "mainModule": null, "regions": [], "rows": [], "loss": loss,
            "privacyProfile": {"id": "read-set-only/v0", "sha256": hex}, "raw": false,
        });
        if !used.is_null() {
            header["probeObject"] = json!({"name": "sealtrace.bpf.o", "sha256": hex});
            header["btfSource"]["used"] = used.clone();
            header["btfSource"]["sha256"] = json!(hex);
            header["btfSource"]["sourcePath"] = json!("/sys/kernel/btf/vm linux");
            header["probes"] = json!([{"probeType": "PerfSample", "attachPoint": "cpu-clock", "loss": loss}]);
        }
        serde_json::from_value(header).unwrap()
    }

    #[test]
    fn what_the_kernel_took_is_told_whole_and_what_it_did_not_take_is_not() {
        assert!(taken_step(&header("none", &Value::Null)).is_none());
        let used = json!({
            "bytes": 755, "kernelBuildId": null, "key": null, "reducedSha256": "cd".repeat(32), "canary": "process id",
            "relocations": {"total": 30, "resolved": 28, "guardedMissing": 2}, "steps": [{"step": "kernel", "outcome": "found"}]
        });
        let step = taken_step(&header("kernel", &used)).unwrap();
        let expected = [
            ("objectName", "sealtrace.bpf.o"),
            ("btfSource", "kernel: because"),
            ("btfBytes", "755"),
            ("reducedSha256", &"cd".repeat(32)),
            ("relocations", "28 resolved, 2 missing and asked for first, of 30"),
            ("canary", "process id"),
            ("btfStep1", "kernel: found"),
            ("probe1", "PerfSample at cpu-clock: hits 12, delivered 5, lost 4, rate limited 0, filtered 3"),
        ];
        for (key, value) in expected {
            assert_eq!(step.values.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert_eq!(step.commands, ["sha256sum '/sys/kernel/btf/vm linux'"]);
        // Printed in a column of 16.
        assert!(step.values.keys().all(|key| key.len() < 16), "{:?}", step.values.keys());
        assert_eq!(taken_step(&header("bundle", &used)).unwrap().commands, [""; 0]);
    }

    #[test]
    fn the_last_frame_of_a_stack_says_why_there_is_no_other() {
        let frame = json!({
            "frameIndex": 0, "context": "user", "moduleId": null, "moduleRelAddr": "0x1", "unwinder": "cfi", "rule": "context", "ruleOffset": null,
            "unwindSource": "capture", "unwindMismatch": false, "failedRules": [], "resolver": null, "source": null, "bundleSha256": null,
            "function": null, "functionRaw": null, "aliases": [], "symbolOffset": null, "file": null, "line": null, "inlines": [], "segment": 0,
            "boundary": "none", "unresolvedReason": null
        });
        let failed = json!([{"rule": "cfi:eh_frame", "reason": "outside-stack-copy"}]);
        let stack = json!({"frames": [frame, frame], "terminatedBy": "stack-copy-limit", "failedRules": failed});
        let stack: StackRecord = serde_json::from_value(stack).unwrap();
        assert!(end_step(&stack, 0).is_none());
        let step = end_step(&stack, 1).unwrap();
        assert!(step.says.contains("did not copy"), "{}", step.says);
        assert_eq!(step.values["terminatedBy"], "stack-copy-limit");
        assert!(step.values["tried1"].contains("outside-stack-copy"));
    }
}
