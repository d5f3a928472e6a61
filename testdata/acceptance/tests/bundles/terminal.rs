//! Colours and progress: on a terminal, never in a pipe, and never where the environment or an option forbids them. The terminal is the one
//! that `script` of util-linux makes.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::{has, run, skip, succeed, tool, tools};
use tempfile::TempDir;

use crate::fixture::{import, json, scratch, seal, small_release};

const VARIABLES: [&str; 4] = ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "CI"];
const GREEN: &str = "\u{1b}[1;32m";
const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
/// How a line of progress is taken away.
const CLEAR: &str = "\r\u{1b}[K";

/// A folder with a release, its layout and archive, a store, one with a damaged symbol table, and a trust folder of a stranger.
fn scene() -> &'static Path {
    static SCENE: OnceLock<TempDir> = OnceLock::new();
    SCENE
        .get_or_init(|| {
            let folder = scratch();
            let path = |name: &str| folder.path().join(name);
            small_release(&path("release"));
            let sealed = seal(&path("release"), &path("sealed"));
            for store in ["store", "damaged"] {
                sealed.fresh_store(&path(store));
                succeed(&mut import(&sealed.archive, &path(store)));
            }
            let index = json(&succeed(tool("symbol-bundle").args(["index", "--json"]).arg(&sealed.layout)));
            let table = index["modules"][0]["table"]["layer"].as_str().unwrap().replace("sha256:", "damaged/oci/blobs/sha256/");
            let mut bytes = std::fs::read(path(&table)).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::remove_file(path(&table)).unwrap();
            std::fs::write(path(&table), bytes).unwrap();
            succeed(tool("symbol-bundle").args(["key", "generate", "-o"]).arg(path("stranger")));
            succeed(tool("symbol-bundle").args(["trust", "enroll"]).arg(path("strangers")).arg("--signer").arg(path("stranger.pub")));
            folder
        })
        .path()
}

/// What the surroundings of this test say about colours is not inherited.
fn without_choices(command: &mut Command) {
    for name in VARIABLES {
        command.env_remove(name);
    }
}

/// What a command shows on a terminal, stdout and stderr together; none without `script`.
fn on_terminal(line: &str, variables: &[(&str, &str)]) -> Option<String> {
    if !has("script") {
        return None;
    }
    let (name, arguments) = line.split_once(' ').unwrap();
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} {arguments}", tools().canonicalize().unwrap().join(name).display()), "/dev/null"]);
    without_choices(&mut script);
    script.current_dir(scene()).env_remove("SEALTRACE_STORE").env("TERM", "xterm").envs(variables.iter().copied());
    let output = run(script.stdin(std::process::Stdio::null()));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    if shown.is_empty() {
        skip("script", "script makes no terminal here");
        return None;
    }
    Some(shown)
}

