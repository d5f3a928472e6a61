//! Demangling, bounded: a hostile name costs a constant.

use std::fmt::{self, Write as _};

/// Names longer than this are left as they are (ours).
const MAX_NAME_BYTES: usize = 16 * 1024;
/// The longest demangled name; longer ones are left mangled (ours).
const MAX_DEMANGLED_BYTES: usize = 64 * 1024;
/// Recursion limit of the C++ demangler (ours; its default is 96).
const CPP_RECURSION: u32 = 96;
/// The operators whose parse `cpp_demangle` 0.5 tries two ways each, so that nesting doubles its work: new, new[], delete, delete[]
/// (Itanium C++ ABI 5.1.6).
const DOUBLING_OPERATORS: [&[u8]; 4] = [b"nw", b"na", b"dl", b"da"];
/// Names with more of these letter pairs are left mangled (ours): 16 nested ones take about 10 ms, 24 take 3 s. Of 59,600 names of
/// libstdc++ and LLVM none comes near.
const MAX_DOUBLING_OPERATORS: usize = 16;

/// The demangled form of a linkage name: Rust (legacy and v0), then C++ (Itanium), otherwise the name itself. Where the demangled form
/// would be too long, the name itself.
pub fn demangle(name: &str) -> String {
    demangled(name).unwrap_or_else(|| name.to_owned())
}

fn demangled(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    match rustc_demangle::try_demangle(name) {
        Ok(symbol) => bounded(|sink| write!(sink, "{symbol:#}")),
        Err(_not_rust) => cpp(name),
    }
}

fn cpp(name: &str) -> Option<String> {
    if !name.starts_with("_Z") && !name.starts_with("__Z") {
        return None;
    }
    let doubling = name.as_bytes().windows(2).filter(|pair| DOUBLING_OPERATORS.contains(pair)).count();
    if doubling > MAX_DOUBLING_OPERATORS {
        return None;
    }
    let options = cpp_demangle::ParseOptions::default().recursion_limit(CPP_RECURSION);
    let symbol = cpp_demangle::Symbol::new_with_options(name, &options).ok()?;
    let options = cpp_demangle::DemangleOptions::default().recursion_limit(CPP_RECURSION);
    bounded(|sink| symbol.structured_demangle(sink, &options))
}

/// What `write` writes; `None` when it fails or writes more than [`MAX_DEMANGLED_BYTES`].
fn bounded(write: impl FnOnce(&mut Bounded) -> fmt::Result) -> Option<String> {
    let mut sink = Bounded::default();
    write(&mut sink).ok()?;
    (!sink.overflowed).then_some(sink.text)
}

/// Text that stops its writer at the limit. Both demanglers return at the first refused write, and a node that has more than one child
/// writes something between them, so the limit bounds the work of writing as well as its output: 233 bytes of
/// substitutions that name each other would otherwise become 164 MB.
#[derive(Default)]
struct Bounded {
    text: String,
    overflowed: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.overflowed |= self.text.len().saturating_add(part.len()) > MAX_DEMANGLED_BYTES;
        if self.overflowed {
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
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

    /// `f<a<int>, ..>` in which each level names the one before `width` times: `width` to the power of `levels` names.
    fn cpp_bomb(levels: usize, width: usize) -> String {
        const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut name = "_Z1f1aIiE".to_owned();
        for &digit in DIGITS.iter().take(levels) {
            // S_ is `a`, S0_ is `a<int>`, and each level adds one.
            let before = format!("S{}_", char::from(digit));
            name.push_str("S_I");
            name.push_str(&before.repeat(width));
            name.push('E');
        }
        name
    }

    #[test]
    fn a_small_bomb_is_demangled() {
        assert_eq!(demangle(&cpp_bomb(1, 2)), "f(a<int>, a<a<int>, a<int> >)");
    }

    #[test]
    fn names_that_grow_without_bound_stay_mangled() {
        // Written out, these are beyond 10^15 bytes: only a demangler that stops ends this test.
        for bomb in [cpp_bomb(18, 8), cpp_bomb(20, 6), cpp_bomb(16, 32)] {
            assert_eq!(demangle(&bomb), bomb);
        }
        // v0: each tuple holds the one before twice, by back reference.
        let mut rust = "_RIC1aTmmE".to_owned();
        let mut at = 4;
        for _level in 0..40 {
            let reference = format!("B{}_", base62(at - 1));
            at = rust.len() - 2;
            rust.extend(["T", &reference, &reference, "E"]);
        }
        rust.push('E');
        assert!(rustc_demangle::try_demangle(&rust).is_ok(), "{rust}");
        assert_eq!(demangle(&rust), rust);
    }

    /// A v0 back reference's number: `_` is 0, `0_` is 1.
    fn base62(number: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let digit = |value: usize| char::from(DIGITS[value]);
        if number < 62 { digit(number).to_string() } else { format!("{}{}", digit(number / 62), digit(number % 62)) }
    }

    #[test]
    fn text_of_exactly_the_limit_is_kept() {
        let write = |bytes: usize| bounded(|sink| (0..bytes).try_for_each(|_byte| sink.write_str("a")));
        assert_eq!(write(MAX_DEMANGLED_BYTES).map(|text| text.len()), Some(MAX_DEMANGLED_BYTES));
        assert_eq!(write(MAX_DEMANGLED_BYTES + 1), None);
        // A writer that goes on after a refused write gets nothing through either.
        assert_eq!(
            bounded(|sink| sink.write_str(&"a".repeat(MAX_DEMANGLED_BYTES + 1)).or_else(|_refused| sink.write_str("a")).or(Ok(()))),
            None
        );
    }

    #[test]
    fn operators_that_double_the_parse_are_left_alone() {
        for operator in ["nw", "na", "dl", "da"] {
            for depth in [17, 24, 1_000] {
                let bomb = format!("_Z1fDt{}T0_{}v", operator.repeat(depth), "E".repeat(depth));
                assert_eq!(demangle(&bomb), bomb);
            }
        }
        assert_eq!(demangle("_Znwm"), "operator new(unsigned long)");
    }
}
