//! `trace-verify DIR`: every trace of a folder and those below, one verdict each, in the memory of one trace and the bundles they rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, Progress, escape, note, print, print_json};
use sealtrace_digest::BlobDigest;
use sealtrace_verdict::{Assurance, Check, Conclusion, TimeInterval, Verdict};
use serde::Serialize;
use serde_json::json;

use crate::bundle;
use crate::cli::VerifyArgs;
use crate::judge::Judged;
use crate::render;
use crate::run::judge_file;
use crate::world::World;

/// The ending of the files that are traces.
const ENDING: &str = ".sigstore.json";
/// The deepest folder looked into (ours).
const MAX_DEPTH: usize = 32;
/// The most traces of one run (ours: a million names take about 200 MB).
const MAX_TRACES: usize = 1_000_000;

/// Verifies every `*.sigstore.json` of a folder, in order of path. A trace that cannot be judged has a line of its own and stops nothing.
pub(crate) fn verify(folder: &Path, args: &VerifyArgs) -> Outcome {
    if args.world.capture.is_some() {
        return Err(Failure::new(ExitCode::NoVerdict, "--capture names the capture of one trace, and a folder was given")
            .hint("leave --capture out: captures are looked for beside each trace and in the store"));
    }
    let world = World::open(&args.world)?;
    let mut traces = Vec::new();
    collect(folder, 0, &mut traces)?;
    traces.sort();
    if traces.is_empty() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} holds no *{ENDING}", shown(folder)))
            .hint("name the folder that trace-resolve wrote traces to"));
    }
    let progress = Progress::start("verify", traces.len());
    let (mut tally, mut taught) = (Tally::default(), Taught::default());
    for trace in &traces {
        let exit = one(trace, &world, args, &mut taught).unwrap_or_else(|failure| report_failure(trace, &failure, args));
        tally.count(exit);
        progress.advance();
    }
    drop(progress);
    tally.report(args);
    Ok(tally.exit())
}

/// What the state has learned in this run: many traces teach it the same.
#[derive(Debug, Default)]
struct Taught {
    bundles: BTreeSet<BlobDigest>,
    latest: Option<String>,
}

impl Taught {
    /// Whether a verdict says anything that was not kept yet.
    fn is_news(&mut self, judged: &Judged) -> bool {
        let not_after = judged.verdict.time().not_after.clone();
        let later = not_after > self.latest;
        self.latest = self.latest.take().max(not_after);
        let mut new_bundle = false;
        for bundle in judged.bundles() {
            new_bundle |= self.bundles.insert(bundle.digest());
        }
        later || new_bundle || !judged.verdict.exhibits().is_empty()
    }
}

fn one(trace: &Path, world: &World, args: &VerifyArgs, taught: &mut Taught) -> Result<ExitCode, Failure> {
    let judged = judge_file(trace, world, None)?;
    if taught.is_news(&judged) {
        world.judging.keep(&judged.verdict, judged.bundles());
    }
    let verdict = bundle::without_skipped(judged.verdict, &args.skip)?;
    report(trace, &verdict, args);
    Ok(verdict.exit())
}

fn report(trace: &Path, verdict: &Verdict, args: &VerifyArgs) {
    if args.output.json {
        match serde_json::to_string(&Line::of(trace, verdict)) {
            Ok(line) => print(&line),
            Err(error) => note(&format!("result cannot be written as JSON: {error}")),
        }
        return;
    }
    for (check, reason) in render::warnings(verdict) {
        note(&format!("warning: {}: {}: {}", shown(trace), check.id, escape(reason)));
    }
    let reason = verdict.decisive().map_or_else(String::new, |check| format!("  {}", render::because(check)));
    print(&format!("{}  {}{reason}", render::word(verdict.conclusion()), shown(trace)));
}

/// A verdict's JSON and whose it is, in canonical order as it is written: a folder has many.
#[derive(Serialize)]
struct Line<'a> {
    assurance: Assurance,
    checks: &'a [Check],
    exit: u8,
    time: &'a TimeInterval,
    trace: String,
    verdict: Conclusion,
}

