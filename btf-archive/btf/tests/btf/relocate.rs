//! Every kind of relocation against libbpf's own answers: on a kernel made for the test, on this host's, on minimal BTF.

use std::path::Path;

use crate::support::{self, PRELUDE};
use sealtrace_btf::{Btf, Kind, Outcome, ProbeObject, RelocationKind, minimise, preflight};

/// Types of a kernel that only exists here.
const KERNEL_TYPES: &str = r"
enum color { RED = 1, GREEN = 2, BLUE = 40 };
enum wide { SMALL = 1, HUGE_ONE = 0x123456789abcULL };
enum negative { LOW = -5, HIGH = 5 };
struct inner { int first; long second; char text[12]; };
struct flexible { int count; struct inner items[]; };
typedef struct { int a; long b; } anonymous_t;
typedef int (*callback_t)(struct inner *inner, long number);
struct thing {
	char padding[16];
	struct { int deep; union { int either; long or; }; };
	unsigned int one : 1, three : 3; int signed_seven : 7;
	unsigned long across : 40;
	u8 narrow : 4;
	int number; unsigned long size; s16 little;
	enum color color; enum wide wide; enum negative negative;
	double real; float half;
	struct inner inner; struct inner rows[4]; int matrix[3][5];
	const volatile struct inner *pointer; void *raw; callback_t call;
	anonymous_t typed; struct flexible *flexible;
	struct thing *next;
};
struct gone_flavour { int x; };
union both { int a; long b; };
struct big { char all[4096]; int last; };
struct thing *use_thing; union both *use_both; struct big *use_big; anonymous_t *use_anonymous; callback_t use_callback;
struct gone_flavour *use_gone; struct flexible *use_flexible;
";

/// The same names with other layouts, fewer members, flavours, and things that are not there.
const PROBE: &str = r#"
enum color { RED, GREEN, PURPLE };
enum color___other { BLUE };
enum wide { SMALL, HUGE_ONE = 0x1000000000ULL, NONE };
enum negative { LOW = -1 };
struct inner { long second; int first; char text[4]; } CORE;
struct inner___flavour { int first; } CORE;
struct flexible { struct inner items[]; } CORE;
typedef struct { long b; } CORE anonymous_t;
typedef int (*callback_t)(struct inner *, long);
typedef int (*wrong_callback_t)(struct inner *);
struct thing {
	long or; int deep; int either;
	unsigned int three : 3, one : 1; int signed_seven : 7; unsigned long across : 40; u8 narrow : 4;
	unsigned long size; int number; int little;
	enum color color; enum wide wide; enum negative negative; double real; float half;
	struct inner rows[4]; struct inner inner; int matrix[3][5];
	struct inner *pointer; void *raw; callback_t call; anonymous_t typed; struct thing *next; struct flexible *flexible;
	int absent; struct { int also_absent; };
} CORE;
struct thing___old { int gone; long number_was; int color; } CORE;
struct gone_flavour___v2 { int x; int y; } CORE;
struct nowhere { int x; } CORE;
union both { long b; int c; } CORE;
struct big { int last; } CORE;
struct exact_inner { int first; };

SEC("raw_tp/sys_enter") int fields(struct thing *t)
{
	volatile u64 sum = 0;
#define ANY(f) sum += byte_offset(f); sum += byte_size(f); sum += exists(f)
#define FIELD(f) ANY(f); sum += is_signed(f); sum += lshift(f); sum += rshift(f)
	FIELD(t->or); FIELD(t->deep); FIELD(t->either); FIELD(t->one); FIELD(t->three); FIELD(t->signed_seven); FIELD(t->across);
	FIELD(t->narrow); FIELD(t->size); FIELD(t->number); FIELD(t->little); FIELD(t->color); FIELD(t->wide); FIELD(t->negative);
	FIELD(t->real); FIELD(t->half); ANY(t->inner); ANY(t->rows); ANY(t->pointer); ANY(t->raw); ANY(t->call);
	ANY(t->typed); ANY(t->next); FIELD(t->inner.second); ANY(t->inner.text); FIELD(t->typed.b); FIELD(t->rows[2].first);
	FIELD(t->absent); FIELD(t->also_absent); FIELD(((struct inner___flavour *)t)->first);
	FIELD(((struct thing___old *)t)->gone); FIELD(((struct thing___old *)t)->number_was); FIELD(((struct thing___old *)t)->color);
	FIELD(((struct gone_flavour___v2 *)t)->x); FIELD(((struct gone_flavour___v2 *)t)->y); FIELD(((struct nowhere *)t)->x);
	FIELD(((union both *)t)->b); FIELD(((union both *)t)->c); FIELD(((struct big *)t)->last);
	ANY(t->matrix[2][4]); ANY(t->rows[3]); ANY(t->inner.text[3]); ANY(((struct flexible *)t)->items[7]);
	ANY(t[3].size); ANY(((struct flexible *)t)->items[2].first);
	return sum;
}

