//! Captures of real programs: coverage, and physical frames and names equal to those of eu-stack and gdb.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use sealtrace_acceptance::process::{LiveMaps, Running, capture_pid};
use sealtrace_acceptance::release::{Site, has_debug_file, python, stacks};
use sealtrace_acceptance::{has, skip, succeed};
use serde_json::Value;

use crate::foreign_unwinders::{Frame, eu_stack, gdb};
use crate::{Case, PYTHON, names, site};

/// A frame of ours: where, and every name that it has.
struct Found {
    place: (String, u64),
    names: BTreeSet<String>,
}

/// The stacks of a statement, each as often as it was seen.
fn found(statement: &Value) -> Vec<Vec<Found>> {
    let modules: BTreeMap<String, String> = statement["predicate"]["modules"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|module| {
            let file = module["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let ids = module["ids"].as_object().unwrap().values().map(|id| id.as_str().unwrap().to_owned());
            ids.map(|id| (id, file.clone())).collect::<Vec<_>>()
        })
        .collect();
    let frame = |record: &Value| {
        let module = record["moduleId"]["id"].as_str().unwrap_or_else(|| panic!("a frame in no module: {record}"));
        let address = record["moduleRelAddr"].as_str().unwrap().trim_start_matches("0x");
        Found { place: (modules[module].clone(), u64::from_str_radix(address, 16).unwrap()), names: names::of_record(record) }
    };
    let observations = statement["predicate"]["observations"].as_array().unwrap();
    let seen = stacks(statement).into_iter().zip(observations).flat_map(|(stack, observation)| {
        let hits = observation["hits"].as_u64().unwrap();
        (0..hits).map(move |_| stack.clone())
    });
    seen.map(|stack| stack.iter().map(frame).collect()).collect()
}

/// Same places, in the same order, in as many stacks; and no name of theirs outside our alias sets.
fn assert_same(ours: &[Vec<Found>], theirs: &[Vec<Frame>], maps: &LiveMaps, tool: &str) {
    let placed = |stack: &Vec<Frame>| stack.iter().map(|(pc, _)| maps.place(*pc)).collect::<Vec<_>>();
    let own = |stack: &Vec<Found>| stack.iter().map(|found| found.place.clone()).collect::<Vec<_>>();
    let (mut expected, mut got) = (theirs.iter().map(placed).collect::<Vec<_>>(), ours.iter().map(own).collect::<Vec<_>>());
    expected.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, expected, "the frames of {tool} are others");
    let mut compared = 0;
    for stack in theirs {
        let mine = ours.iter().find(|mine| own(mine) == placed(stack)).unwrap();
        for (found, (pc, name)) in mine.iter().zip(stack) {
            let Some(name) = name.as_deref().filter(|_| !found.names.is_empty()) else { continue };
            compared += 1;
            assert!(names::is_one_of(name, &found.names), "{tool} calls {pc:#x} {name:?}, which is none of {:?}", found.names);
        }
    }
    assert!(compared > 0, "no name was compared with {tool}");
}

/// Stops a program, captures one round of it, and compares with both tools. Gives the number of stacks, or `None` where ptrace is not allowed.
fn compare(site: &Site, running: &Running, folder: &Path) -> Option<usize> {
    running.stop();
    let maps = LiveMaps::of(running.pid());
    let capture = folder.join("capture.jsonl");
    if !capture_pid(site, &capture, running.pid()) {
        return None;
    }
    let ours = found(&site.resolve_unsigned(&capture, &folder.join("statement.json")));
    if has("eu-stack") {
        assert_same(&ours, &eu_stack(running.pid()), &maps, "eu-stack");
    }
    if has("gdb") {
        assert_same(&ours, &gdb(running.pid()), &maps, "gdb");
    }
    Some(ours.len())
}

#[test]
fn a_stopped_multithreaded_program_without_frame_pointers_has_the_frames_of_eu_stack_and_gdb() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&mut Command::new(site().program("threads")));
    if let Some(stacks) = compare(site(), &running, folder.path()) {
        assert_eq!(stacks, 8);
    }
}

#[test]
fn a_stopped_rust_program_has_the_frames_of_eu_stack_and_gdb() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&mut Command::new(site().program("waiting")));
    if let Some(stacks) = compare(site(), &running, folder.path()) {
        assert_eq!(stacks, 3);
    }
}

#[test]
fn a_stopped_python_has_the_frames_of_eu_stack_and_gdb() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(Command::new(python).args(["-c", PYTHON]));
    if let Some(stacks) = compare(site(), &running, folder.path()) {
        assert_eq!(stacks, 1);
    }
}

/// With fewer, one frame of the loader is more than a tenth.
const ENOUGH_FRAMES: usize = 20;

/// At least 90 % of all frames have a name from the bundle. Frames of a library without symbol table and debug file do not count: its internal
/// functions have no names to find.
fn assert_covered(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let statement = site().resolve_unsigned(&case.capture, &folder.path().join("statement.json"));
    let nameless = without_symbols(&statement);
    let counts = |frame: &Value| !nameless.contains_key(frame["moduleId"]["id"].as_str().unwrap_or_default());
    let frames: Vec<Value> = stacks(&statement).into_iter().flatten().filter(counts).collect();
    for path in nameless.values() {
        skip("debug-files", &format!("coverage inside {path}: it is stripped and its debug file is not installed"));
    }
    if !nameless.is_empty() && frames.len() < ENOUGH_FRAMES {
        return skip("debug-files", "coverage: hardly a frame lies in a module with symbols");
    }
    let is_resolved = |frame: &&Value| !frame["function"].is_null() && frame["unwinder"] != "heuristic" && frame["resolver"] != "heuristic";
    let resolved = frames.iter().filter(is_resolved).count();
    assert!(frames.len() >= ENOUGH_FRAMES && resolved * 100 >= frames.len() * 90, "{resolved} of {}", frames.len());
    if nameless.is_empty() {
        let coverage = &case.report["coverage"];
        assert_eq!((coverage["framesResolved"].as_u64(), coverage["framesTotal"].as_u64()), (as_u64(resolved), as_u64(frames.len())));
    }
}

fn as_u64(count: usize) -> Option<u64> {
    u64::try_from(count).ok()
}

/// The modules whose file holds no symbol table and has no debug file: id and path.
fn without_symbols(statement: &Value) -> BTreeMap<String, String> {
    let modules = statement["predicate"]["modules"].as_array().unwrap().iter().filter(|module| module["path"] != "[vdso]");
    let ids = modules.flat_map(|module| {
        let path = module["path"].as_str().unwrap().to_owned();
        module["ids"].as_object().unwrap().values().map(move |id| (id.as_str().unwrap().to_owned(), path.clone()))
    });
    let is_nameless =
        |(id, path): &(String, String)| !has_debug_file(id) && !succeed(Command::new("readelf").args(["-SW", path])).contains(" .symtab ");
    ids.filter(is_nameless).collect()
}

#[test]
fn nine_of_ten_frames_of_a_multithreaded_program_are_resolved() {
    assert_covered(Case::threads());
}

#[test]
fn nine_of_ten_frames_of_a_rust_program_are_resolved() {
    assert_covered(Case::waiting());
}

#[test]
fn nine_of_ten_frames_of_python_are_resolved() {
    if let Some(case) = Case::python() {
        assert_covered(case);
    }
}
