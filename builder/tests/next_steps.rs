//! What the commands tell a newcomer: next steps that work when copied, and errors that name what was given instead.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use support::{files, json, stderr, tool};

/// A folder with `tree/lib.so` (stripped), `k.key`, `log` and the layout `bundle`.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(site.path("tree")).unwrap();
        std::fs::write(site.path("lib.c"), "int answer(void) { return 42; }\n").unwrap();
        let mut cc = Command::new("gcc");
        cc.args(["-shared", "-fPIC", "-s", "-Wl,--build-id=sha1", "-o", "tree/lib.so", "lib.c"]).current_dir(site.0.path());
        assert!(cc.status().unwrap().success());
        for line in ["key generate -o k", "log init log --origin example.org/log", "build tree --name demo --version 1.0 -o bundle"] {
            site.done(line);
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut tool = tool();
        tool.args(line.split_whitespace()).current_dir(self.0.path()).env("HOME", self.0.path().join("home"));
        tool.env_remove("XDG_DATA_HOME").env_remove("SEALTRACE_STORE").output().unwrap()
    }

    fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        output
    }

    /// What the next step is, on stderr and nowhere else.
    fn next(&self, line: &str) -> String {
        let output = self.done(line);
        assert!(!String::from_utf8_lossy(&output.stdout).contains("next: "), "{line}: data on stdout only");
        let said = stderr(&output);
        let next = said.lines().find_map(|line| line.strip_prefix("next: "));
        next.unwrap_or_else(|| panic!("{line} says no next step: {said}")).to_owned()
    }

    /// The command is refused with a code, says each of these, and leaves every file and folder as it was.
    fn refused(&self, line: &str, code: i32, says: &[&str]) {
        let before = self.tree();
        let output = self.run(line);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        for words in says {
            assert!(said.contains(words), "{line} does not say {words:?}: {said}");
        }
        assert!(said.contains("  next: "), "{line}: {said}");
        assert_eq!(self.tree(), before, "{line}");
    }

    /// Every file, and every folder, as `find` lists them.
    fn tree(&self) -> Vec<String> {
        let folders = Command::new("find").arg(self.0.path()).args(["-type", "d"]).output().unwrap().stdout;
        let mut tree: Vec<_> = String::from_utf8(folders).unwrap().lines().map(str::to_owned).collect();
        tree.sort();
        tree.extend(files(self.0.path()));
        tree
    }

    fn seal(&self, name: &str, version: &str, archive: &str) {
        self.done(&format!("build tree --name {name} --version {version} -o layout-{archive}"));
        self.done(&format!("sign layout-{archive} --key k.key --trust release"));
        self.done(&format!("log append layout-{archive} --log log --trust release"));
        self.done(&format!("export layout-{archive} --to {archive}"));
    }
}

/// The words after the name of the tool.
fn arguments(next: &str) -> &str {
    next.strip_prefix("symbol-bundle ").unwrap()
}

#[test]
fn each_step_names_the_one_after_it_with_the_folders_that_were_given() {
    let site = Site::new();
    assert_eq!(
        site.next("key generate -o other"),
        "symbol-bundle sign LAYOUT --key other.key, where LAYOUT is what `symbol-bundle build` wrote"
    );
    assert_eq!(
        site.next("log init keyed --origin example.org/keyed --key other.key"),
        "symbol-bundle log append LAYOUT --log keyed --log-key other.key"
    );
    assert_eq!(site.next("build tree --name demo --version 2 -o second"), "symbol-bundle sign second --key K.key");
    let log = site.next("sign bundle --key k.key --trust release");
    assert_eq!(log, "symbol-bundle log append bundle --log DIR --trust release");
    let export = site.next(&arguments(&log).replace("DIR", "log"));
    assert_eq!(export, "symbol-bundle export bundle --to demo-1.0.tar");
    let said = stderr(&site.done(arguments(&export)));
    assert!(said.contains("\n  symbol-bundle trust add ") && said.contains("\n  symbol-bundle import demo-1.0.tar"), "{said}");
    let import = site.next("trust add release --store store");
    assert_eq!(import, "symbol-bundle import ARCHIVE --store store");
    let verify = site.next(&arguments(&import).replace("ARCHIVE", "demo-1.0.tar"));
    assert_eq!(verify, "trace-verify --bundle demo:1.0 --store store");
}

