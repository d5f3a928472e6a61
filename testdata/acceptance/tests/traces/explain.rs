//! The commands that `explain` prints, run as printed: they give the values that it claims.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::release::{json, stacks};
use sealtrace_acceptance::{has, run, succeed};
use serde_json::Value;

use crate::by_hand::{Cfi, Chain, chain};
use crate::{Case, names, site};

/// How many frames are explained.
const FRAMES: usize = 20;
/// The choice is the same in each run on the same traces.
const SEED: u64 = 0x5ea1_7ace;

/// Frames with a name, of all cases, spread over their modules: (case, frame).
fn chosen() -> Vec<(&'static Case, Value)> {
    let folder = tempfile::tempdir().unwrap();
    let mut by_module: BTreeMap<(usize, String), Vec<(&'static Case, Value)>> = BTreeMap::new();
    let cases = [Some(Case::threads()), Some(Case::waiting()), Case::python()];
    for (number, case) in cases.into_iter().flatten().enumerate() {
        let statement = site().resolve_unsigned(&case.capture, &folder.path().join(format!("{number}.json")));
        for frame in stacks(&statement).into_iter().flatten().filter(|frame| frame["function"].is_string()) {
            by_module.entry((number, frame["moduleId"]["id"].to_string())).or_default().push((case, frame));
        }
    }
    let mut state = SEED;
    let mut chosen = Vec::new();
    for frames in by_module.values().cycle().take(FRAMES) {
        // Knuth's multiplier; the upper bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap() % frames.len();
        chosen.push(frames[at].clone());
    }
    chosen
}

/// One explanation with its materials.
struct Explanation {
    frame: Value,
    steps: BTreeMap<String, Value>,
    materials: PathBuf,
}

impl Explanation {
    fn of(case: &Case, index: u64, folder: &Path) -> Self {
        let materials = folder.join("materials");
        let mut command = site().tool("trace-verify");
        command.arg("explain").arg(&case.trace).args(["--json", "--frame", &index.to_string(), "--materials"]).arg(&materials);
        let document = json(&succeed(&mut command));
        let steps = document["steps"].as_array().unwrap().iter().map(|step| (step["id"].as_str().unwrap().to_owned(), step.clone()));
        Self { frame: document["frame"].clone(), steps: steps.collect(), materials }
    }

    fn value(&self, step: &str, key: &str) -> String {
        let value = self.steps[step]["values"][key].as_str();
        value.unwrap_or_else(|| panic!("step {step} has no {key}: {}", self.steps[step])).trim_start_matches("sha256:").to_owned()
    }

    /// The printed commands of a step that contain this text.
    fn commands(&self, step: &str, program: &str) -> Vec<String> {
        let commands = self.steps.get(step).and_then(|step| step["commands"].as_array());
        let commands = commands.into_iter().flatten().map(|command| command.as_str().unwrap().to_owned());
        commands.filter(|command| command.contains(program)).collect()
    }

    /// Runs a printed command as it stands, in the folder of the materials.
    fn shell(&self, command: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(&self.materials).env("LC_ALL", "C");
        let output = run(shell.env("RELEASE", site().path("release")).env("DEBUG_DIR", "/usr/lib/debug"));
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The commands of a step that print digests print exactly these.
    fn assert_digests(&self, step: &str, expected: &[String]) {
        let printed: Vec<String> = self.commands(step, "sha256sum").iter().flat_map(|command| digests(&self.shell(command))).collect();
        assert_eq!(printed, expected, "step {step} of frame {}", self.frame["frameIndex"]);
    }

    /// Function, inline chain and positions, as recorded, innermost first: names of each, `file:line`.
    fn chain(&self) -> Vec<(BTreeSet<String>, String)> {
        let position = |record: &Value| match (record["file"].as_str(), record["line"].as_u64()) {
            (Some(file), Some(line)) => format!("{}:{line}", file.rsplit('/').next().unwrap()),
            _ => "??".to_owned(),
        };
        let inlines = self.frame["inlines"].as_array().unwrap().iter();
        inlines.chain([&self.frame]).map(|record| (names::of_record(record), position(record))).collect()
    }
}

fn digests(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Explains the chosen frames once and gives each to `check`.
fn each(check: impl Fn(&Explanation)) {
    static EXPLAINED: OnceLock<Vec<Explanation>> = OnceLock::new();
    let explained = EXPLAINED.get_or_init(|| {
        let explain = |(number, (case, frame)): (usize, (&Case, Value))| {
            let own = site().path(&format!("explained/{number}"));
            std::fs::create_dir_all(&own).unwrap();
            let explanation = Explanation::of(case, frame["frameIndex"].as_u64().unwrap(), &own);
            assert_eq!(explanation.frame, frame, "the explained record is the signed one");
            explanation
        };
        chosen().into_iter().enumerate().map(explain).collect()
    });
    assert_eq!(explained.len(), FRAMES);
    explained.iter().for_each(check);
}

#[test]
fn every_digest_of_an_explanation_is_that_of_its_file() {
    each(|one| {
        one.assert_digests("module", &[one.value("module", "fileSha256")]);
        one.assert_digests("capture", &[one.value("capture", "sha256")]);
        one.assert_digests("symbol", &[one.value("symbol", "debugSha256")]);
        one.assert_digests("table", &[one.value("table", "table")]);
        one.assert_digests("bundle", &[one.value("bundle", "manifest"), one.value("bundle", "index")]);
    });
}

#[test]
fn the_module_id_of_an_explanation_is_that_of_readelf() {
    if !has("readelf") {
        return;
    }
    each(|one| {
        assert_eq!(one.value("module", "idKind"), "GnuBuildId");
        let id = one.value("module", "id");
        let commands = one.commands("module", "readelf -n");
        assert_eq!(commands.len(), 1);
        assert!(one.shell(&commands[0]).contains(&format!("Build ID: {id}")), "{id}");
    });
}

#[test]
fn the_signatures_and_leaves_of_an_explanation_hold_for_openssl() {
    if !has("openssl") {
        return;
    }
    each(|one| {
        for prefix in ["bundle", "trace"] {
            for step in ["signature", "log"].map(|step| format!("{prefix}-{step}")) {
                let verifications = one.commands(&step, "openssl dgst");
                assert_eq!(verifications.len(), 1);
                assert_eq!(one.shell(&verifications[0]).trim(), "Verified OK", "{step}");
            }
            let step = format!("{prefix}-signature");
            one.assert_digests(&step, &[one.value(&step, "signer")]);
            let step = format!("{prefix}-log");
            one.assert_digests(&step, &[one.value(&step, "leaf")]);
        }
    });
}

/// Compares a symbol step with what a symbolizer printed for it: as many functions, their names, their positions.
fn assert_chain(one: &Explanation, command: &str, printed: &Chain) {
    let recorded = one.chain();
    let frame = &one.frame["frameIndex"];
    assert_eq!(printed.len(), recorded.len(), "{command} of frame {frame}: {printed:?}, recorded {recorded:?}");
    for ((name, position), (known, recorded)) in printed.iter().zip(&recorded) {
        assert!(names::is_one_of(name, known), "{command} calls frame {frame} {name:?}, recorded {known:?}");
        assert_eq!(position, recorded, "{command} of frame {frame}, {name}");
    }
}

/// Runs the command of each symbol step that starts this program.
fn each_symbol(program: &str, check: impl Fn(&Explanation, &str, Chain)) {
    each(|one| {
        let commands = one.commands("symbol", program);
        assert_eq!(commands.len(), 1, "{}", one.frame);
        check(one, &commands[0], chain(&one.shell(&commands[0])));
    });
}

#[test]
fn the_symbols_of_an_explanation_are_those_of_llvm_symbolizer() {
    if has("llvm-symbolizer") {
        each_symbol("llvm-symbolizer", |one, command, printed| assert_chain(one, command, &printed));
    }
}

#[test]
fn the_symbols_of_an_explanation_are_those_of_addr2line() {
    if !has("addr2line") {
        return;
    }
    each_symbol("addr2line", |one, command, mut printed| {
        // Binutils 2.40 names the unit's file instead of the included one (`libc-start.c:58` for `libc_start_call_main.h:58`); the lines agree,
        // and llvm-symbolizer is asked for the files.
        for ((_, printed), (_, recorded)) in printed.iter_mut().zip(one.chain()) {
            if line(printed).is_some() && line(printed) == line(&recorded) {
                *printed = recorded;
            }
        }
        assert_chain(one, command, &printed);
    });
}

/// The line of `FILE:LINE`.
fn line(position: &str) -> Option<&str> {
    position.rsplit_once(':').map(|(_, line)| line)
}

#[test]
fn the_unwind_row_of_an_explanation_is_that_of_readelf() {
    if !has("readelf") {
        return;
    }
    // What readelf prints for a whole library, once for each.
    let printed = std::cell::RefCell::new(BTreeMap::new());
    let compared = std::cell::Cell::new(0);
    each(|one| {
        for command in one.commands("rule", "frames-interp") {
            let text = printed.borrow_mut().entry(command.clone()).or_insert_with(|| one.shell(&command)).clone();
            let number = |key: &str| u64::from_str_radix(one.value("rule", key).trim_start_matches("0x"), 16).unwrap();
            let row = Cfi { section: &one.value("rule", "section"), fde: &one.value("rule", "fde"), pc: number("rowFor") }.row(&text);
            let row =
                row.unwrap_or_else(|| panic!("{command} shows no row of FDE {} for {:#x}", one.value("rule", "fde"), number("rowFor")));
            assert_eq!(row["CFA"], as_readelf(&one.value("rule", "cfaRule")), "{command}");
            assert_eq!(row["ra"], as_readelf(&one.value("rule", "r16")), "{command}");
            compared.set(compared.get() + 1);
        }
    });
    assert!(compared.get() >= 5, "{} rows", compared.get());
}

/// A rule of ours as readelf writes it.
fn as_readelf(rule: &str) -> String {
    let inner = |name: &str| rule.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
    if let Some((register, offset)) = inner("RegisterOffset(").and_then(|inner| inner.split_once(", ")) {
        let name = match register {
            "6" => "rbp",
            "7" => "rsp",
            other => panic!("register {other} in {rule}"),
        };
        return format!("{name}+{offset}").replace("+-", "-");
    }
    if let Some(offset) = inner("Offset(") {
        return format!("c{}{offset}", if offset.starts_with('-') { "" } else { "+" });
    }
    match rule {
        "Undefined" => "u".to_owned(),
        rule if rule.contains("xpression") => "exp".to_owned(),
        other => panic!("a rule that readelf has no word for: {other}"),
    }
}
