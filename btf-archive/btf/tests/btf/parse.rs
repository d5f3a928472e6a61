//! Parsing against bpftool, split BTF, and bytes that lie.

use crate::support;
use sealtrace_btf::{
    Btf, ByteOrder, EnumValue, Kind, Member, Modifier, NameOffset, Param, ParseError, ProbeObject, SectionVariable, Type, TypeId, flatten,
    minimise,
};

/// A type as `bpftool btf dump` begins its line: number, kind, name.
fn first_words(btf: &Btf) -> Vec<(u32, &'static str, String)> {
    let kind = |ty: &Type| match ty.kind {
        Kind::Void => "VOID",
        Kind::Int { .. } => "INT",
        Kind::Pointer(_) => "PTR",
        Kind::Array { .. } => "ARRAY",
        Kind::Struct { .. } => "STRUCT",
        Kind::Union { .. } => "UNION",
        Kind::Enum { .. } => "ENUM",
        Kind::Enum64 { .. } => "ENUM64",
        Kind::Forward => "FWD",
        Kind::Modified(Modifier::Typedef, _) => "TYPEDEF",
        Kind::Modified(Modifier::Volatile, _) => "VOLATILE",
        Kind::Modified(Modifier::Const, _) => "CONST",
        Kind::Modified(Modifier::Restrict, _) => "RESTRICT",
        Kind::Modified(Modifier::TypeTag, _) => "TYPE_TAG",
        Kind::Function { .. } => "FUNC",
        Kind::Prototype { .. } => "FUNC_PROTO",
        Kind::Variable { .. } => "VAR",
        Kind::DataSection { .. } => "DATASEC",
        Kind::Float { .. } => "FLOAT",
        Kind::DeclTag { .. } => "DECL_TAG",
    };
    let name = |ty: &Type| match String::from_utf8_lossy(btf.name(ty.name)).into_owned() {
        name if name.is_empty() => "(anon)".to_owned(),
        name => name,
    };
    btf.types().map(|(id, ty)| (id.0, kind(ty), name(ty))).collect()
}

fn dumped(arguments: &[&str]) -> Option<Vec<(u32, String, String)>> {
    let output = support::bpftool(arguments)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| {
        let (id, rest) = line.strip_prefix('[')?.split_once("] ")?;
        let (kind, rest) = rest.split_once(" '")?;
        Some((id.parse().ok()?, kind.to_owned(), rest.split('\'').next()?.to_owned()))
    });
    Some(lines.collect())
}

fn same_types(btf: &Btf, theirs: Vec<(u32, String, String)>) {
    let ours = first_words(btf);
    assert_eq!(ours.len(), theirs.len());
    for ((id, kind, name), (their_id, their_kind, their_name)) in ours.into_iter().zip(theirs) {
        assert_eq!((id, kind, name.as_str()), (their_id, their_kind.as_str(), their_name.as_str()));
    }
}

#[test]
fn every_type_of_this_kernel_has_the_number_kind_and_name_that_bpftool_shows_and_encodes_to_its_bytes() {
    let Some(bytes) = support::kernel() else { return };
    let btf = Btf::parse(&bytes).unwrap();
    assert!(btf.encode() == bytes, "encoding the types again gives other bytes");
    let Some(theirs) = dumped(&["btf", "dump", "file", support::KERNEL]) else { return };
    assert!(theirs.len() > 10_000);
    same_types(&btf, theirs);
}

fn ty(name: u32, kind: Kind) -> Type {
    Type { name: NameOffset(name), flag: false, kind }
}

/// One type of each kind. Strings: 1 `a`, 3 `bc`.
fn one_of_each() -> Vec<Type> {
    let int = TypeId(1);
    let member = Member { name: NameOffset(1), of: int, offset: 0 };
    let values = |value| vec![EnumValue { name: NameOffset(3), value }];
    vec![
        ty(1, Kind::Int { size: 4, layout: 0x0100_0020 }),
        ty(0, Kind::Pointer(int)),
        ty(0, Kind::Array { element: int, index: int, len: 3 }),
        ty(1, Kind::Struct { size: 4, members: vec![member.clone()] }),
        ty(1, Kind::Union { size: 4, members: vec![member] }),
        Type { name: NameOffset(1), flag: true, kind: Kind::Enum { size: 4, values: values(u64::MAX) } },
        ty(3, Kind::Enum64 { size: 8, values: values(u64::MAX - 1) }),
        ty(3, Kind::Forward),
        ty(3, Kind::Modified(Modifier::Typedef, int)),
        ty(0, Kind::Modified(Modifier::Volatile, int)),
        ty(0, Kind::Modified(Modifier::Const, int)),
        ty(0, Kind::Modified(Modifier::Restrict, TypeId(2))),
        ty(3, Kind::Modified(Modifier::TypeTag, int)),
        ty(0, Kind::Prototype { returns: int, params: vec![Param { name: NameOffset(1), of: int }] }),
        ty(1, Kind::Function { prototype: TypeId(14), linkage: 1 }),
        ty(1, Kind::Variable { of: int, linkage: 1 }),
        ty(3, Kind::DataSection { size: 4, variables: vec![SectionVariable { of: TypeId(16), offset: 0, size: 4 }] }),
        ty(3, Kind::Float { size: 8 }),
        ty(3, Kind::DeclTag { of: TypeId(4), component: 0 }),
    ]
}

