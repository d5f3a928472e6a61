//! The types of a BTF blob as values (Linux `Documentation/bpf/btf.rst`, *Type Encoding*). No rule of relocation is here.

use crate::header::ByteOrder;

/// The number of a type; 0 is void.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// Where a name begins in the strings; 0 is the empty name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameOffset(pub u32);

/// A member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its name; empty for an anonymous struct or union.
    pub name: NameOffset,
    /// Its type.
    pub of: TypeId,
    /// The offset word as stored: bits, and with the kind flag the width of a bit-field in the upper 8 bits.
    pub offset: u32,
}

/// A value of an enum, sign-extended from 32 bits where the enum is narrow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnumValue {
    /// Its name.
    pub name: NameOffset,
    /// The value.
    pub value: u64,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Param {
    /// Its name.
    pub name: NameOffset,
    /// Its type.
    pub of: TypeId,
}

/// A variable of a data section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SectionVariable {
    /// The `VAR`.
    pub of: TypeId,
    /// Offset in the section in bytes.
    pub offset: u32,
    /// Length in bytes.
    pub size: u32,
}

/// What stands before a type without changing its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Modifier {
    /// Another name.
    Typedef,
    /// `volatile`.
    Volatile,
    /// `const`.
    Const,
    /// `restrict`.
    Restrict,
    /// `__attribute__((btf_type_tag("…")))`.
    TypeTag,
}

/// The kinds of types.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// No type: number 0 only.
    Void,
    /// An integer.
    Int {
        /// Bytes.
        size: u32,
        /// Encoding (bits 24–27: signed 1, char 2, bool 4), bit offset (16–23) and bits (0–7), as stored.
        layout: u32,
    },
    /// A pointer.
    Pointer(TypeId),
    /// An array.
    Array {
        /// Type of an element.
        element: TypeId,
        /// Type of the index.
        index: TypeId,
        /// Number of elements; 0 for a flexible array.
        len: u32,
    },
    /// A struct.
    Struct {
        /// Bytes.
        size: u32,
        /// Members in order.
        members: Vec<Member>,
    },
    /// A union.
    Union {
        /// Bytes.
        size: u32,
        /// Members in order.
        members: Vec<Member>,
    },
    /// An enum with values of 32 bits.
    Enum {
        /// Bytes.
        size: u32,
        /// Values in order.
        values: Vec<EnumValue>,
    },
    /// An enum with values of 64 bits.
    Enum64 {
        /// Bytes.
        size: u32,
        /// Values in order.
        values: Vec<EnumValue>,
    },
    /// A struct (or with the kind flag a union) that is only declared.
    Forward,
    /// Typedef, qualifiers, type tag.
    Modified(Modifier, TypeId),
    /// A function.
    Function {
        /// Its prototype.
        prototype: TypeId,
        /// static 0, global 1, extern 2.
        linkage: u16,
    },
    /// The type of a function.
    Prototype {
        /// Return type.
        returns: TypeId,
        /// Parameters in order.
        params: Vec<Param>,
    },
    /// A variable.
    Variable {
        /// Its type.
        of: TypeId,
        /// static 0, global 1, extern 2.
        linkage: u32,
    },
    /// A data section.
    DataSection {
        /// Bytes.
        size: u32,
        /// Variables in order.
        variables: Vec<SectionVariable>,
    },
    /// A floating-point number.
    Float {
        /// Bytes.
        size: u32,
    },
    /// `__attribute__((btf_decl_tag("…")))`.
    DeclTag {
        /// What is tagged.
        of: TypeId,
        /// Which member or parameter; all ones for the whole.
        component: u32,
    },
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Type {
    /// Its name.
    pub name: NameOffset,
    /// The kind flag: bit-field widths in offset words (struct, union), signed values (enum), a union (forward).
    pub flag: bool,
    /// What it is.
    pub kind: Kind,
}

impl Kind {
    /// The number of the kind in the format.
    pub fn number(&self) -> u8 {
        match self {
            Self::Void => 0,
            Self::Int { .. } => 1,
            Self::Pointer(_) => 2,
            Self::Array { .. } => 3,
            Self::Struct { .. } => 4,
            Self::Union { .. } => 5,
            Self::Enum { .. } => 6,
            Self::Forward => 7,
            Self::Modified(Modifier::Typedef, _) => 8,
            Self::Modified(Modifier::Volatile, _) => 9,
            Self::Modified(Modifier::Const, _) => 10,
            Self::Modified(Modifier::Restrict, _) => 11,
            Self::Function { .. } => 12,
            Self::Prototype { .. } => 13,
            Self::Variable { .. } => 14,
            Self::DataSection { .. } => 15,
            Self::Float { .. } => 16,
            Self::DeclTag { .. } => 17,
            Self::Modified(Modifier::TypeTag, _) => 18,
            Self::Enum64 { .. } => 19,
        }
    }

