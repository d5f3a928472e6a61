//! What the command-line tools share: failures with a hint, exit codes, stdout for data, colours and progress for people, the store's place.
//!
//! A device crate: it reads the environment and writes to the terminal. Not here: any decision.
#![forbid(unsafe_code)]

mod args;
mod color;
mod file;
mod progress;

use std::fmt::Display;
use std::path::PathBuf;

pub use args::{OutputArgs, parse};
pub use color::{ColorChoice, Stream, Tone, paint};
pub use file::{Overwrite, ResultFile, write_all, write_atomic};
pub use progress::Progress;
pub use sealtrace_verdict::ExitCode;
use serde::Serialize;

/// The memory of the static tools. The allocator of musl asks the kernel for pages and gives them back at every turn, which takes half of the
/// time of a folder of witnesses; this one is Rust as well.
#[cfg(target_env = "musl")]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Why a command ends without success: what, where, why it matters, and the next command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: ExitCode,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure with an exit code and a one-line message (lower case, no full stop).
    pub fn new(exit: ExitCode, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }

    /// A failure from an error: its message and those of its sources.
    pub fn from_error(exit: ExitCode, context: &str, error: &dyn std::error::Error) -> Self {
        let mut message = format!("{context}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self { exit, message, hint: None }
    }

    /// A file that cannot be read or written: exit 2.
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(ExitCode::NoVerdict, format_args!("cannot {doing} {}: {error}", escape(&path.display().to_string())))
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// What went wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The exit code.
    pub fn exit(&self) -> ExitCode {
        self.exit
    }
}

/// What every command's `run` returns: the exit code of a command that reported for itself, or a failure to report.
pub type Outcome = Result<ExitCode, Failure>;

/// Arguments of every command that uses the store.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct StoreArgs {
    /// The store's folder.
    #[arg(
        long,
        value_name = "DIR",
        help = "The store [default: $SEALTRACE_STORE, else /var/lib/sealtrace for root, $XDG_DATA_HOME/sealtrace otherwise]"
    )]
    store: Option<PathBuf>,
}

impl StoreArgs {
    /// The option as it was given, for a next step.
    pub fn given(&self) -> Option<&std::path::Path> {
        self.store.as_deref()
    }

    /// The store's folder (DESIGN, *Interface*). `is_root`: whether the effective user is root.
    ///
    /// # Errors
    /// When neither the option nor the environment names one.
    pub fn path(&self, is_root: bool) -> Result<PathBuf, Failure> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.store
            .clone()
            .or_else(|| variable("SEALTRACE_STORE"))
            .or_else(|| is_root.then(|| PathBuf::from("/var/lib/sealtrace")))
            .or_else(|| variable("XDG_DATA_HOME").map(|data| data.join("sealtrace")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/share/sealtrace")))
            .ok_or_else(|| {
                Failure::new(ExitCode::NoVerdict, "no store: neither SEALTRACE_STORE, XDG_DATA_HOME nor HOME is set")
                    .hint("name one with --store DIR")
            })
    }
}

/// Reports a command's outcome and gives the process's exit status. `json`: a failure is printed on stdout as `{"error":…}` too.
pub fn finish(tool: &str, json: bool, outcome: Outcome) -> std::process::ExitCode {
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            note(&format!("{} {}", paint(Stream::Stderr, Tone::Bad, &format!("{tool}:")), failure.message));
            if let Some(hint) = &failure.hint {
                note(&format!("  next: {hint}"));
            }
            if json {
                print_json(&serde_json::json!({
                    "error": {"exit": failure.exit.code(), "message": failure.message, "next": failure.hint}
                }));
            }
            failure.exit
        }
    };
    std::process::ExitCode::from(exit.code())
}

/// Writes one line of data to stdout. A closed pipe ends the output quietly.
pub fn print(line: &str) {
    write_line(&mut std::io::stdout().lock(), line);
}

/// Writes one line of canonical-order JSON to stdout.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_value(value) {
        Ok(value) => print(&value.to_string()),
        Err(error) => note(&format!("result cannot be written as JSON: {error}")),
    }
}

/// Writes one line for people to stderr. A first word `warning:` or `next:` stands out on a terminal.
pub fn note(line: &str) {
    progress::clear();
    write_line(&mut std::io::stderr().lock(), &marked(line));
}

/// Paints the word that a line for people begins with.
fn marked(line: &str) -> String {
    let text = line.trim_start();
    let indent = line.len().saturating_sub(text.len());
    for (word, tone) in [("warning:", Tone::Unsure), ("next:", Tone::Strong)] {
        if let Some(rest) = text.strip_prefix(word) {
            return format!("{:indent$}{}{rest}", "", paint(Stream::Stderr, tone, word));
        }
    }
    line.to_owned()
}

fn write_line(to: &mut impl std::io::Write, line: &str) {
    // Nothing better can be done when the terminal or pipe is gone.
    drop(to.write_all(line.as_bytes()).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush()));
}

/// Text from a file name or an archive, safe for a terminal: control and non-ASCII-printable characters are escaped.
pub fn escape(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(escape("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(escape("naïve"), "naïve");
    }

    #[test]
    fn the_store_option_wins() {
        let args = StoreArgs { store: Some("x".into()) };
        assert_eq!(args.path(true), Ok(PathBuf::from("x")));
    }
}