/// A blob with these words of types.
fn blob(types: &[Type], strings: &[u8], order: ByteOrder) -> Vec<u8> {
    let whole = Btf::of(order, types.to_vec(), strings.to_vec());
    whole.encode()
}

#[test]
fn every_kind_is_read_and_written_in_both_byte_orders() {
    let dir = tempfile::tempdir().unwrap();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let bytes = blob(&one_of_each(), b"\0a\0bc\0", order);
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!((btf.order(), btf.len()), (order, 19));
        assert_eq!(btf.types().map(|(_, ty)| ty.clone()).collect::<Vec<_>>(), one_of_each());
        assert_eq!(btf.encode(), bytes);
        let path = dir.path().join("each.btf");
        std::fs::write(&path, &bytes).unwrap();
        if let Some(theirs) = dumped(&["btf", "dump", "file", path.to_str().unwrap()]) {
            same_types(&btf, theirs);
        }
    }
}

#[test]
fn split_btf_continues_its_base_and_flattened_is_what_bpftool_reads_with_the_base() {
    let base = blob(&one_of_each(), b"\0a\0bc\0", ByteOrder::Little);
    // A struct of the module, named by its own strings, with a member of the base's type and one of its own.
    let members =
        vec![Member { name: NameOffset(1), of: TypeId(4), offset: 0 }, Member { name: NameOffset(6), of: TypeId(21), offset: 32 }];
    let split = [ty(8, Kind::Struct { size: 12, members }), ty(0, Kind::Pointer(TypeId(20)))];
    let split = blob(&split, b"x\0mod\0", ByteOrder::Little);
    assert!(matches!(Btf::parse(&split), Err(ParseError::Strings | ParseError::Reference { .. } | ParseError::Name { .. })));
    let parsed_base = Btf::parse(&base).unwrap();
    let whole = Btf::parse_split(&parsed_base, &split).unwrap();
    let flat = flatten(&base, &split).unwrap();
    assert_eq!(Btf::parse(&flat).unwrap(), whole);
    let module = whole.get(TypeId(20)).unwrap();
    assert_eq!(whole.name(module.name), b"mod");
    assert_eq!(whole.name(module.kind.members().unwrap()[1].name), b"x");
    assert_eq!(
        Btf::parse_split(&parsed_base, &blob(&[], b"", ByteOrder::Big)),
        Err(ParseError::ByteOrder),
        "a split of another machine was accepted"
    );
    let dir = tempfile::tempdir().unwrap();
    let paths = ["base", "split", "flat"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    for (path, bytes) in paths.iter().zip([&base, &split, &flat]) {
        std::fs::write(path, bytes).unwrap();
    }
    let [base, split, flat] = paths.each_ref().map(String::as_str);
    let (Some(with_base), Some(alone)) = (dumped(&["-B", base, "btf", "dump", "file", split]), dumped(&["btf", "dump", "file", flat]))
    else {
        return;
    };
    assert_eq!(alone[19..], with_base);
    same_types(&whole, alone);
}

#[test]
fn no_cut_and_no_changed_byte_of_btf_makes_anything_panic() {
    let Some(object) = std::fs::read(support::probe()).ok() else { panic!("the probe object is committed") };
    let parsed = ProbeObject::parse(&object).unwrap();
    let bytes = one_of_each_and_the_probes_types(&parsed);
    let mut changed = bytes.clone();
    for at in 0..bytes.len() {
        if at < bytes.len() - 1 {
            assert!(Btf::parse(&bytes[..at]).is_err(), "cut at {at} was accepted");
        }
        for value in [0, 1, 0x7f, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80, bytes[at].wrapping_add(1)] {
            changed[at] = value;
            if let Ok(btf) = Btf::parse(&changed) {
                _ = parsed.resolve(&btf);
                _ = minimise(&parsed, &btf).inspect_err(|error| {
                    assert!(!matches!(error, sealtrace_btf::MinimiseError::Differs { .. }), "byte {at} as {value:#x}: {error}");
                });
                _ = flatten(&bytes, &changed);
            }
        }
        changed[at] = bytes[at];
    }
}

fn one_of_each_and_the_probes_types(object: &ProbeObject) -> Vec<u8> {
    minimise(object, object.btf()).unwrap()
}

#[test]
fn no_cut_and_no_changed_byte_of_an_object_makes_anything_panic() {
    let object = std::fs::read(support::probe()).unwrap();
    let target = ProbeObject::parse(&object).unwrap().btf().clone();
    let mut changed = object.clone();
    for at in 0..object.len() {
        _ = ProbeObject::parse(&object[..at]);
        for value in [0xff, object[at] ^ 1, object[at].wrapping_add(1)] {
            changed[at] = value;
            if let Ok(parsed) = ProbeObject::parse(&changed) {
                _ = parsed.resolve(&target);
                _ = minimise(&parsed, &target);
            }
        }
        changed[at] = object[at];
    }
}
