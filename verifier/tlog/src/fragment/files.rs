//! The files of a fragment's tar: each listed with its digest, each handed out once, none left over.

use std::collections::BTreeMap;

use sealtrace_digest::FileSha256;
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::read_files;

use super::error::{FragmentError, inconsistent};
use super::listing::{LISTING, Listing, MAX_FILES, MAX_FRAGMENT_BYTES, MAX_LISTING_BYTES, VERSION};

pub(super) struct Files<'a> {
    pub(super) folder: String,
    files: BTreeMap<String, &'a [u8]>,
}

impl<'a> Files<'a> {
    pub(super) fn read(tar: &'a [u8]) -> Result<Self, FragmentError> {
        let mut folder: Option<String> = None;
        let mut files = BTreeMap::new();
        for (name, range) in read_files(tar, FileLimits { files: MAX_FILES, bytes: MAX_FRAGMENT_BYTES })? {
            let (top, path) = name.split_once('/').ok_or_else(|| inconsistent("file outside the log's folder", &name))?;
            if folder.as_ref().is_some_and(|known| known != top) {
                return Err(inconsistent("more than one log", &name));
            }
            folder.get_or_insert_with(|| top.to_owned());
            files.insert(path.to_owned(), tar.get(range).unwrap_or_default());
        }
        Ok(Self { folder: folder.ok_or_else(|| inconsistent("empty", "archive"))?, files })
    }

    /// Takes `fragment.json` and compares the digest of every other file.
    pub(super) fn listing(&mut self) -> Result<Listing, FragmentError> {
        let bytes = self.take(LISTING)?;
        let listing: Listing = sealtrace_json::parse(bytes, MAX_LISTING_BYTES).map_err(FragmentError::Listing)?;
        if sealtrace_json::canonical(&listing).map_err(FragmentError::Listing)? != bytes {
            return Err(inconsistent("not in canonical form", LISTING));
        }
        if listing.version != VERSION {
            return Err(inconsistent("version is not supported by this release", LISTING));
        }
        for (path, bytes) in &self.files {
            if listing.files.get(path) != Some(&FileSha256::of(bytes)) {
                return Err(inconsistent("digest in fragment.json is missing or another", path));
            }
        }
        match listing.files.keys().find(|path| !self.files.contains_key(*path)) {
            Some(path) => Err(inconsistent("listed and missing", path)),
            None => Ok(listing),
        }
    }

    pub(super) fn take(&mut self, path: &str) -> Result<&'a [u8], FragmentError> {
        self.files.remove(path).ok_or_else(|| inconsistent("missing", path))
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub(super) fn all_taken(&self) -> Result<(), FragmentError> {
        match self.files.keys().next() {
            Some(path) => Err(inconsistent("not called for by the entries, the pins and the checkpoint", path)),
            None => Ok(()),
        }
    }
}
