//! Man pages and shell completions, made from the tools' own definitions of their command lines. The same bytes each time.
//!
//! A crate of its own, run by `make dist`, so that the tools themselves link no code for it: what an auditor carries into an empty
//! room has `--help` and nothing to generate. Not here: any text that `--help` does not have, but exit codes and the environment.
#![forbid(unsafe_code)]

mod pages;

use clap::Command;
use clap_complete::Shell;
pub use pages::pages;

/// A file of the manual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path below the manual's folder, `/` separated.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The command lines of all tools.
pub fn tools() -> Vec<Command> {
    vec![
        symbol_bundle::command(),
        btf_archive::command(),
        trace_resolve::command(),
        trace_replay::command(),
        trace_verify::command(),
        trace_capture::command(),
    ]
}

/// The completion script of a tool for each shell: `completions/SHELL/FILE`, named as the shell looks for it.
pub fn completions(tool: &Command) -> Vec<File> {
    let shells = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh];
    let script = |shell: Shell| {
        let (mut tool, mut bytes) = (tool.clone(), Vec::new());
        let name = tool.get_name().to_owned();
        clap_complete::generate(shell, &mut tool, &name, &mut bytes);
        let file = clap_complete::Generator::file_name(&shell, &name);
        if shell == Shell::Bash {
            bytes = one_state_name(&name, &bytes);
        }
        File { path: format!("completions/{shell}/{file}"), bytes }
    };
    shells.into_iter().map(script).collect()
}

/// `clap_complete` 4.6 spells the hyphen of a tool's name in two ways in its script for bash, so that nothing is completed behind a subcommand
/// (clap issue 6421, open). One spelling for all; a script that has one already stays as it is.
fn one_state_name(tool: &str, script: &[u8]) -> Vec<u8> {
    let (one, other) = (tool.replace('-', "__"), tool.replace('-', "__subcmd__"));
    String::from_utf8_lossy(script).replace(&other, &one).into_bytes()
}

/// All files: man pages under `man/man1`, completions under `completions`.
///
/// # Errors
/// Never in practice: pages are written to memory.
pub fn manual() -> std::io::Result<Vec<File>> {
    let mut files = Vec::new();
    for tool in tools() {
        files.extend(pages(&tool)?);
        files.extend(completions(&tool));
    }
    Ok(files)
}
