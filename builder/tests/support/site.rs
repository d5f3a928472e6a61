//! A folder in which a small bundle is built and signed, and the tool run in it.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part of this")]

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::{files, json, stderr, tool};

/// A folder with the layout `bundle`, signed with `k.key`, and its trust folder `trust`.
pub(crate) struct Site(tempfile::TempDir);

impl Site {
    pub(crate) fn signed() -> Self {
        let site = Self::empty();
        std::fs::create_dir(site.path("tree")).unwrap();
        std::fs::write(site.path("lib.c"), "int answer(void) { return 42; }\n").unwrap();
        let mut cc = Command::new("gcc");
        cc.args(["-shared", "-fPIC", "-s", "-Wl,--build-id=sha1", "-o", "tree/lib.so", "lib.c"]).current_dir(site.0.path());
        assert!(cc.status().unwrap().success());
        site.done("key generate -o k");
        site.done("build tree --name demo --version 1.0 -o bundle");
        site.done("sign bundle --key k.key --trust trust");
        site
    }

    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut tool = tool();
        tool.args(line.split_whitespace()).current_dir(self.0.path()).env("HOME", self.path("home"));
        for name in ["XDG_DATA_HOME", "SEALTRACE_STORE", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        {
            tool.env_remove(name);
        }
        tool
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    pub(crate) fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        output
    }

    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        json(&self.run(&format!("{line} --json")))
    }

    /// The command is refused with a code, says each of these and a next step, prints nothing on stdout, and leaves every file as it
    /// was.
    pub(crate) fn refused(&self, line: &str, code: i32, says: &[&str]) {
        let before = self.snapshot();
        let output = self.run(line);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        for words in says {
            assert!(said.contains(words), "{line} does not say {words:?}: {said}");
        }
        assert!(said.contains("  next: ") || said.contains("--help"), "{line} says no next step: {said}");
        assert!(output.stdout.is_empty(), "{line}: data on stdout");
        assert!(self.snapshot() == before, "{line} changed a file");
    }

    /// Every file with its bytes.
    pub(crate) fn snapshot(&self) -> Vec<(String, Vec<u8>)> {
        let with_bytes = |name: String| {
            let bytes = std::fs::read(self.path(&name)).unwrap();
            (name, bytes)
        };
        files(self.0.path()).into_iter().map(with_bytes).collect()
    }
}
