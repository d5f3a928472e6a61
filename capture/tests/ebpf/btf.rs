//! Which BTF is used: an archive's instead of the kernel's gives the same capture, one of another kernel is refused by identity, one that
//! nothing binds is refused by its layout, and what is damaged is refused by what is wrong with it.
//!
//! The kernel's own BTF is hidden in a mount namespace, or is there: what a person gives is used or refused either way. Not here: BTF from
//! a bundle (`testdata/acceptance/tests/traces/btf.rs`), kernels that give none (`make kernels`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use btf_archive::{Given, OnExisting};
use object::{Object as _, ObjectSection as _};
use sealtrace_btf::{Btf, Outcome, ProbeObject, RelocationKind};
use sealtrace_skip::{has, skip};
use sealtrace_trace::{BtfRecord, BtfUse, Capture};
use tempfile::TempDir;

use crate::frames::spinning;
use crate::refused::{assert_refused, said, tell_tale, tool_without_btf};
use crate::support::{compile, compile_to, read, stacks, trace_capture};
use crate::{PLAIN, assert_adds_up, at, captured, hits, loss, turn};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";
const PROBE_OBJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../capture-ebpf/sealtrace.bpf.o");
/// A release that no kernel has.
const OTHER: &str = "0.0.1-another";

/// An archive with the BTF of this kernel, minimised for the probe object.
struct Archive {
    folder: TempDir,
    given: Given,
}

impl Archive {
    /// From the kernel's own types, os-release and uname; `None`, and a named skip, where os-release has no version.
    fn minimised() -> Option<Self> {
        let script = ". /etc/os-release && echo \"$ID\" \"$VERSION_ID\" \"$(uname -m)\" \"$(uname -r)\"";
        let told = String::from_utf8(Command::new("sh").args(["-c", script]).output().unwrap().stdout).unwrap();
        let [distro, version, arch, release] = told.split_whitespace().collect::<Vec<_>>()[..] else {
            skip("os-release", "this distribution has no version");
            return None;
        };
        let [distro, version, arch, release] = [distro, version, arch, release].map(|part| Some(part.to_owned()));
        let given = Given { distro, version, arch, release };
        let archive = Self { folder: tempfile::tempdir().unwrap(), given };
        let whole = archive.folder.path().join("whole");
        btf_archive::add(&whole, Path::new(KERNEL), &archive.given, OnExisting::Keep)
            .map_err(|failure| failure.message().to_owned())
            .unwrap();
        let done = btf_archive::minimise(&whole, Path::new(PROBE_OBJECT), &archive.path(), OnExisting::Keep);
        let done = done.map_err(|failure| failure.message().to_owned()).unwrap();
        assert!(done.len() == 1 && done[0].minimal_bytes.is_some_and(|bytes| bytes <= 1024), "{done:?}");
        Some(archive)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("minimal")
    }

    /// The parts of the kernel's key, as they stand in the path.
    fn key(&self) -> String {
        let Given { distro, version, arch, release } = &self.given;
        [distro, version, arch, release].map(|part| part.clone().unwrap()).join("/")
    }

    fn blob(&self) -> PathBuf {
        self.path().join(format!("{}.btf", self.key()))
    }

    fn sidecar(&self) -> PathBuf {
        self.path().join(format!("{}.btf.json", self.key()))
    }

    /// The blob alone, with its sidecar or what stands for it.
    fn file(&self, sidecar: Option<&[u8]>) -> PathBuf {
        lone(self.folder.path(), &std::fs::read(self.blob()).unwrap(), sidecar)
    }

    /// Says that the entry is another kernel's, by its place and by its sidecar.
    fn rename(&self) {
        let own = self.given.release.as_deref().unwrap();
        let text = std::fs::read_to_string(self.sidecar()).unwrap();
        assert!(text.contains(own), "{text}");
        let other = |path: PathBuf, ending: &str| path.with_file_name(format!("{OTHER}.{ending}"));
        std::fs::write(other(self.sidecar(), "btf.json"), text.replace(own, OTHER)).unwrap();
        std::fs::rename(self.blob(), other(self.blob(), "btf")).unwrap();
        std::fs::remove_file(self.sidecar()).unwrap();
    }
}

