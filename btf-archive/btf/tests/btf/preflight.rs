//! Which missing relocations are guarded: what is read is what is asked for.

use crate::support::{self, PRELUDE};
use sealtrace_btf::{Btf, ByteOrder, Kind, Member, NameOffset, ProbeObject, RelocateFault, Type, TypeId, minimise, preflight};

fn object(name: &str, source: &str) -> Option<(ProbeObject, Btf)> {
    let dir = tempfile::tempdir().unwrap();
    let path = support::compile(dir.path(), name, &format!("{PRELUDE}{source}"))?;
    let object = ProbeObject::parse(&std::fs::read(path).unwrap()).unwrap();
    let types = object.btf().clone();
    Some((object, types))
}

const TARGET: &str = "struct task { int pid; }; enum id { FIRST = 7 }; struct task *t; enum id e; struct other { int a; } *o;";

#[test]
fn a_missing_field_is_guarded_only_by_a_question_for_the_same_thing() {
    let probe = r#"
struct task { int pid; int bare; int asked; struct { int x; } CORE inner; int half; } CORE;
struct task___old { int state; int more; } CORE;
struct gone { int a; } CORE;
struct gone_unasked { int b; } CORE;
enum id { FIRST, SECOND, THIRD };
SEC("raw_tp/sys_enter") int p(struct task *t)
{
	volatile u64 sum = byte_offset(t->pid) + byte_offset(t->bare);
	if (exists(t->asked)) sum += byte_offset(t->asked) + byte_size(t->asked);
	if (exists(t->inner)) sum += byte_offset(t->inner.x);
	if (exists(((struct task___old *)t)->state)) sum += byte_offset(((struct task___old *)t)->more);
	if (type_exists(struct gone)) sum += byte_offset(((struct gone *)t)->a);
	sum += byte_offset(((struct gone_unasked *)t)->b);
	if (enum_value_exists(enum id, SECOND)) sum += enum_value(enum id, SECOND);
	sum += enum_value(enum id, THIRD) + enum_value(enum id, FIRST);
	return sum;
}
"#;
    let (Some((object, _)), Some((_, target))) = (object("probe", probe), object("target", TARGET)) else { return };
    let report = preflight(&object, &target).unwrap();
    let unguarded = ["gone_unasked.b (field_byte_off)", "id::THIRD (enum_value)", "task.bare (field_byte_off)"];
    assert_eq!(report.unguarded_missing, unguarded);
    let guarded = [
        "gone.a (field_byte_off)",
        "id::SECOND (enum_value)",
        "task.asked (field_byte_off)",
        "task.asked (field_byte_size)",
        "task.inner.x (field_byte_off)",
        "task___old.more (field_byte_off)",
    ];
    assert_eq!(report.guarded_missing, guarded);
    assert_eq!((report.total, report.resolved), (16, 7));
    assert!(!report.is_usable());
    minimise(&object, &target).unwrap();
}

#[test]
fn candidates_that_disagree_are_an_error_that_names_the_relocation() {
    let probe = "struct task { int pid; } CORE; SEC(\"raw_tp/x\") int p(struct task *t) { return byte_offset(t->pid); }";
    let target = "struct task { int pid; } *a; struct task___2 { long before; int pid; } *b;";
    let (Some((object, _)), Some((_, target))) = (object("probe", probe), object("target", target)) else { return };
    let error = object.resolve(&target).unwrap_err();
    assert_eq!(error.relocation, "task.pid (field_byte_off)");
    assert!(matches!(error.fault, RelocateFault::Ambiguous { .. }));
    assert!(minimise(&object, &target).is_err());
}

#[test]
fn an_object_that_asks_for_the_number_of_a_type_is_not_minimised() {
    let probe = "struct task { int pid; } CORE; SEC(\"raw_tp/x\") int p(void *c) { return type_id_kernel(struct task); }";
    let (Some((object, _)), Some((_, target))) = (object("probe", probe), object("target", TARGET)) else { return };
    assert_eq!(
        minimise(&object, &target).unwrap_err().to_string(),
        "task (type_id_target) asks for the number of a type, which only the whole BTF has"
    );
}

/// Structs 1 to `depth`, each with two anonymous members of the next; the last one's are of type `end`.
fn nested(depth: u32, end: u32) -> Btf {
    let layer = |number: u32| {
        let of = TypeId(if number == depth { end } else { number + 1 });
        let member = Member { name: NameOffset(0), of, offset: 0 };
        let name = NameOffset(u32::from(number == 1));
        Type { name, flag: false, kind: Kind::Struct { size: 4, members: vec![member.clone(), member] } }
    };
    Btf::parse(&Btf::of(ByteOrder::Little, (1..=depth).map(layer).collect(), b"\0task\0".to_vec()).encode()).unwrap()
}

#[test]
fn types_arranged_to_take_for_ever_end_in_an_error() {
    let probe = "struct task { int pid; } CORE; SEC(\"raw_tp/x\") int p(struct task *t) { return byte_offset(t->pid); }";
    let Some((object, _)) = object("probe", probe) else { return };
    let fault = |target: &Btf| object.resolve(target).unwrap_err().fault;
    assert!(matches!(fault(&nested(50, 50)), RelocateFault::Budget { .. } | RelocateFault::Depth));
    assert!(matches!(fault(&nested(40, 0)), RelocateFault::Budget { .. }));
    assert_eq!(fault(&nested(1, 1)), RelocateFault::Depth);
    assert!(!preflight(&object, &nested(4, 0)).unwrap().is_usable());
}
