//! `trace-verify explain CODE`: what a check means, why it fails, what to do.

use std::path::Path;

use sealtrace_console::{ExitCode, Failure, Outcome, escape, print, print_json};
use sealtrace_verdict::codes;
use serde_json::json;

/// Explains a check by its id.
pub(crate) fn run(code: &Path, json: bool) -> Outcome {
    let shown = code.display().to_string();
    let Some(text) = codes::explain(&shown) else {
        let known: Vec<&str> = codes::all().map(|text| text.id).collect();
        let failure = Failure::new(ExitCode::NoVerdict, format_args!("{} is the id of no check, and no --frame was given", escape(&shown)));
        let ids = known.join(", ");
        return Err(failure.hint(format_args!("for a frame: trace-verify explain TRACE --frame N; the checks are: {ids}")));
    };
    if json {
        print_json(&json!({"id": text.id, "means": text.means, "fails": text.fails, "next": text.next}));
    } else {
        print(text.id);
        print(&format!("holds when  {}", text.means));
        print(&format!("fails when  {}", text.fails));
        print(&format!("then        {}", text.next));
    }
    Ok(ExitCode::Done)
}