/// A `.btf` in a folder of no meaning.
fn lone(folder: &Path, blob: &[u8], sidecar: Option<&[u8]>) -> PathBuf {
    let folder = folder.join("lone");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir(&folder).unwrap();
    if let Some(sidecar) = sidecar {
        std::fs::write(folder.join("x.btf.json"), sidecar).unwrap();
    }
    std::fs::write(folder.join("x.btf"), blob).unwrap();
    folder.join("x.btf")
}

fn with(path: &Path) -> String {
    format!("--with-btf={}", path.display())
}

/// Captures a command to its end with this BTF where the kernel shows none; `None` where it cannot be hidden.
fn captured_hidden(arguments: &[&str], command: &[&str], file: &Path) -> Option<Capture> {
    let mut tool = tool_without_btf()?;
    tool.args(["--backend", "ebpf", "--duration", "120s", "-o"]).arg(file).args(arguments).arg("--").args(command);
    let output = tool.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let capture = read(file);
    assert_adds_up(&capture);
    Some(capture)
}

/// Asks for a capture with this BTF, hidden kernel or not: exit 5 with each of the reasons, nothing written, nothing started.
fn refused_with(tool: Command, arguments: &[&str], reasons: &[&str]) -> String {
    let room = tempfile::tempdir().unwrap();
    let mut tool = tool;
    tool.args(["--backend", "ebpf", "-o"]).arg(room.path().join("new.jsonl")).args(arguments);
    let output: Output = tool.arg("--").args(tell_tale(room.path())).output().unwrap();
    for reason in reasons {
        assert_refused(&output, 5, reason);
    }
    assert_eq!(std::fs::read_dir(room.path()).unwrap().count(), 0, "{arguments:?}: {}", said(&output));
    said(&output)
}

/// Refused where the kernel gives its own types and, if they can be hidden, where it does not.
fn refused_either_way(arguments: &[&str], reasons: &[&str]) {
    refused_with(trace_capture(), arguments, reasons);
    if let Some(tool) = tool_without_btf() {
        refused_with(tool, arguments, reasons);
    }
}

fn used(record: &BtfRecord) -> &BtfUse {
    record.used.as_ref().unwrap()
}

/// The archive's minimised BTF means the same as the kernel's own, says so, and was bound by the tuple.
fn assert_same_meaning(given: &BtfRecord, own: &BtfRecord) {
    assert_eq!((own.source_kind.as_str(), used(own).key.as_deref()), ("kernel", None));
    assert_eq!((given.source_kind.as_str(), used(given).key.as_deref()), ("external", Some("tuple")));
    assert_eq!(used(given).reduced_sha256, used(own).reduced_sha256);
    assert_eq!(used(given).relocations, used(own).relocations);
    assert_eq!(used(given).canary, used(own).canary);
    assert_ne!(given.sha256, own.sha256);
    assert!(used(given).bytes <= 1024 && used(own).bytes > 1 << 20, "{given:?} {own:?}");
    let steps: Vec<&str> = used(given).steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["external"]);
}

#[test]
fn with_a_minimised_archive_calls_are_counted_exactly_and_types_mean_the_same_as_the_kernels_own() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let probe = at(&program, "hit");
    let command = [program.to_str().unwrap(), "5000", "2", "300"];
    let probes = ["--uprobe", probe.as_str(), "--uretprobe", &probe];
    let (own, _) = captured(&probes, command, &folder.path().join("own.jsonl"));
    let archived = with(&archive.path());
    let arguments = [&[archived.as_str()][..], &probes].concat();
    let Some(given) = captured_hidden(&arguments, &command, &folder.path().join("given.jsonl")) else { return };
    for capture in [&own, &given] {
        assert_eq!((loss(capture, "Uprobe").kernel_hits, loss(capture, "Uretprobe").kernel_hits), (5000, 5000));
    }
    let record = &given.header.btf_source;
    assert_same_meaning(record, &own.header.btf_source);
    assert_eq!(record.source_path.as_deref(), archive.blob().to_str());
    assert!(record.selection_reason.contains(&archive.key()), "{}", record.selection_reason);
}

