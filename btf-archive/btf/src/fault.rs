//! Why a relocation cannot be decided. A field that is missing is no error: it is an outcome.

/// Why a relocation cannot be decided, with its name as people write it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{relocation}: {fault}")]
pub struct RelocateError {
    /// Type, access and kind: `task_struct.real_parent (field_byte_off)`.
    pub relocation: String,
    /// What is wrong.
    pub fault: RelocateFault,
}

/// What is wrong with a relocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelocateFault {
    /// The object's own type does not have what the relocation names.
    #[error("the object's own types do not have it")]
    Local,
    /// The type has no name to look for.
    #[error("it begins at a type without a name")]
    Anonymous,
    /// Types refer to each other without an end, or deeper than libbpf follows.
    #[error("types are nested too deeply")]
    Depth,
    /// A type without a size, or one that overflows.
    #[error("a type on the way has no size")]
    Size,
    /// Offsets that overflow.
    #[error("the offset overflows")]
    Overflow,
    /// A question that cannot be asked of an array element.
    #[error("it cannot be asked of an array element")]
    Element,
    /// A bit-field that no load of 64 bits covers.
    #[error("the bit-field cannot be read with one load")]
    BitField,
    /// Several types of the kernel fit, and they differ.
    #[error("several types of the kernel fit, with different results: {first} and {second}")]
    Ambiguous {
        /// The first result.
        first: String,
        /// Another one.
        second: String,
    },
    /// More comparing than any real object needs.
    #[error("more than {limit} steps of comparing types")]
    Budget {
        /// The limit.
        limit: u32,
    },
}
