//! A folder with an unsigned layout, a key, a log; and what every test of a signer asks of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{files, json, stderr, tool};

/// A folder with `k.key`, `k.pub`, `other.key`, `other.pub`, `log` and the layout `bundle`.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        std::fs::create_dir(site.path("tree")).unwrap();
        std::fs::write(site.path("lib.c"), "int answer(void) { return 42; }\n").unwrap();
        site.shell("gcc -shared -fPIC -s -Wl,--build-id=sha1 -o tree/lib.so lib.c");
        for line in [
            "key generate -o k",
            "key generate -o other",
            "log init log --origin example.org/log",
            "build tree --name demo --version 1.0 -o bundle",
        ] {
            site.done(line);
        }
        site
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The tool with words as a shell would give them; `'…'` is one word.
    pub(crate) fn run(&self, line: &str) -> Output {
        let mut tool = tool();
        tool.args(words(line)).current_dir(self.root()).env("HOME", self.path("home"));
        tool.env_remove("XDG_DATA_HOME").env_remove("SEALTRACE_STORE").env_remove("SEALTRACE_PKCS11_PIN");
        tool.envs(self.environment.iter().map(|(name, value)| (name, value))).output().unwrap()
    }

    pub(crate) fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        output
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        json(&self.run(&format!("{line} --json")))
    }

    /// A line of another program, which succeeds.
    pub(crate) fn shell(&self, line: &str) -> String {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", line]).current_dir(self.root()).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = output.output().unwrap();
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The command is refused with a code, says each of these and what is next, and leaves every byte as it was.
    pub(crate) fn refused(&self, line: &str, code: i32, says: &[&str]) -> String {
        let before = self.contents();
        let output = self.run(line);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        for words in says {
            assert!(said.contains(words), "{line} does not say {words:?}: {said}");
        }
        assert!(said.contains("  next: "), "{line}: {said}");
        assert!(self.contents() == before, "{line} changed a file");
        said
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let all = files(self.root()).into_iter().filter(|name| !name.starts_with("tokens/"));
        all.map(|name| (name.clone(), std::fs::read(self.path(&name)).unwrap_or_default())).collect()
    }

    /// The key id that `key show` prints.
    pub(crate) fn key_id(&self, reference: &str) -> String {
        self.json(&format!("key show {reference}"))["keyId"].as_str().unwrap().to_owned()
    }

    /// That the layout's signature is by this key and is taken by the log, by export, and by import into a store that trusts the key.
    pub(crate) fn assert_whole_way(&self, key_id: &str) {
        self.done("log append bundle --log log");
        self.done("export bundle --to demo.tar");
        self.done("trust add bundle-trust --store store");
        let imported = self.json("import demo.tar --store store");
        assert!(imported.to_string().contains(key_id), "{imported}");
        assert_eq!(self.json("inspect demo:1.0 --store store")["version"], "1.0");
    }
}

fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (Vec::new(), false);
    for part in line.split('\'') {
        if quoted {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
        quoted = !quoted;
    }
    words
}
