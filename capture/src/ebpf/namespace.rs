//! The PID namespace that this tool's process ids are numbers of, as the kernel compares it.

use std::os::unix::fs::MetadataExt as _;

/// Device and inode of our PID namespace; the device in the kernel's own encoding (`include/linux/kdev_t.h`: major << 20 | minor).
pub(crate) fn own() -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::metadata("/proc/self/ns/pid")?;
    let device = metadata.dev();
    let kernel = u64::from(rustix::fs::major(device)) << 20 | u64::from(rustix::fs::minor(device));
    Ok((kernel, metadata.ino()))
}
