//! What to type next, spelled so that it can be copied into a shell.
//!
//! Not here: when a command is next.

use std::path::Path;

use sealtrace_console::{StoreArgs, escape};

/// A path as one word of a shell's command line.
pub(crate) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    // A leading dash would be read as an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text };
    quoted(&text)
}

/// A text as one word of a shell's command line.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '+' | '=' | '@' | ',' | '%');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", escape(text).replace('\'', r"'\''")) }
}

/// ` NAME PATH` when the user gave one, nothing otherwise.
pub(crate) fn option(name: &str, path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" {name} {}", word(path)))
}

/// ` --store DIR` for the store in use, however it was named; nothing when there is none.
pub(crate) fn store(args: &StoreArgs) -> String {
    option("--store", args.path(rustix::process::geteuid().is_root()).ok().as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell_whatever_is_in_it() {
        for (path, expected) in [
            ("a/b-1.0.tar", "a/b-1.0.tar"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("-o", "./-o"),
            ("~x", "'~x'"),
            ("", "''"),
            ("naïve", "naïve"),
        ] {
            assert_eq!(word(Path::new(path)), expected);
        }
        assert_eq!(option("--trust", Some(Path::new("a b"))), " --trust 'a b'");
        assert_eq!(option("--trust", None), "");
    }
}