#[test]
fn logging_twice_says_so_and_changes_nothing() {
    let site = Site::new();
    site.done("sign bundle --key k.key --trust release");
    let first = site.done("log append bundle --log log --trust release");
    assert!(String::from_utf8_lossy(&first.stdout).starts_with("logged: "));
    let before = site.tree();
    let second = site.done("log append bundle --log log --trust release");
    assert!(String::from_utf8_lossy(&second.stdout).starts_with("already logged: "));
    assert_eq!(site.tree(), before);
}

#[test]
fn an_error_about_a_missing_signature_repeats_layout_and_trust_folder() {
    let site = Site::new();
    site.done("trust enroll release --signer k.pub");
    site.refused(
        "log append bundle --log log --trust release",
        2,
        &["next: sign it first: symbol-bundle sign bundle --key K.key --trust release"],
    );
}

#[test]
fn every_archive_is_tried_and_the_worst_code_is_the_exit_code() {
    let site = Site::new();
    site.seal("demo", "1.0", "a.tar");
    site.seal("demo", "2.0", "b.tar");
    site.done("trust add release --store store");
    std::fs::write(site.path("bad.tar"), vec![b'x'; 2048]).unwrap();
    let output = site.run("import missing.tar a.tar bad.tar missing2.tar b.tar --store store --json");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes: Vec<_> = report["refused"].as_array().unwrap().iter().map(|one| one["exit"].as_u64().unwrap()).collect();
    assert_eq!((report["imported"].as_array().unwrap().len(), codes), (2, vec![2, 3, 2]));
    assert!(said.contains("missing.tar") && said.contains("missing2.tar") && said.contains("3 of 5 archives were not admitted"), "{said}");
    assert_eq!(json(&site.run("inspect demo:2.0 --store store --json"))["version"], "2.0");
}

#[test]
fn a_second_bundle_of_one_name_is_told_and_then_named_by_digest() {
    let site = Site::new();
    site.seal("demo", "1.0", "a.tar");
    std::fs::copy(site.path("tree/lib.so"), site.path("tree/more.so")).unwrap();
    site.seal("demo", "1.0", "b.tar");
    site.done("trust add release --store store");
    assert!(!stderr(&site.done("import a.tar --store store")).contains("another bundle"));
    assert!(!stderr(&site.done("import a.tar --store store")).contains("another bundle"), "the same one again is none");
    let said = stderr(&site.done("import b.tar --store store"));
    assert!(said.contains("another bundle is named demo:1.0: name them by digest"), "{said}");
    let verify = said.lines().find_map(|line| line.strip_prefix("next: trace-verify --bundle ")).unwrap();
    let digest = verify.split(' ').next().unwrap();
    assert_eq!(json(&site.run(&format!("inspect {digest} --store store --json")))["manifestDigest"], digest);
    site.refused("inspect demo:1.0 --store store", 2, &["names 2 bundles", "next: use one of the digests", "--store store"]);
}

#[test]
fn a_wrong_trust_folder_is_refused_by_name_and_gets_nothing() {
    let site = Site::new();
    for folder in ["src/deep/deeper", "src/.git", "parent/other"] {
        std::fs::create_dir_all(site.path(folder)).unwrap();
    }
    site.seal("demo", "1.0", "a.tar");
    site.done("trust add release --store store");
    site.done("trust enroll parent/inner --signer k.pub");
    let foreign = "src is not empty and is no trust folder: it holds";
    site.refused("sign bundle --key k.key --trust src", 3, &[foreign]);
    site.refused("log append layout-a.tar --log log --trust src", 3, &[foreign]);
    site.refused("trust enroll src --signer k.pub", 3, &[foreign]);
    site.refused("trust enroll store --signer k.pub", 2, &["store is no trust folder: it is a store"]);
    site.refused("trust enroll tree --signer k.pub", 2, &["it is a release tree"]);
    site.refused(
        "trust add parent --store store",
        2,
        &["parent is no trust folder, but holds one", "trust add parent/inner --store store"],
    );
    site.refused("trust add k.pub --store store", 2, &["is a public key", "trust enroll FOLDER --signer k.pub"]);
    site.refused("trust add k.pub --store new", 2, &["trust add FOLDER --store new"]);
    site.refused(
        "trust enroll new",
        2,
        &["none of --signer, --log and --authorities is given", "trust enroll new --signer K.pub --log DIR"],
    );
    site.refused("trust enroll new --signer k.key", 3, &["--signer k.pub"]);
    site.refused("trust enroll log/log.json/new --signer k.pub", 2, &["log.json"]);
}