#[test]
fn a_spinning_thread_has_the_same_frames_with_a_minimised_archive_as_with_the_kernels_own_types() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "spin.c", &PLAIN, folder.path());
    let running = spinning(&program, &["20"]);
    let capture = |mut tool: Command, name: &str, arguments: &[&str]| {
        let file = folder.path().join(name);
        tool.args(["--backend", "ebpf", "--duration", "500ms", "--pid", &running.pid().to_string(), "-o"]).arg(&file).args(arguments);
        let output = tool.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        read(&file)
    };
    let Some(hidden) = tool_without_btf() else { return };
    let given = capture(hidden, "given.jsonl", &[&with(&archive.path())]);
    let own = capture(trace_capture(), "own.jsonl", &[]);
    assert_same_meaning(&given.header.btf_source, &own.header.btf_source);
    let (given, own) = (stacks(&given), stacks(&own));
    assert_eq!(given, own);
    // Recursion, main and what calls it: one place, one stack.
    assert!(given.len() == 1 && given.first().is_some_and(|stack| stack.len() > 22), "{given:#x?}");
}

#[test]
fn a_single_blob_with_its_sidecar_is_used() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let file = archive.file(Some(&std::fs::read(archive.sidecar()).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let arguments = [with(&file), "--uprobe".to_owned(), at(&program, "hit")];
    let arguments = [&*arguments[0], &arguments[1], &arguments[2]];
    let command = [program.to_str().unwrap(), "1000", "1", "200"];
    let Some(capture) = captured_hidden(&arguments, &command, &folder.path().join("capture.jsonl")) else { return };
    let record = &capture.header.btf_source;
    assert_eq!((record.source_kind.as_str(), used(record).key.as_deref()), ("external", Some("tuple")));
    assert_eq!((record.source_path.as_deref(), loss(&capture, "Uprobe").kernel_hits), (file.to_str(), 1000));
}

#[test]
fn a_single_blob_that_nothing_binds_is_refused_unless_that_is_asked_for_and_then_it_is_recorded() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let file = archive.file(None);
    refused_either_way(&[&with(&file)], &["nothing says which kernel", "x.btf.json", "--allow-unbound-btf"]);
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let arguments = [with(&file), at(&program, "hit")];
    let arguments = [&arguments[0], "--allow-unbound-btf", "--uprobe", &arguments[1]];
    let command = [program.to_str().unwrap(), "1000", "1", "200"];
    let Some(capture) = captured_hidden(&arguments, &command, &folder.path().join("capture.jsonl")) else { return };
    let record = &capture.header.btf_source;
    assert_eq!((record.source_kind.as_str(), used(record).key.as_deref()), ("external", Some("unbound")));
    assert!(record.selection_reason.contains("--allow-unbound-btf"), "{}", record.selection_reason);
    assert_eq!(loss(&capture, "Uprobe").kernel_hits, 1000);
}

#[test]
fn the_btf_of_another_release_is_refused_with_both_keys_also_where_the_kernel_gives_its_own() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let own = archive.key();
    let other = std::fs::read_to_string(archive.sidecar()).unwrap().replace(archive.given.release.as_deref().unwrap(), OTHER);
    let file = archive.file(Some(other.as_bytes()));
    archive.rename();
    let id = build_id();
    let keys = [Some(own.as_str()), id.as_deref(), Some("not this kernel's")];
    let keys: Vec<&str> = keys.into_iter().flatten().collect();
    for path in [&archive.path(), &file] {
        refused_either_way(&[&with(path)], &keys);
        // The flag is for what is not bound; this is bound, to another.
        refused_either_way(&[&with(path), "--allow-unbound-btf"], &keys);
    }
}

/// GNU build-id of the running kernel, from its notes (elf(5)): a note named GNU of type 3.
fn build_id() -> Option<String> {
    let notes = std::fs::read("/sys/kernel/notes").ok()?;
    let head = [4_u32, 20, 3].map(u32::to_ne_bytes).concat();
    let at = notes.windows(16).position(|window| window[..12] == head[..] && &window[12..] == b"GNU\0")?;
    Some(hex::encode(notes.get(at + 16..at + 36)?))
}

