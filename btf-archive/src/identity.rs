//! Which kernel: by its build-id, and by distribution, version, architecture and release.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::source::gnu_build_id;

/// Where the running kernel shows its notes.
const KERNEL_NOTES: &str = "/sys/kernel/notes";
/// Where os-release is (os-release(5)), below the root.
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];
/// The longest os-release and notes that are read (ours).
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// A kernel as BTFHub names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KernelTuple {
    /// os-release `ID`.
    pub distro: String,
    /// os-release `VERSION_ID`.
    pub version: String,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// `uname -r`.
    pub release: String,
}

impl fmt::Display for KernelTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distro, version, arch, release } = self;
        write!(f, "{distro}/{version}/{arch}/{release}")
    }
}

impl KernelTuple {
    /// Whether every part can stand in a path of an archive.
    pub(crate) fn is_plain(&self) -> bool {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.len() <= 128
                && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
        };
        [&self.distro, &self.version, &self.arch, &self.release].into_iter().all(|part| plain(part))
    }
}

/// What is known of a kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelIdentity {
    /// GNU build-id, lower-case hex.
    pub build_id: Option<String>,
    /// Distribution, version, architecture and release, where all four are known.
    pub tuple: Option<KernelTuple>,
}

/// Why this host's kernel has no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Neither key can be had.
    #[error("this host tells neither the build-id of its kernel ({KERNEL_NOTES}) nor its distribution ({})", os_release.display())]
    Nothing {
        /// Where os-release was looked for.
        os_release: PathBuf,
    },
}

impl KernelIdentity {
    /// The running kernel: its notes, `uname`, and os-release below `root` (the host's root, as a container may see it).
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn of_host(root: &Path) -> Result<Self, IdentityError> {
        let read = |path: &Path| {
            use std::io::Read as _;
            let mut bytes = Vec::new();
            std::fs::File::open(path).ok()?.take(MAX_TEXT_BYTES).read_to_end(&mut bytes).ok()?;
            Some(bytes)
        };
        let build_id = read(Path::new(KERNEL_NOTES)).as_deref().and_then(gnu_build_id);
        let os_release = OS_RELEASE.iter().find_map(|name| read(&root.join(name))).unwrap_or_default();
        let uname = rustix::system::uname();
        let machine = Machine { arch: &uname.machine().to_string_lossy(), release: &uname.release().to_string_lossy() };
        let tuple = machine.tuple(&String::from_utf8_lossy(&os_release));
        if build_id.is_none() && tuple.is_none() {
            return Err(IdentityError::Nothing { os_release: root.join("etc/os-release") });
        }
        Ok(Self { build_id, tuple })
    }
}

/// What `uname` says.
#[derive(Debug, Clone, Copy)]
struct Machine<'a> {
    arch: &'a str,
    release: &'a str,
}

impl Machine<'_> {
    /// With the text of os-release; `None` where that lacks `ID` or `VERSION_ID` (a rolling distribution has no version).
    fn tuple(self, os_release: &str) -> Option<KernelTuple> {
        let value = |key: &str| {
            // The last assignment counts, as in a shell.
            let line = os_release.lines().rev().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
            let bare = ['"', '\''].iter().find_map(|&quote| line.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(line);
            (!bare.is_empty()).then(|| bare.to_owned())
        };
        let arch = if self.arch == "aarch64" { "arm64" } else { self.arch };
        let (distro, version) = (value("ID")?, value("VERSION_ID")?);
        Some(KernelTuple { distro, version, arch: arch.to_owned(), release: self.release.to_owned() }).filter(KernelTuple::is_plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_the_last_assignment_counts_and_aarch64_is_arm64() {
        let machine = Machine { arch: "aarch64", release: "6.1.0-18-arm64" };
        for text in [
            "NAME=x\nID=debian\nVERSION_ID=\"12\"\n",
            "ID='debian'\nVERSION_ID='12'",
            "VERSION_ID=11\nID=\"debian\"\nVERSION_ID=12\nVERSION=\"12 (bookworm)\"",
        ] {
            assert_eq!(machine.tuple(text).unwrap().to_string(), "debian/12/arm64/6.1.0-18-arm64", "{text}");
        }
        for text in [
            "",
            "ID=debian",
            "VERSION_ID=12",
            "ID=\nVERSION_ID=12",
            "ID=a/b\nVERSION_ID=1",
            "ID=..\nVERSION_ID=1",
            "ID=arch\nVERSION_ID=\"\"",
        ] {
            assert_eq!(machine.tuple(text), None, "{text}");
        }
    }

    #[test]
    fn this_hosts_kernel_has_the_build_id_of_its_notes_and_the_release_of_uname() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/os-release"), "ID=\"demo\"\nVERSION_ID=\"1\"\n").unwrap();
        let tuple = KernelIdentity::of_host(root.path()).unwrap().tuple.unwrap();
        assert_eq!((tuple.distro.as_str(), tuple.version.as_str()), ("demo", "1"));
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(tuple.release, release.trim());
    }
}