SEC("raw_tp/sys_exit") int types(void *ctx)
{
	volatile u64 sum = 0;
#define TYPE(t) sum += type_exists(t); sum += type_size(t); sum += type_matches(t)
	TYPE(struct thing); TYPE(struct inner); TYPE(struct inner___flavour); TYPE(struct nowhere); TYPE(union both); TYPE(enum color);
	TYPE(enum wide); TYPE(anonymous_t); TYPE(callback_t); TYPE(wrong_callback_t); TYPE(struct gone_flavour___v2); TYPE(enum negative);
	sum += type_id_local(struct thing); sum += type_id_kernel(struct thing); sum += type_id_kernel(struct nowhere);
#define VALUE(t, v) sum += enum_value_exists(t, v); sum += enum_value(t, v)
	VALUE(enum color, RED); VALUE(enum color, GREEN); VALUE(enum color, PURPLE); VALUE(enum color___other, BLUE);
	VALUE(enum wide, SMALL); VALUE(enum wide, HUGE_ONE); VALUE(enum wide, NONE); VALUE(enum negative, LOW);
	return sum;
}
"#;

/// The probe without the relocations that ask for a type's number, which no minimal BTF has.
fn probe_without_numbers() -> String {
    PROBE.replace("sum += type_id_kernel(struct thing);", "")
}

/// Compares every relocation with libbpf's answer; how many were compared.
fn compare(object: &Path, target: &Path, folder: &Path) -> usize {
    let parsed = ProbeObject::parse(&std::fs::read(object).unwrap()).unwrap();
    let btf = Btf::parse(&std::fs::read(target).unwrap()).unwrap();
    let Some(answers) = support::libbpf(folder, object, target) else { return 0 };
    let mut positions = std::collections::BTreeMap::new();
    for one in parsed.resolve(&btf).unwrap() {
        let program = match one.section.as_str() {
            "raw_tp/sys_enter" => "fields",
            _ => "types",
        };
        let position: &mut usize = positions.entry(program).or_default();
        let expected = answers.get(&(program.to_owned(), *position)).unwrap_or_else(|| panic!("{} was not answered", one.name()));
        let found = match one.outcome {
            Outcome::Value(value) => Some(value),
            Outcome::Missing => None,
        };
        assert_eq!(found, *expected, "{} at {program} {position}", one.name());
        *position += 1;
    }
    positions.values().sum()
}

#[test]
fn every_kind_of_relocation_has_the_value_that_libbpf_gives_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(kernel) = support::compile(dir.path(), "kernel", &format!("{PRELUDE}{KERNEL_TYPES}")) else { return };
    let target = dir.path().join("kernel.btf");
    std::fs::write(&target, support::section_btf(&kernel)).unwrap();
    let probe = support::compile(dir.path(), "probe", &format!("{PRELUDE}{PROBE}")).unwrap();
    let kinds: std::collections::BTreeSet<RelocationKind> =
        ProbeObject::parse(&std::fs::read(&probe).unwrap()).unwrap().relocations().iter().map(|relocation| relocation.kind).collect();
    let wide = |btf: &Btf| btf.types().any(|(_, ty)| matches!(ty.kind, Kind::Enum64 { .. }));
    assert!(wide(&Btf::parse(&support::section_btf(&kernel)).unwrap()) && wide(&Btf::parse(&support::section_btf(&probe)).unwrap()));
    assert_eq!(kinds.len(), 13, "a kind is not exercised: {kinds:?}");
    let compared = compare(&probe, &target, dir.path());
    assert!(compared == 0 || compared > 250, "only {compared}");
}

