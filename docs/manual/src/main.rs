//! Writes the manual into a folder: `sealtrace-manual DIR`. Part of the build, not of what is installed.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, print, print_json};

/// Writes man pages and shell completions of every tool
#[derive(Debug, clap::Parser)]
#[command(name = "sealtrace-manual", version, max_term_width = 110)]
struct Cli {
    /// The folder to write into: man/man1/*.1, completions/SHELL/*
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

fn main() -> std::process::ExitCode {
    let cli: Cli = sealtrace_console::parse();
    sealtrace_console::finish("sealtrace-manual", cli.output.json, run(&cli))
}

fn run(cli: &Cli) -> Outcome {
    let files = sealtrace_manual::manual().map_err(|error| Failure::io("make", &cli.folder, &error))?;
    for file in &files {
        let path = cli.folder.join(&file.path);
        write(&path, &file.bytes).map_err(|error| Failure::io("write", &path, &error).hint("name a folder that can be written"))?;
    }
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    if cli.output.json {
        print_json(&serde_json::json!({ "files": paths }));
    } else {
        for path in paths {
            print(path);
        }
    }
    Ok(ExitCode::Done)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}