    /// The members of a struct or union.
    pub fn members(&self) -> Option<&[Member]> {
        match self {
            Self::Struct { members, .. } | Self::Union { members, .. } => Some(members),
            _ => None,
        }
    }

    /// The values of an enum of either width.
    pub fn values(&self) -> Option<&[EnumValue]> {
        match self {
            Self::Enum { values, .. } | Self::Enum64 { values, .. } => Some(values),
            _ => None,
        }
    }

    /// Whether an integer is signed.
    pub(crate) fn is_signed_int(&self) -> bool {
        matches!(self, Self::Int { layout, .. } if layout >> 24 & 1 == 1)
    }

    /// The bit offset of an integer: not 0 only in the deprecated encoding of bit-fields.
    pub(crate) fn int_offset(&self) -> u32 {
        if let Self::Int { layout, .. } = self { layout >> 16 & 0xff } else { 0 }
    }
}

impl Type {
    pub(crate) const VOID: Self = Self { name: NameOffset(0), flag: false, kind: Kind::Void };

    /// Offset in bits and, for a bit-field, width in bits (0: no bit-field) of a member of this type.
    pub fn member_bits(&self, member: &Member) -> (u32, u32) {
        if self.flag { (member.offset & 0x00ff_ffff, member.offset >> 24) } else { (member.offset, 0) }
    }

    /// Calls `visit` with every type and every name that this type refers to.
    pub(crate) fn visit(&self, visit: &mut impl FnMut(Option<TypeId>, NameOffset)) {
        let unnamed = NameOffset(0);
        match &self.kind {
            Kind::Pointer(to)
            | Kind::Modified(_, to)
            | Kind::Function { prototype: to, .. }
            | Kind::Variable { of: to, .. }
            | Kind::DeclTag { of: to, .. } => visit(Some(*to), unnamed),
            Kind::Array { element, index, .. } => {
                visit(Some(*element), unnamed);
                visit(Some(*index), unnamed);
            }
            Kind::DataSection { variables, .. } => {
                for variable in variables {
                    visit(Some(variable.of), unnamed);
                }
            }
            Kind::Struct { members, .. } | Kind::Union { members, .. } => {
                for member in members {
                    visit(Some(member.of), member.name);
                }
            }
            Kind::Prototype { returns, params } => {
                visit(Some(*returns), unnamed);
                for param in params {
                    visit(Some(param.of), param.name);
                }
            }
            Kind::Enum { values, .. } | Kind::Enum64 { values, .. } => {
                for value in values {
                    visit(None, value.name);
                }
            }
            Kind::Void | Kind::Int { .. } | Kind::Forward | Kind::Float { .. } => {}
        }
        visit(None, self.name);
    }
}

/// The types of a blob, or of a split blob with those of its base. Every name and every type that a type refers to is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Btf {
    pub(crate) order: ByteOrder,
    pub(crate) types: Vec<Type>,
    pub(crate) strings: Vec<u8>,
}

impl Btf {
    /// Types and strings made elsewhere, unchecked until they are encoded and parsed: number 1 is the first.
    pub fn of(order: ByteOrder, types: Vec<Type>, strings: Vec<u8>) -> Self {
        Self { order, types: std::iter::once(Type::VOID).chain(types).collect(), strings }
    }

    /// Byte order of the machine that the types are of.
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// The type with a number; `None` past the last one.
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(usize::try_from(id.0).ok()?)
    }

    /// Every type but void, with its number.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        (0..).map(TypeId).zip(&self.types).skip(1)
    }

    /// Number of types without void.
    pub fn len(&self) -> usize {
        self.types.len().saturating_sub(1)
    }

    /// Whether there is no type but void.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a name: as a rule ASCII, never checked to be.
    pub fn name(&self, at: NameOffset) -> &[u8] {
        let tail = usize::try_from(at.0).ok().and_then(|at| self.strings.get(at..)).unwrap_or_default();
        tail.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// A name for people.
    pub(crate) fn text(&self, at: NameOffset) -> String {
        String::from_utf8_lossy(self.name(at)).into_owned()
    }
}