#[test]
fn an_object_and_a_kernel_of_the_other_byte_order_give_the_same_answers_where_layout_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let answers = |target: &str| {
        let compiled = |name, source: &str| support::compile_for(target, dir.path(), name, &format!("{PRELUDE}{source}"));
        let (kernel, probe) = (compiled("kernel", KERNEL_TYPES)?, compiled("probe", &probe_without_numbers())?);
        let btf = Btf::parse(&support::section_btf(&kernel)).unwrap();
        let object = ProbeObject::parse(&std::fs::read(probe).unwrap()).unwrap();
        let minimal = Btf::parse(&minimise(&object, &btf).unwrap()).unwrap();
        assert_eq!(minimal.order(), btf.order());
        let resolved = object.resolve(&btf).unwrap();
        assert_eq!(object.resolve(&minimal).unwrap(), resolved);
        Some((btf.order(), resolved))
    };
    let (Some((little, ours)), Some((big, theirs))) = (answers("bpfel"), answers("bpfeb")) else { return };
    assert_ne!(little, big);
    let bit_fields = [".one", ".three", ".signed_seven", ".across", ".narrow"];
    let mut shifts = 0;
    for (one, other) in ours.iter().zip(&theirs) {
        assert_eq!(one.name(), other.name());
        if one.kind == RelocationKind::FieldLeftShift {
            // A whole field of a big machine begins at its most significant byte: nothing is left of it but what a load leaves out.
            shifts += usize::from(one.outcome == other.outcome);
        } else if !bit_fields.contains(&one.access.as_str()) && one.kind != RelocationKind::TypeIdLocal {
            assert_eq!(one.outcome, other.outcome, "{}", one.name());
        }
    }
    assert!(shifts > 5, "whole fields are shifted alike in both orders");
}

#[test]
fn libbpf_gets_the_same_answers_from_the_minimal_btf() {
    let dir = tempfile::tempdir().unwrap();
    let Some(kernel) = support::compile(dir.path(), "kernel", &format!("{PRELUDE}{KERNEL_TYPES}")) else { return };
    let probe = support::compile(dir.path(), "probe", &format!("{PRELUDE}{}", probe_without_numbers())).unwrap();
    let object = ProbeObject::parse(&std::fs::read(&probe).unwrap()).unwrap();
    let whole = Btf::parse(&support::section_btf(&kernel)).unwrap();
    let minimal = minimise(&object, &whole).unwrap();
    assert_eq!(minimal, minimise(&object, &whole).unwrap());
    let (full, small) = (dir.path().join("full.btf"), dir.path().join("small.btf"));
    std::fs::write(&full, support::section_btf(&kernel)).unwrap();
    std::fs::write(&small, &minimal).unwrap();
    assert!(minimal.len() < whole.encode().len());
    assert_eq!(support::libbpf(dir.path(), &probe, &full), support::libbpf(dir.path(), &probe, &small));
    compare(&probe, &small, dir.path());
}

#[test]
fn on_this_kernel_the_probe_object_resolves_as_libbpf_and_min_core_btf_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(kernel) = support::kernel() else { return };
    let object = ProbeObject::parse(&std::fs::read(support::probe()).unwrap()).unwrap();
    let whole = Btf::parse(&kernel).unwrap();
    let expected = object.resolve(&whole).unwrap();
    let minimal = minimise(&object, &whole).unwrap();
    assert!(minimal.len() <= 1024, "{} bytes", minimal.len());
    assert_eq!(object.resolve(&Btf::parse(&minimal).unwrap()).unwrap(), expected);
    let report = preflight(&object, &whole).unwrap();
    assert!(report.is_usable(), "{report:?}");
    let small = dir.path().join("small.btf");
    std::fs::write(&small, &minimal).unwrap();
    let (theirs, probe) = (dir.path().join("theirs.btf"), support::probe());
    let arguments = ["gen", "min_core_btf", support::KERNEL, theirs.to_str().unwrap(), probe.to_str().unwrap()];
    let Some(made) = support::bpftool(&arguments) else { return };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let theirs = std::fs::read(theirs).unwrap();
    assert_eq!(object.resolve(&Btf::parse(&theirs).unwrap()).unwrap(), expected);
    assert!(minimal.len() < theirs.len());
    if let Some(dump) = support::bpftool(&["btf", "dump", "file", small.to_str().unwrap()]) {
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    }
}