#[test]
fn a_sidecar_that_does_not_fit_the_blob_is_refused() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let good = std::fs::read_to_string(archive.sidecar()).unwrap();
    let blob = std::fs::read(archive.blob()).unwrap();
    let bytes = format!("\"bytes\":{}", blob.len());
    let sha256 = sealtrace_digest::FileSha256::of(&blob).hex();
    assert!(good.contains(&bytes) && good.contains(&sha256), "{good}");
    let cases = [
        (good.replace(&bytes, "\"bytes\":1"), "the blob beside it is"),
        (good.replace(&sha256, &"0".repeat(64)), "the blob beside it is"),
        (good.replace("\"sidecarVersion\":0", "\"sidecarVersion\":1"), "sidecar version 1"),
        (good.trim_end_matches('}').to_owned(), "not a sidecar"),
        (String::new(), "not a sidecar"),
        ("{}".to_owned(), "not a sidecar"),
    ];
    for (text, reason) in &cases {
        let file = archive.file(Some(text.as_bytes()));
        refused_either_way(&[&with(&file)], &[reason]);
        refused_with(trace_capture(), &[&with(&file), "--allow-unbound-btf"], &[reason]);
        std::fs::write(archive.sidecar(), text).unwrap();
        refused_either_way(&[&with(&archive.path())], &[reason]);
    }
    let endless = archive.file(None);
    std::os::unix::fs::symlink("/dev/zero", endless.with_file_name("x.btf.json")).unwrap();
    refused_either_way(&[&with(&endless)], &["x.btf.json cannot be read: file too large"]);
    // One bit of the blob: it still parses, and is not what the sidecar is about.
    let mut changed = blob;
    let last = changed.len() - 2;
    changed[last] ^= 1;
    let file = lone(archive.folder.path(), &changed, Some(good.as_bytes()));
    refused_either_way(&[&with(&file)], &["the blob beside it is"]);
    std::fs::write(archive.sidecar(), &good).unwrap();
    std::fs::write(archive.blob(), &changed).unwrap();
    refused_either_way(&[&with(&archive.path())], &["the blob beside it is"]);
}

/// Offsets of the fields that the probe object reads: `mm_struct.start_stack`, in bytes.
type Layout = BTreeMap<String, u64>;

/// This kernel's.
fn layout_of_kernel() -> Layout {
    let object = ProbeObject::parse(&std::fs::read(PROBE_OBJECT).unwrap()).unwrap();
    let resolved = object.resolve(&Btf::parse(&std::fs::read(KERNEL).unwrap()).unwrap()).unwrap();
    let offsets = resolved.into_iter().filter(|one| one.kind == RelocationKind::FieldByteOffset);
    let value = |outcome| match outcome {
        Outcome::Value(value) => value,
        Outcome::Missing => panic!("this kernel lacks a field"),
    };
    offsets.map(|one| (format!("{}{}", one.local_type, one.access), value(one.outcome))).collect()
}

/// BTF of structures that have their fields at these places, as a compiler makes it.
fn btf_of(layout: &Layout, folder: &Path) -> Vec<u8> {
    let mut structs: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (name, offset) in layout {
        let (of, field) = name.split_once('.').unwrap();
        structs.entry(of).or_default().push((*offset, field));
    }
    let mut text = vec![
        "enum bpf_func_id { BPF_FUNC_get_ns_current_pid_tgid = 120, BPF_FUNC_ktime_get_boot_ns = 125, BPF_FUNC_task_pt_regs = 175 } numbers;"
            .to_owned(),
    ];
    for (name, fields) in &mut structs {
        fields.sort_unstable();
        text.push(format!("struct {name} {{"));
        let mut end = 0;
        for (offset, field) in fields {
            text.push(format!("\tchar before_{field}[{}];\n\t{}{field};", *offset - end, declared(name, field)));
            end = *offset + 8;
        }
        text.push(format!("}} __attribute__((packed)) *a_{name};"));
    }
    let (source, compiled) = (folder.join("layout.c"), folder.join("layout.o"));
    std::fs::write(&source, text.join("\n")).unwrap();
    compile_to("clang-19", &source, &["-target", "bpf", "-g", "-O2", "-c"], &compiled);
    let compiled = std::fs::read(compiled).unwrap();
    let file = object::File::parse(&*compiled).unwrap();
    file.section_by_name(".BTF").unwrap().data().unwrap().to_vec()
}