#[test]
fn one_key_has_one_spelling_and_the_sender_can_list_a_folder() {
    let site = Site::new();
    let made = String::from_utf8(site.done("key generate -o other").stdout).unwrap();
    let key = made.lines().find_map(|line| line.strip_prefix("key id")).unwrap().trim().to_owned();
    let made = String::from_utf8(site.done("log init other-log --origin example.org/other").stdout).unwrap();
    let log = made.lines().find_map(|line| line.strip_prefix("key id")).unwrap().trim().to_owned();
    let line = "trust enroll folder --signer other.pub --log other-log";
    let expected = format!("signer {key}\nlog    {log} example.org/other\n");
    for line in [line, "trust list folder"] {
        assert_eq!(String::from_utf8(site.done(line).stdout).unwrap(), expected, "{line}");
    }
    let added = String::from_utf8(site.done("trust add folder --store store").stdout).unwrap();
    assert!(added.ends_with(&expected), "{added}");
    assert_eq!(String::from_utf8(site.done("trust list --store store").stdout).unwrap(), expected);
    site.refused("trust list missing", 2, &["missing"]);
}

#[test]
fn a_wrong_key_is_called_what_it_is() {
    let site = Site::new();
    site.refused("sign bundle --key k.pub", 3, &["the public half", "--key k.key"]);
    site.refused("sign bundle --key k", 2, &["there is k.key", "--key k.key"]);
    site.refused("sign bundle --key new.key", 2, &["symbol-bundle key generate -o new"]);
    let output = site.run("key generate -o missing/k");
    assert_eq!(output.status.code(), Some(2));
    assert!(!stderr(&output).contains("key generate"), "{}", stderr(&output));
    if rustix::process::geteuid().is_root() {
        sealtrace_skip::skip("ordinary-user", "root reads every key");
        return;
    }
    std::fs::set_permissions(site.path("k.key"), std::fs::Permissions::from_mode(0o0)).unwrap();
    site.refused("sign bundle --key k.key", 2, &["you may not read it"]);
}

#[test]
fn what_is_given_in_place_of_a_layout_is_named_with_the_command_that_takes_it() {
    let site = Site::new();
    site.seal("demo", "1.0", "a.tar");
    site.done("trust add release --store store");
    site.done("import a.tar --store store");
    for (given, is, command) in [
        ("release", "it is a trust folder", "symbol-bundle trust list release"),
        ("tree", "it is a release tree", "symbol-bundle build tree --name N"),
        ("store", "it is a store", "trace-verify bundles --store store"),
        ("log", "it is a transparency log", "symbol-bundle log checkpoint --log log"),
    ] {
        for line in [format!("sign {given} --key k.key"), format!("inspect {given}"), format!("export {given} --to x.tar")] {
            site.refused(&line, 2, &[is, command]);
        }
    }
    site.refused("sign a.tar --key k.key", 2, &["it is an archive", "symbol-bundle import a.tar"]);
    assert!(site.run("inspect a.tar").status.success());
}

#[test]
fn an_archive_that_no_store_admits_is_not_to_be_carried_over() {
    let site = Site::new();
    let unsigned = stderr(&site.done("export bundle --to a.tar"));
    assert!(unsigned.contains("no signature") && unsigned.contains("symbol-bundle sign bundle --key K.key"), "{unsigned}");
    site.done("sign bundle --key k.key");
    let unlogged = stderr(&site.done("export bundle --to b.tar"));
    assert!(unlogged.contains("not in a log") && unlogged.contains("symbol-bundle log append bundle --log DIR"), "{unlogged}");
    for (said, archive) in [(unsigned, "a.tar"), (unlogged, "b.tar")] {
        assert!(!said.contains("carry"), "{said}");
        assert!(said.contains(&format!("symbol-bundle export bundle --to {archive} --force")), "{said}");
    }
}

#[test]
fn programs_without_debug_information_are_named_up_to_ten() {
    let site = Site::new();
    let line = "no debug information: lib.so: names come from the dynamic symbols only";
    let said = stderr(&site.done("build tree --name demo --version 1 -o one"));
    assert!(said.contains(line), "{said}");
    for number in 0..11 {
        std::fs::copy(site.path("tree/lib.so"), site.path(&format!("tree/more{number}.so"))).unwrap();
    }
    let said = stderr(&site.done("build tree --name demo --version 1 -o twelve"));
    assert_eq!(said.matches("no debug information: ").count(), 10, "{said}");
    assert!(said.contains("and 2 more"), "{said}");
}