/// What a command writes into pipes.
fn in_pipe(line: &str, variables: &[(&str, &str)]) -> (String, String) {
    let (name, arguments) = line.split_once(' ').unwrap();
    let mut command = tool(name);
    without_choices(&mut command);
    let output = run(command.args(arguments.split(' ')).current_dir(scene()).env("TERM", "xterm").envs(variables.iter().copied()));
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Commands of every kind of result, and the coloured words that each shows.
const SHOWN: &[(&str, &[(&str, &str)])] = &[
    ("trace-verify --bundle demo:1.0 --store store", &[(GREEN, "VERIFIED")]),
    ("trace-verify --bundle demo:1.0 --store damaged", &[(RED, "REJECTED")]),
    ("trace-verify --bundle demo:1.0 --store store --skip layers", &[(YELLOW, "UNDECIDED")]),
    ("trace-verify --bundle demo:1.0 --store store --trust strangers", &[(RED, "REJECTED")]),
    ("symbol-bundle import sealed/demo-1.0.tar --store store", &[(GREEN, "already in the store")]),
    ("symbol-bundle inspect missing", &[(RED, "symbol-bundle:"), ("\u{1b}[1m", "next:")]),
    ("trace-replay --trace missing", &[(RED, "trace-replay:")]),
    ("trace-resolve --bundle demo:1.0 missing --store store", &[(RED, "trace-resolve:")]),
];

#[test]
fn verdicts_and_errors_are_colored_on_a_terminal() {
    for (line, words) in SHOWN {
        let Some(shown) = on_terminal(line, &[]) else { return };
        for (color, word) in *words {
            assert!(shown.contains(&format!("{color}{word}\u{1b}[0m")), "{line}: no {word} in {shown:?}");
        }
    }
}

#[test]
fn no_color_a_dumb_terminal_and_the_option_take_the_colors_away_and_nothing_else() {
    for (line, words) in SHOWN {
        for (option, variable) in
            [("", ("NO_COLOR", "1")), ("", ("TERM", "dumb")), (" --color never", ("X", "")), (" --color=never", ("X", ""))]
        {
            let Some(shown) = on_terminal(&format!("{line}{option}"), &[variable]) else { return };
            assert!(!shown.replace(CLEAR, "").contains('\u{1b}'), "{line}{option} with {variable:?}: {shown:?}");
            assert!(words.iter().all(|(_, word)| shown.contains(word)), "{line}: {shown:?}");
        }
    }
}

#[test]
fn no_escape_byte_reaches_a_pipe() {
    for (line, _) in SHOWN {
        let (stdout, stderr) = in_pipe(line, &[]);
        assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{line}: {stdout:?} {stderr:?}");
        assert!(!stdout.is_empty() || !stderr.is_empty(), "{line} says nothing");
    }
}

#[test]
fn colors_can_be_forced_into_a_pipe_but_never_into_json() {
    for (line, words) in SHOWN {
        for (option, variable) in [("", ("CLICOLOR_FORCE", "1")), (" --color always", ("NO_COLOR", "1"))] {
            let (stdout, stderr) = in_pipe(&format!("{line}{option}"), &[variable]);
            let (color, word) = words[0];
            assert!(format!("{stdout}{stderr}").contains(&format!("{color}{word}")), "{line}{option}: {stdout:?} {stderr:?}");
        }
        let (stdout, _) = in_pipe(&format!("{line} --json --color always"), &[]);
        assert!(json(&stdout).is_object() && !stdout.contains('\u{1b}'), "{line}: {stdout:?}");
    }
}

#[test]
fn usage_errors_heed_the_option_and_answer_json_with_json() {
    let (stdout, stderr) = in_pipe("symbol-bundle diff --json", &[]);
    assert_eq!(json(&stdout)["error"]["exit"], 2);
    assert!(stderr.contains("<A>") && !stderr.contains('\u{1b}'), "{stderr:?}");
    assert!(in_pipe("symbol-bundle diff --color always", &[]).1.contains('\u{1b}'));
    let Some(shown) = on_terminal("symbol-bundle diff --color never", &[]) else { return };
    assert!(shown.contains("<A>") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn long_work_shows_its_progress_on_a_terminal_and_takes_it_away() {
    let work = [
        ("symbol-bundle build release --name n --version 1 -o built", "symbols "),
        ("symbol-bundle export sealed/layout --to again.tar", "export "),
        ("symbol-bundle import sealed/demo-1.0.tar --store store", "import "),
        ("trace-verify --bundle demo:1.0 --store store", "verify "),
    ];
    for (line, step) in work {
        let Some(shown) = on_terminal(line, &[]) else { return };
        assert!(shown.contains(&format!("{CLEAR}{step}")), "{line}: {shown:?}");
        let last = shown.rsplit(CLEAR).next().unwrap();
        assert!(!last.contains("[##") && !last.contains("[.."), "{line} leaves a bar: {shown:?}");
    }
    let Some(shown) = on_terminal("symbol-bundle build release --name n --version 1 -o dumb", &[("TERM", "dumb")]) else { return };
    assert!(!shown.contains('\u{1b}') && !shown.contains("[.."), "{shown:?}");
}
