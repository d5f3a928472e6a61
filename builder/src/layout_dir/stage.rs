//! A layout under construction, in a folder beside its place; renamed there when it is whole.

use std::path::{Path, PathBuf};

use super::LayoutDir;
use super::error::LayoutDirError;
use super::files::{self, Durability};

/// What to do with a target that exists and is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Refuse.
    Keep,
    /// Replace it, if it is an OCI layout with our bundle in it.
    Replace,
}

/// A layout that nobody sees until [`StagedLayout::publish`]; dropped before, it is removed.
#[derive(Debug)]
pub(crate) struct StagedLayout {
    layout: LayoutDir,
    target: PathBuf,
    existing: Existing,
    published: bool,
}

impl StagedLayout {
    /// Looks whether `target` may be written and starts an empty layout beside it.
    ///
    /// # Errors
    /// [`LayoutDirError::NotEmpty`], [`LayoutDirError::NotALayout`] when a folder to be replaced is not ours, [`LayoutDirError::Io`].
    pub(crate) fn begin(target: &Path, existing: Existing) -> Result<Self, LayoutDirError> {
        check_target(target, existing)?;
        let mut name = target
            .file_name()
            .map(std::ffi::OsStr::to_owned)
            .ok_or_else(|| LayoutDirError::NotALayout { path: target.to_owned(), why: "the path has no last name to create".to_owned() })?;
        name.push(files::unique(".partial-"));
        let layout = LayoutDir::create_with(&target.with_file_name(name), Durability::AtPublish)?;
        Ok(Self { layout, target: target.to_owned(), existing, published: false })
    }

    /// The layout under construction.
    pub(crate) fn layout(&self) -> &LayoutDir {
        &self.layout
    }

    /// Makes all bytes durable and moves the layout to its place.
    ///
    /// # Errors
    /// As [`StagedLayout::begin`].
    pub(crate) fn publish(mut self) -> Result<LayoutDir, LayoutDirError> {
        let staged = self.layout.path().to_owned();
        let sync = std::fs::File::open(&staged).and_then(|folder| rustix::fs::syncfs(&folder).map_err(Into::into));
        sync.map_err(|source| LayoutDirError::io("sync", &staged, source))?;
        check_target(&self.target, self.existing)?;
        let io = |source| LayoutDirError::io("rename to", &self.target, source);
        if self.existing == Existing::Replace && is_full(&self.target)? {
            // Both names exist at every moment; the old layout ends under the staged name.
            rustix::fs::renameat_with(rustix::fs::CWD, &staged, rustix::fs::CWD, &self.target, rustix::fs::RenameFlags::EXCHANGE)
                .map_err(|error| io(error.into()))?;
            self.published = true;
            std::fs::remove_dir_all(&staged).map_err(|source| LayoutDirError::io("remove", &staged, source))?;
        } else {
            std::fs::rename(&staged, &self.target).map_err(io)?;
            self.published = true;
        }
        files::sync_folder(self.target.parent().unwrap_or_else(|| Path::new(".")))?;
        LayoutDir::open(&self.target)
    }
}

impl Drop for StagedLayout {
    fn drop(&mut self) {
        if !self.published {
            // Best effort: the name says that it is partial.
            drop(std::fs::remove_dir_all(self.layout.path()));
        }
    }
}

/// Whether something stands at the target that is not an empty folder.
fn is_full(target: &Path) -> Result<bool, LayoutDirError> {
    let io = |source| LayoutDirError::io("read", target, source);
    match std::fs::symlink_metadata(target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(error)),
        Ok(metadata) if metadata.is_dir() => Ok(std::fs::read_dir(target).map_err(io)?.next().is_some()),
        Ok(_) => Ok(true),
    }
}

fn check_target(target: &Path, existing: Existing) -> Result<(), LayoutDirError> {
    if !is_full(target)? {
        return Ok(());
    }
    if existing == Existing::Keep {
        return Err(LayoutDirError::NotEmpty { path: target.to_owned() });
    }
    let not_ours = |why: String| LayoutDirError::NotALayout { path: target.to_owned(), why };
    if std::fs::symlink_metadata(target).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(not_ours("it is a symbolic link".to_owned()));
    }
    let layout = LayoutDir::open(target)?;
    layout.bundle_manifest().map_err(|error| not_ours(format!("it holds no symbol bundle to replace ({error})")))?;
    Ok(())
}
