//! A fragment's tar taken apart, changed as an attacker would, and put together again with a listing made to fit.

use std::collections::BTreeMap;

use sealtrace_digest::FileSha256;
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::{read_files, write_files};
use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Packed {
    pub(crate) folder: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Packed {
    pub(crate) fn open(tar: &[u8]) -> Self {
        let ranges = read_files(tar, FileLimits::default()).unwrap();
        let folder = ranges.keys().next().unwrap().split_once('/').unwrap().0.to_owned();
        let files = ranges.into_iter().map(|(name, range)| (name.split_once('/').unwrap().1.to_owned(), tar[range].to_vec()));
        Self { folder, files: files.collect() }
    }

    pub(crate) fn listing(&self) -> Value {
        serde_json::from_slice(&self.files["fragment.json"]).unwrap()
    }

    /// Changes a field of `fragment.json`.
    #[must_use]
    pub(crate) fn with_field(mut self, name: &str, value: Value) -> Self {
        let mut listing = self.listing();
        listing[name] = value;
        self.files.insert("fragment.json".to_owned(), sealtrace_json::canonical(&listing).unwrap());
        self
    }

    #[must_use]
    pub(crate) fn with_file(mut self, path: &str, bytes: Vec<u8>) -> Self {
        self.files.insert(path.to_owned(), bytes);
        self
    }

    #[must_use]
    pub(crate) fn with_text(self, path: &str, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.files[path].clone()).unwrap();
        assert!(text.contains(from), "{path} does not hold {from:?}");
        let text = text.replacen(from, to, 1);
        self.with_file(path, text.into_bytes())
    }

    #[must_use]
    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path).is_some(), "{path} is not there");
        self
    }

    /// The tar, with `files` of the listing made to fit.
    pub(crate) fn tar(&self) -> Vec<u8> {
        let mut listing = self.listing();
        let files = self.files.iter().filter(|(path, _)| *path != "fragment.json");
        listing["files"] =
            files.map(|(path, bytes)| (path.clone(), Value::from(FileSha256::of(bytes).hex()))).collect::<serde_json::Map<_, _>>().into();
        let mut files = self.files.clone();
        files.insert("fragment.json".to_owned(), sealtrace_json::canonical(&listing).unwrap());
        write_files(&files.into_iter().map(|(path, bytes)| (format!("{}/{path}", self.folder), bytes)).collect()).unwrap()
    }
}
