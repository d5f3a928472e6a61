//! What must agree inside a capture beyond its shape: counters with samples, probe by probe, and the record of the BTF with itself.
//!
//! Not here: order and limits (`capture_file.rs`); whether what is said is true, which no file can show.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_unwind::Place;

use crate::capture::{BtfRecord, BtfUse, CaptureHeader, Loss, Sample};
use crate::capture_file::CaptureError;

/// A probe as samples name it: probe type and attach point.
type Key<'a> = (&'a str, &'a str);

/// The counters add up, over the capture and probe by probe, and count the samples that there are.
pub(crate) fn counters(header: &CaptureHeader, samples: &[Sample]) -> Result<(), CaptureError> {
    let loss = &header.loss;
    if !adds_up(loss) {
        return Err(wrong(format!("kernelHits {} is not the sum of its parts", loss.kernel_hits)));
    }
    let counted = samples.iter().try_fold(0_u64, |sum, sample| sum.checked_add(sample.count));
    if counted != Some(loss.delivered) {
        return Err(wrong(format!("delivered is {}, the samples count {counted:?}", loss.delivered)));
    }
    if header.probes.is_empty() { Ok(()) } else { probes(header, samples) }
}

fn probes(header: &CaptureHeader, samples: &[Sample]) -> Result<(), CaptureError> {
    let mut counted: BTreeMap<Key<'_>, u64> = BTreeMap::new();
    for probe in &header.probes {
        let key = (probe.probe_type.as_str(), probe.attach_point.as_str());
        if counted.insert(key, 0).is_some() {
            return Err(wrong(format!("probe {} is listed twice", name(key))));
        }
    }
    for sample in samples {
        let key = (sample.probe_type.as_str(), sample.attach_point.as_str());
        let count =
            counted.get_mut(&key).ok_or_else(|| wrong(format!("a sample is of {}, which is no probe of this capture", name(key))))?;
        // All samples together were counted without overflow.
        *count = count.saturating_add(sample.count);
    }
    let mut sum = Some(Loss::default());
    for probe in &header.probes {
        let key = (probe.probe_type.as_str(), probe.attach_point.as_str());
        if !adds_up(&probe.loss) {
            return Err(wrong(format!("kernelHits {} of {} is not the sum of its parts", probe.loss.kernel_hits, name(key))));
        }
        let samples = counted.get(&key).copied();
        if samples != Some(probe.loss.delivered) {
            return Err(wrong(format!("delivered of {} is {}, its samples count {samples:?}", name(key), probe.loss.delivered)));
        }
        sum = sum.and_then(|sum| plus(&sum, &probe.loss));
    }
    if sum == Some(header.loss) { Ok(()) } else { Err(wrong("the probes do not add up to the capture".to_owned())) }
}

fn name((probe_type, attach_point): Key<'_>) -> String {
    format!("{probe_type:?} at {attach_point:?}")
}

fn adds_up(loss: &Loss) -> bool {
    let parts = [loss.delivered, loss.ring_lost, loss.rate_limited, loss.filtered];
    parts.iter().try_fold(0_u64, |sum, &part| sum.checked_add(part)) == Some(loss.kernel_hits)
}

/// Field by field; `None` past 2^64.
fn plus(one: &Loss, other: &Loss) -> Option<Loss> {
    Some(Loss {
        kernel_hits: one.kernel_hits.checked_add(other.kernel_hits)?,
        delivered: one.delivered.checked_add(other.delivered)?,
        ring_lost: one.ring_lost.checked_add(other.ring_lost)?,
        rate_limited: one.rate_limited.checked_add(other.rate_limited)?,
        filtered: one.filtered.checked_add(other.filtered)?,
    })
}

fn wrong(what: String) -> CaptureError {
    CaptureError::Counters { what }
}

/// A place has one answer: a word, unreadable, or not copied. Otherwise a reader could choose where a walk ends.
pub(crate) fn one_answer(line: usize, sample: &Sample) -> Result<(), CaptureError> {
    let words: BTreeSet<Place> = sample.words.iter().map(|&(at, _)| at).collect();
    let unreadable: BTreeSet<Place> = sample.unreadable.iter().copied().collect();
    let second = |what, places: &BTreeSet<Place>| match sample.not_copied.iter().find(|at| places.contains(at)) {
        Some(&place) => Err(CaptureError::TwoAnswers { line, place, what }),
        None => Ok(()),
    };
    second("words", &words)?;
    second("unreadable", &unreadable)
}

/// Digests of what the capture was made with are digests, and the record of the BTF agrees with itself.
pub(crate) fn made_with(header: &CaptureHeader) -> Result<(), CaptureError> {
    if header.probe_object.as_ref().is_some_and(|object| !is_sha256(&object.sha256)) {
        return Err(btf("sha256 of the probe object is no SHA-256 in lower-case hex"));
    }
    let record = &header.btf_source;
    match (record.source_kind.as_str(), &record.used) {
        ("none", None) if record.sha256.is_none() && record.source_path.is_none() => Ok(()),
        ("none", _) => Err(btf("btfSource names a BTF though its sourceKind is none")),
        ("kernel" | "split" | "external" | "bundle", Some(used)) => used_btf(record, used),
        ("kernel" | "split" | "external" | "bundle", None) => Err(btf("btfSource does not say how the BTF was used")),
        _ => Err(btf("sourceKind of btfSource is none that is known")),
    }
}

fn used_btf(record: &BtfRecord, used: &BtfUse) -> Result<(), CaptureError> {
    if !record.sha256.as_deref().is_some_and(is_sha256) || !is_sha256(&used.reduced_sha256) {
        return Err(btf("sha256 or reducedSha256 of the BTF is no SHA-256 in lower-case hex"));
    }
    let counts = used.relocations;
    if counts.resolved.checked_add(counts.guarded_missing) != Some(counts.total) {
        return Err(btf("relocations: total is not resolved and guardedMissing together"));
    }
    Ok(())
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn btf(what: &str) -> CaptureError {
    CaptureError::Header { what: what.to_owned() }
}