impl<'a> Line<'a> {
    fn of(trace: &Path, verdict: &'a Verdict) -> Self {
        Self {
            assurance: verdict.assurance(),
            checks: verdict.checks(),
            exit: verdict.exit().code(),
            time: verdict.time(),
            trace: trace.display().to_string(),
            verdict: verdict.conclusion(),
        }
    }
}

fn report_failure(trace: &Path, failure: &Failure, args: &VerifyArgs) -> ExitCode {
    if args.output.json {
        let error = json!({"exit": failure.exit().code(), "message": failure.message()});
        print_json(&json!({"trace": trace.display().to_string(), "error": error}));
    } else {
        let conclusion = if failure.exit() == ExitCode::Malformed { Conclusion::Malformed } else { Conclusion::Undecided };
        print(&format!("{}  {}  {}", render::word(conclusion), shown(trace), failure.message()));
    }
    failure.exit()
}

/// How many traces came to which exit code.
#[derive(Debug, Default)]
struct Tally {
    by_exit: BTreeMap<u8, u64>,
}

impl Tally {
    fn count(&mut self, exit: ExitCode) {
        let counter = self.by_exit.entry(exit.code()).or_default();
        *counter = counter.saturating_add(1);
    }

    fn of(&self, exit: ExitCode) -> u64 {
        self.by_exit.get(&exit.code()).copied().unwrap_or(0)
    }

    /// What is worst decides: hostile input, then a rejection, then whatever has no verdict.
    fn exit(&self) -> ExitCode {
        let worst = [ExitCode::Malformed, ExitCode::Rejected, ExitCode::NoVerdict];
        worst.into_iter().find(|exit| self.of(*exit) > 0).unwrap_or(ExitCode::Done)
    }

    fn report(&self, args: &VerifyArgs) {
        let (verified, rejected) = (self.of(ExitCode::Done), self.of(ExitCode::Rejected));
        let (undecided, malformed) = (self.of(ExitCode::NoVerdict), self.of(ExitCode::Malformed));
        if args.output.json {
            print_json(&json!({
                "event": "verify.summary", "verified": verified, "rejected": rejected, "undecided": undecided, "malformed": malformed,
            }));
            return;
        }
        print(&format!("{verified} verified, {rejected} rejected, {undecided} undecided, {malformed} malformed"));
        if self.exit() != ExitCode::Done {
            note("  next: look at one of them alone: trace-verify TRACE");
        }
    }
}

/// Finds the traces below a folder. Links are not followed: a loop of them would never end.
fn collect(folder: &Path, depth: usize, traces: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} lies deeper than {MAX_DEPTH} folders", shown(folder))));
    }
    let failed = |error: &std::io::Error| Failure::io("list", folder, error);
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        if kind.is_dir() {
            collect(&entry.path(), depth.saturating_add(1), traces)?;
        } else if kind.is_file() && entry.file_name().to_string_lossy().ends_with(ENDING) {
            if traces.len() >= MAX_TRACES {
                return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} holds more than {MAX_TRACES} traces", shown(folder)))
                    .hint("verify the folders below it one by one"));
            }
            traces.push(entry.path());
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use sealtrace_verdict::Checks;

    use super::*;

    #[test]
    fn a_line_is_the_verdict_and_its_trace_in_canonical_order() {
        let mut checks = Checks::new();
        checks.compare("inclusion", "a", "b");
        checks.narrow_time(&TimeInterval {
            not_after: Some("2026-01-01T00:00:00Z".to_owned()),
            not_before: None,
            sources: vec!["s".into()],
        });
        let verdict = checks.conclude(Assurance::Signed);
        let mut expected = serde_json::to_value(&verdict).unwrap();
        expected["trace"] = json!("a/b.sigstore.json");
        let line = serde_json::to_string(&Line::of(Path::new("a/b.sigstore.json"), &verdict)).unwrap();
        assert_eq!(line, expected.to_string());
    }
}
