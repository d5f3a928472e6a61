//! The smallest BTF that answers the relocations of one object as the whole one does.
//!
//! Kept are the types that relocations were found in, with the members on the way, at their offsets. A name is kept where something is
//! looked for by name; a pointer leads to void unless a relocation compares what it points to. Types that look alike become one.
//! The result is resolved again and compared before it is returned.

mod keep;
mod merge;

use crate::fault::RelocateError;
use crate::object::{ProbeObject, RelocationKind};
use crate::parse::ParseError;
use crate::resolve::Outcome;
use crate::types::Btf;

/// Why there is no minimal BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MinimiseError {
    /// A relocation cannot be decided in the whole BTF.
    #[error(transparent)]
    Relocate(#[from] RelocateError),
    /// The object asks for the number of a type in the kernel, which a smaller BTF cannot keep.
    #[error("{relocation} asks for the number of a type, which only the whole BTF has")]
    TypeNumber {
        /// The relocation.
        relocation: String,
    },
    /// A defect of this program: the minimal BTF gives another answer.
    #[error("{relocation} would become {found:?}, with the whole BTF it is {expected:?}")]
    Differs {
        /// The relocation.
        relocation: String,
        /// With the whole BTF.
        expected: Outcome,
        /// With the minimal one.
        found: Outcome,
    },
    /// A defect of this program: the minimal BTF cannot be read.
    #[error("the minimal BTF cannot be read: {0}")]
    Parse(#[from] ParseError),
}

/// The bytes of the smallest BTF that answers every relocation of `object` as `target` does. The same input gives the same bytes.
///
/// # Errors
/// [`MinimiseError`]
pub fn minimise(object: &ProbeObject, target: &Btf) -> Result<Vec<u8>, MinimiseError> {
    let expected = object.resolve(target)?;
    let numbered = expected.iter().find(|one| one.kind == RelocationKind::TypeIdTarget && one.outcome != Outcome::Value(0));
    if let Some(numbered) = numbered {
        return Err(MinimiseError::TypeNumber { relocation: numbered.name() });
    }
    let kept = keep::kept(object, target)?;
    let bytes = merge::merged(target, &kept).encode();
    let found = object.resolve(&Btf::parse(&bytes)?)?;
    let differs = expected.iter().zip(&found).find(|(expected, found)| expected.outcome != found.outcome);
    match differs {
        Some((one, other)) => Err(MinimiseError::Differs { relocation: one.name(), expected: one.outcome, found: other.outcome }),
        None => Ok(bytes),
    }
}
