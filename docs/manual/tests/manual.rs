//! The manual says all that the tools take, formatters and shells read it, and every command prints JSON when asked.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code outside #[test] functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sealtrace_manual::{File, manual, tools};
use sealtrace_skip::{has, skip};
use tempfile::TempDir;

/// A command with all commands below it, `help` left out.
fn with_all_below(tool: clap::Command) -> Vec<clap::Command> {
    let mut tool = tool.disable_help_subcommand(true);
    tool.build();
    let (mut all, mut left) = (Vec::new(), vec![tool]);
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        all.push(command);
    }
    all
}

fn every_command() -> Vec<clap::Command> {
    tools().into_iter().flat_map(with_all_below).collect()
}

fn name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn longs(command: &clap::Command) -> BTreeSet<String> {
    command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

/// The manual as the binary writes it.
fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sealtrace-manual")).arg("--json").arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["files"].as_array().unwrap().len(), manual().unwrap().len());
    folder
}

fn page_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder.join("man/man1")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "{files:?}");
    files
}

fn fed(program: &mut Command, input: &[u8]) -> Output {
    let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_command_that_does_something_takes_json_and_color() {
    let mut seen = 0;
    for command in every_command().iter().filter(|command| !command.is_subcommand_required_set()) {
        let longs = longs(command);
        assert!(longs.contains("json"), "{} has no --json", name(command));
        assert!(longs.contains("color"), "{} has no --color", name(command));
        seen += 1;
    }
    assert!(seen >= 18, "only {seen} commands");
}

#[test]
fn every_definition_is_one_that_clap_accepts_and_names_its_tool() {
    for tool in tools() {
        tool.clone().debug_assert();
        assert!(tool.get_version().is_some(), "{}", tool.get_name());
    }
}

#[test]
fn every_command_has_its_page_with_every_option_argument_and_subcommand() {
    let pages: BTreeMap<String, String> =
        manual().unwrap().into_iter().map(|File { path, bytes }| (path, String::from_utf8(bytes).unwrap())).collect();
    for command in every_command() {
        let name = name(&command);
        let page = pages.get(&format!("man/man1/{name}.1")).unwrap_or_else(|| panic!("{name} has no page"));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                let option = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
                assert!(page.contains(&option), "{name}: --{long} is not on its page");
            }
            if arg.is_positional() {
                let value = arg.get_value_names().unwrap()[0].to_string();
                assert!(page.contains(&value.replace('-', "\\-")), "{name}: {value} is not on its page");
            }
        }
        for below in command.get_subcommands() {
            let below = below.get_display_name().unwrap().replace('-', "\\-");
            assert!(page.contains(&format!("{below}(1)")), "{name}: {below} is not on its page");
        }
        assert!(page.contains(".SH EXIT STATUS"), "{name}");
    }
}

#[test]
fn the_manual_has_the_same_bytes_each_time_and_nothing_of_the_machine_that_made_it() {
    let files = manual().unwrap();
    assert_eq!(files, manual().unwrap());
    let here = [env!("CARGO_MANIFEST_DIR"), &std::env::var("HOME").unwrap_or("no home".to_owned())].map(str::to_owned);
    for File { path, bytes } in files {
        let text = String::from_utf8(bytes).unwrap();
        assert!(here.iter().filter(|place| place.len() > 4).all(|place| !text.contains(place.as_str())), "{path}");
        assert!(!path.starts_with("man/") || text.is_ascii(), "{path}");
    }
}

#[test]
fn groff_formats_every_page_without_a_warning() {
    if !has("groff") {
        return;
    }
    let folder = written();
    for page in page_files(folder.path()) {
        for device in ["-Tutf8", "-Tascii"] {
            let output = Command::new("groff").args(["-man", device, "-ww"]).arg(&page).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
            assert!(String::from_utf8_lossy(&output.stdout).contains("SEALTRACE_STORE"), "{}", page.display());
        }
    }
}

#[test]
fn mandoc_finds_no_error_in_any_page() {
    if !has("mandoc") {
        return;
    }
    let folder = written();
    let output = Command::new("mandoc").args(["-Tlint", "-Werror"]).args(page_files(folder.path())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What bash offers after these words, by the completion script.
fn bash_offers(folder: &Path, words: &[&str]) -> Vec<String> {
    let (tool, last) = (words[0], words.last().unwrap());
    let script = folder.join(format!("completions/bash/{tool}.bash"));
    let asked = format!(
        "source {script}\nfunction=$(complete -p {tool}); function=${{function#*-F }}; function=${{function%% *}}\n\
         COMP_WORDS=({words}); COMP_CWORD={last_word}\n\"$function\" {tool} '{last}' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        script = script.display(),
        words = words.join(" "),
        last_word = words.len() - 1,
    );
    let output = fed(Command::new("bash").args(["--norc", "--noprofile"]), asked.as_bytes());
    assert!(output.status.success(), "{asked}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_subcommands_and_options() {
    if !has("bash") {
        return;
    }
    let folder = written();
    for tool in tools() {
        let script = folder.path().join(format!("completions/bash/{}.bash", tool.get_name()));
        let output = Command::new("bash").arg("-n").arg(&script).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let offers = |words: &[&str]| bash_offers(folder.path(), words);
    assert_eq!(offers(&["symbol-bundle", "di"]), ["diff"]);
    assert_eq!(offers(&["symbol-bundle", "diff", "--exit"]), ["--exit-code"]);
    assert_eq!(offers(&["symbol-bundle", "log", "ap"]), ["append"]);
    assert_eq!(offers(&["trace-verify", "audit", "--see"]), ["--seeds"]);
    assert_eq!(offers(&["trace-resolve", "--bun"]), ["--bundle"]);
    assert_eq!(offers(&["trace-replay", "--unv"]), ["--unverified"]);
}

#[test]
fn zsh_and_fish_read_their_scripts() {
    let folder = written();
    for (shell, no_execute) in [("zsh", "-n"), ("fish", "--no-execute")] {
        if !has(shell) {
            continue;
        }
        for entry in std::fs::read_dir(folder.path().join("completions").join(shell)).unwrap() {
            let output = Command::new(shell).arg(no_execute).arg(entry.unwrap().path()).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_sealtrace-manual")).arg("/proc/manual").output().unwrap();
    if !Path::new("/proc").is_dir() {
        skip("procfs", "there is no /proc here");
        return;
    }
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/proc/manual"));
}
