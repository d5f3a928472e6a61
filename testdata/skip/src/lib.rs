//! Skipping in tests: a skip is named on stderr, and fails where `SEALTRACE_REQUIRE` (comma separated) names the capability.
//!
//! The gate sets the variable to all that `make setup` installs. For tests only.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, clippy::missing_panics_doc, reason = "for tests only: it names skips on stderr and fails by panicking")]

/// Names a skip; fails where the capability is required.
pub fn skip(capability: &str, why: &str) {
    let required = std::env::var("SEALTRACE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name.trim() == capability), "{capability} is required here: {why}");
    eprintln!("SKIPPED: {capability} ({why})");
}

/// Whether a program is on the PATH; names the skip when it is not.
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        skip(program, "the program is not installed");
    }
    found
}
