//! `symbol-bundle log submit --pending`: every bundle that waits for a log is logged; what cannot be stays pending.

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use serde_json::json;

use super::append::{append, logged_json};
use super::queue_args::QueueArgs;
use super::target::TargetArgs;
use crate::attach::{AttachError, Logged, TrustFolder, check_loggable};
use crate::layout_dir::LayoutDir;
use crate::pending::{PendingItem, Queue};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct SubmitArgs {
    /// Every pending bundle
    #[arg(long, required = true)]
    pending: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Why an item stays pending.
struct Kept {
    item: PendingItem,
    failure: Failure,
    /// Others that ask the same log will fare no better now.
    log_is_away: bool,
}

/// Runs the command.
pub(super) fn run(args: &SubmitArgs) -> Outcome {
    let queue = args.queue.queue()?;
    if !queue.exists() {
        return Ok(report(args, &[], &[]));
    }
    let failed = |error| Failure::from(&error);
    let _alone = queue.submitting().map_err(failed)?;
    let (mut submitted, mut kept) = (Vec::new(), Vec::<Kept>::new());
    for item in queue.items().map_err(failed)? {
        let same_log = |kept: &&Kept| kept.log_is_away && (names_log(args) || kept.item.log == item.log);
        if let Some(before) = kept.iter().find(same_log) {
            let failure = Failure::new(before.failure.exit(), format_args!("not tried: {}", before.failure.message()));
            kept.push(Kept { item, failure, log_is_away: false });
            continue;
        }
        match submit(args, &queue, &item) {
            Ok(done) => submitted.push(done),
            Err((failure, log_is_away)) => kept.push(Kept { item, failure, log_is_away }),
        }
    }
    Ok(report(args, &submitted, &kept))
}

fn names_log(args: &SubmitArgs) -> bool {
    args.target.log.is_some() || args.target.rekor.is_some()
}

/// Logs one bundle, then forgets that it waited: in this order, since logging again is harmless and forgetting is not.
fn submit(args: &SubmitArgs, queue: &Queue, item: &PendingItem) -> Result<serde_json::Value, (Failure, bool)> {
    let failed = |failure: Failure| (failure, false);
    let layout = LayoutDir::open(&item.layout).map_err(|error| failed(error.into()))?;
    let folder = TrustFolder::at(&item.trust);
    let loggable = check_loggable(&layout, &folder).map_err(|error| failed(error.into()))?;
    if loggable.bundle.to_string() != item.manifest_digest {
        let found = loggable.bundle;
        return Err(failed(
            Failure::new(
                ExitCode::NoVerdict,
                format_args!("the layout now holds {found}, and {} was deferred", escape(&item.manifest_digest)),
            )
            .hint("if the newer bundle is the right one, defer it: symbol-bundle log append LAYOUT --defer"),
        ));
    }
    let target = args.target.or_kept(item.log.as_ref()).open(&folder).map_err(failed)?;
    let target = target.ok_or_else(|| {
        failed(Failure::new(ExitCode::NoVerdict, "no log was named, then or now").hint("name one: --log DIR or --rekor URL"))
    })?;
    let (logged, already): (Logged, bool) = append(&layout, &target, &folder).map_err(|error: AttachError| {
        let away = error.may_pass();
        (Failure::from(error), away)
    })?;
    queue.remove(&item.layout).map_err(|error| failed(Failure::from(&error)))?;
    let mut report = logged_json(&logged, &folder, already);
    if let Some(report) = report.as_object_mut() {
        report.insert("layout".to_owned(), json!(item.layout));
    }
    Ok(report)
}

/// What was done; the exit code of the first bundle that stays pending.
fn report(args: &SubmitArgs, submitted: &[serde_json::Value], kept: &[Kept]) -> ExitCode {
    let exit = kept.first().map_or(ExitCode::Done, |kept| kept.failure.exit());
    if args.output.json {
        let kept = kept.iter().map(|kept| {
            json!({
                "manifestDigest": kept.item.manifest_digest, "layout": kept.item.layout,
                "error": { "exit": kept.failure.exit().code(), "message": kept.failure.message() },
            })
        });
        print_json(&json!({ "submitted": submitted, "pending": kept.collect::<Vec<_>>() }));
        return exit;
    }
    for done in submitted {
        let text =
            |name: &str| done.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default();
        print(&format!("logged: {} in {} at index {}", text("manifestDigest"), text("origin"), text("index")));
    }
    for kept in kept {
        print(&format!("still pending: {} {}", escape(&kept.item.manifest_digest), escape(&kept.item.layout.display().to_string())));
        note(&format!("  {}", kept.failure.message()));
    }
    if submitted.is_empty() && kept.is_empty() {
        print("nothing is pending");
    }
    if !kept.is_empty() {
        let log = if kept.iter().any(|kept| kept.item.log.is_none() && !names_log(args)) { " --log DIR (or --rekor URL)" } else { "" };
        note(&format!("next: symbol-bundle log submit --pending{}{log}", args.queue.again()));
    }
    exit
}
