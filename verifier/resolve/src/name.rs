//! Demangling, bounded: a hostile name costs a constant.

/// Names longer than this are left as they are (ours).
const MAX_NAME_BYTES: usize = 16 * 1024;
/// The longest demangled name; longer ones are left mangled (ours).
const MAX_DEMANGLED_BYTES: usize = 64 * 1024;
/// Recursion limit of the C++ demangler (ours; its default is 96).
const CPP_RECURSION: u32 = 96;

/// The demangled form of a linkage name: Rust (legacy and v0), then C++ (Itanium), otherwise the name itself.
pub fn demangle(name: &str) -> String {
    if name.len() > MAX_NAME_BYTES {
        return name.to_owned();
    }
    if let Ok(demangled) = rustc_demangle::try_demangle(name) {
        let text = format!("{demangled:#}");
        if text.len() <= MAX_DEMANGLED_BYTES {
            return text;
        }
    }
    cpp(name).unwrap_or_else(|| name.to_owned())
}

fn cpp(name: &str) -> Option<String> {
    if !name.starts_with("_Z") && !name.starts_with("__Z") {
        return None;
    }
    let options = cpp_demangle::ParseOptions::default().recursion_limit(CPP_RECURSION);
    let symbol = cpp_demangle::Symbol::new_with_options(name, &options).ok()?;
    let text = symbol.demangle_with_options(&cpp_demangle::DemangleOptions::default().recursion_limit(CPP_RECURSION)).ok()?;
    (text.len() <= MAX_DEMANGLED_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_manglings_are_undone_and_plain_names_stay() {
        assert_eq!(demangle("_ZN4demo4spinEi"), "demo::spin(int)");
        assert_eq!(demangle("_ZN3std2rt10lang_start17h0123456789abcdefE"), "std::rt::lang_start");
        assert_eq!(demangle("main"), "main");
        assert_eq!(demangle("_Zgarbage"), "_Zgarbage");
    }

    #[test]
    fn a_hostile_name_is_left_alone() {
        let bomb = format!("_Z{}", "N".repeat(100_000));
        assert_eq!(demangle(&bomb), bomb);
        let nested = format!("_Z1f{}i", "P".repeat(10_000));
        assert!(demangle(&nested).len() <= MAX_DEMANGLED_BYTES);
    }
}