#[test]
fn on_this_kernel_bit_fields_flavours_and_missing_fields_are_as_libbpf_has_them() {
    let source = r#"
struct list_head { struct list_head *next; } CORE;
struct task_struct { int pid, tgid; struct task_struct *real_parent; unsigned sched_reset_on_fork : 1; struct list_head tasks;
	unsigned in_execve : 1; char comm[16]; int absent; unsigned int __state; } CORE;
struct task_struct___old { long state; } CORE;
struct sk_buff { u8 pkt_type : 3; u8 nf_trace : 1; unsigned int len; } CORE;
struct tcphdr { u16 ack : 1, syn : 1, doff : 4; } CORE;
struct iphdr { u8 ihl : 4, version : 4; u32 saddr; } CORE;
struct sock_common { u16 skc_dport; u32 skc_daddr; } CORE;
struct sock { struct sock_common __sk_common; u8 sk_protocol; } CORE;
struct qstr { const unsigned char *name; u32 len; } CORE;
struct dentry { struct qstr d_name; } CORE;
struct path { struct dentry *dentry; } CORE;
struct file { struct path f_path; } CORE;
enum bpf_func_id { BPF_FUNC_ringbuf_reserve, BPF_FUNC_none };
enum perf_callchain_context { PERF_CONTEXT_HV = 1ULL << 40, PERF_CONTEXT_NO };
SEC("raw_tp/sys_enter") int fields(struct task_struct *t)
{
	volatile u64 sum = 0;
#define ANY(f) sum += byte_offset(f); sum += byte_size(f); sum += exists(f)
#define FIELD(f) ANY(f); sum += is_signed(f); sum += lshift(f); sum += rshift(f)
	FIELD(t->pid); FIELD(t->tgid); ANY(t->real_parent); FIELD(t->sched_reset_on_fork); ANY(t->tasks.next); FIELD(t->in_execve);
	ANY(t->comm); FIELD(t->absent); FIELD(t->__state); FIELD(((struct task_struct___old *)t)->state);
	FIELD(((struct sk_buff *)t)->pkt_type); FIELD(((struct sk_buff *)t)->nf_trace); FIELD(((struct sk_buff *)t)->len);
	FIELD(((struct tcphdr *)t)->syn); FIELD(((struct tcphdr *)t)->doff); FIELD(((struct iphdr *)t)->version);
	FIELD(((struct sock *)t)->__sk_common.skc_dport); FIELD(((struct sock *)t)->sk_protocol);
	FIELD(((struct dentry *)t)->d_name.len); ANY(((struct file *)t)->f_path.dentry);
	return sum;
}
SEC("raw_tp/sys_exit") int types(void *ctx)
{
	volatile u64 sum = 0;
#define TYPE(t) sum += type_exists(t); sum += type_size(t)
	TYPE(struct task_struct); TYPE(struct task_struct___old); TYPE(struct iphdr); TYPE(enum bpf_func_id);
#define VALUE(t, v) sum += enum_value_exists(t, v); sum += enum_value(t, v)
	VALUE(enum bpf_func_id, BPF_FUNC_ringbuf_reserve); VALUE(enum bpf_func_id, BPF_FUNC_none);
	VALUE(enum perf_callchain_context, PERF_CONTEXT_HV); VALUE(enum perf_callchain_context, PERF_CONTEXT_NO);
	return sum;
}
"#;
    let dir = tempfile::tempdir().unwrap();
    let Some(kernel) = support::kernel() else { return };
    let Some(probe) = support::compile(dir.path(), "probe", &format!("{PRELUDE}{source}")) else { return };
    let compared = compare(&probe, Path::new(support::KERNEL), dir.path());
    assert!(compared == 0 || compared > 120, "only {compared}");
    let object = ProbeObject::parse(&std::fs::read(&probe).unwrap()).unwrap();
    let small = dir.path().join("small.btf");
    std::fs::write(&small, minimise(&object, &Btf::parse(&kernel).unwrap()).unwrap()).unwrap();
    assert_eq!(compare(&probe, &small, dir.path()), compared);
}
