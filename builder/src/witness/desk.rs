//! One request: decided on the state, recorded, and only then signed.

use sealtrace_tlog::{AddCheckpoint, CosignRefusal, Cosignable, NoteKey, NoteSignature, TreeHead, WitnessedLog, decide};
use sealtrace_verdict::UnixTime;

use super::error::WitnessError;
use super::state::{LogState, WitnessState};

/// A cosignature that may be given out.
#[derive(Debug)]
pub(crate) struct Cosigned {
    /// The signature line.
    pub(crate) line: NoteSignature,
    /// The log's name.
    pub(crate) origin: String,
    /// The tree.
    pub(crate) tree: TreeHead,
    /// The tree cosigned before; `None` at the first.
    pub(crate) before: Option<TreeHead>,
    /// The log witness's clock was later than this when it cosigned last: it was set back.
    pub(crate) clock_before: Option<UnixTime>,
}

/// Cosigns as C2SP tlog-witness has it.
///
/// # Errors
/// [`WitnessError`]; the state is as it was.
pub(crate) fn cosign(state: &WitnessState, keys: &[NoteKey], request: &AddCheckpoint, time: UnixTime) -> Result<Cosigned, WitnessError> {
    let mut log = state.log(&request.checkpoint.checkpoint().origin)?;
    let cosignable = judge(&log, keys, request)?;
    sign(state, &mut log, &cosignable, time)
}

/// As [`cosign`], and the tree that was cosigned last is cosigned again whatever size the request leads from: a courier who lost the
/// answer carries the same request once more.
///
/// # Errors
/// [`WitnessError`]; the state is as it was.
pub(crate) fn cosign_again(
    state: &WitnessState,
    keys: &[NoteKey],
    request: &AddCheckpoint,
    time: UnixTime,
) -> Result<Cosigned, WitnessError> {
    let said = request.checkpoint.checkpoint();
    let mut log = state.log(&said.origin)?;
    let again = AddCheckpoint { old: said.tree.size, proof: Vec::new(), checkpoint: request.checkpoint.clone() };
    let request = if log.tree() == Some(said.tree) { &again } else { request };
    let cosignable = judge(&log, keys, request)?;
    sign(state, &mut log, &cosignable, time)
}

fn judge(log: &LogState, keys: &[NoteKey], request: &AddCheckpoint) -> Result<Cosignable, WitnessError> {
    let origin = &request.checkpoint.checkpoint().origin;
    let keys: Vec<NoteKey> = keys.iter().filter(|key| key.name().as_str() == origin).cloned().collect();
    // A log without a key is not known.
    let known = if keys.is_empty() { Vec::new() } else { vec![WitnessedLog { origin: origin.clone(), keys, last: log.tree() }] };
    decide(request, &known).map_err(|refusal| {
        let evidence = if refusal.is_fork() { log.keep_evidence(&request.checkpoint).unwrap_or(None) } else { None };
        WitnessError::Refused { refusal: Box::<CosignRefusal>::new(refusal), evidence }
    })
}

fn sign(state: &WitnessState, log: &mut LogState, cosignable: &Cosignable, time: UnixTime) -> Result<Cosigned, WitnessError> {
    let (before, last) = (log.tree(), log.time());
    let recorded = log.record(cosignable, time)?;
    let line = state.key().cosign(recorded.cosignable(), time)?;
    Ok(Cosigned {
        line,
        origin: cosignable.checkpoint().checkpoint().origin.clone(),
        tree: cosignable.tree(),
        before,
        clock_before: last.filter(|last| *last > time),
    })
}