/// The type of a field.
fn declared(of: &str, field: &str) -> &'static str {
    match (of, field) {
        ("task_struct", "stack") => "void *",
        (_, "mm") => "struct mm_struct *",
        (_, "utask") => "struct uprobe_task *",
        (_, "return_instances" | "next") => "struct return_instance *",
        (_, "self_exec_id") => "unsigned long long ",
        _ => "unsigned long ",
    }
}

#[test]
fn unbound_btf_of_another_layout_is_refused_by_the_value_that_is_wrong() {
    let Some(_turn) = turn() else { return };
    if !has("clang-19") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = layout_of_kernel();
    // Made the same way, with the right places: what is refused below is refused for its places alone.
    let program = hits(folder.path());
    let right = lone(folder.path(), &btf_of(&own, folder.path()), None);
    let arguments = [with(&right), at(&program, "hit")];
    let command = [program.to_str().unwrap(), "1000", "1", "200"];
    let (capture, _) =
        captured(&[&arguments[0], "--allow-unbound-btf", "--uprobe", &arguments[1]], command, &folder.path().join("right.jsonl"));
    assert_eq!((capture.header.btf_source.source_kind.as_str(), loss(&capture, "Uprobe").kernel_hits), ("external", 1000));
    for (field, place) in [("mm_struct.start_stack", 8), ("mm_struct.start_stack", own["mm_struct.start_stack"] + 8), ("task_struct.mm", 8)]
    {
        let mut wrong = own.clone();
        assert_ne!(wrong.insert(field.to_owned(), place), None, "{own:?}");
        let file = lone(folder.path(), &btf_of(&wrong, folder.path()), None);
        let reasons = ["the canary read a wrong mm_struct.start_stack: found 0x", "expected 0x", "not this kernel's"];
        refused_either_way(&[&with(&file), "--allow-unbound-btf"], &reasons);
    }
}

#[test]
fn unbound_btf_that_lacks_a_field_is_refused_by_its_name() {
    let Some(_turn) = turn() else { return };
    if !has("clang-19") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for field in ["mm_struct.start_stack", "task_struct.mm", "task_struct.self_exec_id"] {
        let mut lacking = layout_of_kernel();
        assert_ne!(lacking.remove(field), None);
        let file = lone(folder.path(), &btf_of(&lacking, folder.path()), None);
        refused_either_way(&[&with(&file), "--allow-unbound-btf"], &[&format!("lacks what the probe object needs: {field} (field")]);
    }
}

#[test]
fn what_is_no_btf_is_refused_by_what_is_wrong_with_it() {
    let Some(_turn) = turn() else { return };
    let Some(archive) = Archive::minimised() else { return };
    let blob = std::fs::read(archive.blob()).unwrap();
    let whole = std::fs::read(KERNEL).unwrap();
    let cases: Vec<&[u8]> = vec![
        b"",
        b"not a BTF\n",
        &blob[..1],
        &blob[..23],
        &blob[..24],
        &blob[..blob.len() / 2],
        &blob[..blob.len() - 1],
        &whole[..whole.len() / 2],
    ];
    for bytes in cases {
        let file = lone(archive.folder.path(), bytes, None);
        refused_either_way(&[&with(&file), "--allow-unbound-btf"], &[&format!("the BTF of {} cannot be read: ", file.display())]);
        refused_with(trace_capture(), &[&with(&file)], &["nothing says which kernel"]);
        // As an entry of an archive, without a sidecar.
        std::fs::write(archive.blob(), bytes).unwrap();
        drop(std::fs::remove_file(archive.sidecar()));
        refused_either_way(&[&with(&archive.path())], &["cannot be read", archive.blob().to_str().unwrap()]);
    }
}

#[test]
fn a_folder_without_btf_and_a_path_without_a_file_are_refused() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused_either_way(&[&with(&empty)], &["holds no .btf file"]);
    refused_either_way(&[&with(&empty), "--allow-unbound-btf"], &["holds no .btf file"]);
    refused_either_way(&[&with(&folder.path().join("none.btf"))], &["none.btf cannot be read: No such file"]);
    std::fs::write(empty.join("stray"), "x").unwrap();
    refused_either_way(&[&with(&empty)], &["stray is not <distro>/<version>/<arch>/<release>.btf"]);
    refused_either_way(&["--with-btf=/dev/zero", "--allow-unbound-btf"], &["/dev/zero cannot be read"]);
}
