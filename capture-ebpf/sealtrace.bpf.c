// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
//
// The one probe object of Sealtrace: CPU-clock samples and user probes of one process, with its registers and a bounded copy of its stack.
//
// It decides nothing but which process it looks at; unwinding is done in user space. Kernel types are the few fields below, found through
// CO-RE; register layout and helper numbers are UAPI (arch/x86/include/uapi/asm/ptrace.h, include/uapi/linux/bpf.h). The layout of records
// and maps is that of src/layout.rs. There is no global data, no loop without a constant bound and no per-CPU scratch map: under
// PREEMPT_LAZY another program may run in the middle of this one, so a record is only ever built inside its ring-buffer reservation.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define SUBPROGRAM static __attribute__((noinline))
#define CORE __attribute__((preserve_access_index))

// -- kernel types: only what is read ---------------------------------------------------------------------------------------------------
struct mm_struct {
	unsigned long start_stack;
} CORE;

// A function that carries a return probe returns to the kernel's trampoline; where it would have returned to stands here.
struct return_instance {
	struct return_instance *next;
	unsigned long stack; // address of the return address
	unsigned long orig_ret_vaddr;
} CORE;

struct uprobe_task {
	struct return_instance *return_instances; // innermost first
} CORE;

struct task_struct {
	void *stack;
	struct uprobe_task *utask;
	struct mm_struct *mm;
	int tgid;
	int pid;
	u64 self_exec_id; // 32 bits before Linux 5.6: read with the size that the kernel has
} CORE;

// Helpers that not every kernel has. The numbers are the kernel's; only whether they exist is asked.
enum bpf_func_id {
	BPF_FUNC_get_ns_current_pid_tgid = 120,
	BPF_FUNC_ktime_get_boot_ns = 125,
	BPF_FUNC_task_pt_regs = 175,
};
#define HAS_FIELD(field) __builtin_preserve_field_info(field, 2)
#define HAS_TYPE(type) __builtin_preserve_type_info(*(type *)0, 0)
#define KERNEL_HAS(helper) __builtin_preserve_enum_value(*(typeof(enum bpf_func_id) *)helper, 0)

// -- registers: struct pt_regs of x86_64 -----------------------------------------------------------------------------------------------
struct registers {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#define THREAD_SIZE 16384 // of x86_64 kernels before bpf_task_pt_regs

struct pid_namespace_ids {
	u32 pid, tgid;
};

// -- helpers ---------------------------------------------------------------------------------------------------------------------------
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static u64 (*const ktime_ns)(void) = (void *)5;
static u32 (*const processor)(void) = (void *)8;
static u64 (*const pid_tgid)(void) = (void *)14;
static void *(*const current_task)(void) = (void *)35;
static long (*const read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*const ns_pid_tgid)(u64 dev, u64 ino, struct pid_namespace_ids *ids, u32 size) = (void *)120;
static u64 (*const ktime_boot_ns)(void) = (void *)125;
static void *(*const ring_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ring_submit)(void *record, u64 flags) = (void *)132;
static void *(*const current_task_btf)(void) = (void *)158;
static void *(*const task_registers)(void *task) = (void *)175;

#define RING_NO_WAKEUP 1 // the reader looks by itself, every few milliseconds

// -- maps (BTF-defined) ----------------------------------------------------------------------------------------------------------------
#define MAP_ARRAY 2
#define MAP_RING 27
#define MAP_UINT(name, value) int(*name)[value]
#define MAP_TYPE(name, type) type *name

#define SLOTS 17 // 0: samples; 1 to 8: function entries; 9 to 16: function returns

struct config {
	u64 ns_dev, ns_ino; // the PID namespace that `tgid` is a number of
	u32 tgid;
	u32 enabled;
	u32 skip_exec; // whether hits before the exec are left out: the process still runs the capture tool itself
	u32 unused;
	u64 skip_exec_id;
};

struct counters {
	u64 hits, delivered, lost, filtered;
};

struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct config);
} config SECTION(".maps");

struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, SLOTS);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct counters);
} counters SECTION(".maps");

struct {
	MAP_UINT(type, MAP_RING);
	MAP_UINT(max_entries, 8 << 20);
} events SECTION(".maps");

// -- records ---------------------------------------------------------------------------------------------------------------------------
#define CHUNK 1024
#define FEW_CHUNKS 3  // 2 KiB from the stack pointer on, whatever its alignment
#define MANY_CHUNKS 9 // 8 KiB

#define MAX_RETURNS 8

// A return address that the kernel replaced.
struct replaced {
	u64 at;
	u64 address;
};

#define TO_THE_TOP 1 // the copy reaches the start of the main thread's stack: nothing of interest lies above

struct record {
	u32 slot;
	u32 flags;
	u32 tgid, tid; // in the namespace of the configuration
	u32 cpu;
	u32 chunks; // copied
	u64 time;   // nanoseconds since boot
	u64 exec_id;
	u64 start_stack;
	u64 stack_base; // address of the first chunk: the stack pointer rounded down to a whole chunk
	struct registers registers;
	struct replaced replaced[MAX_RETURNS]; // innermost first; the rest is zero
};
struct small_record {
	struct record head;
	u8 stack[FEW_CHUNKS * CHUNK];
};
struct large_record {
	struct record head;
	u8 stack[MANY_CHUNKS * CHUNK];
};

INLINE void add_one(u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

INLINE u64 now(void)
{
	return KERNEL_HAS(BPF_FUNC_ktime_get_boot_ns) ? ktime_boot_ns() : ktime_ns();
}

// Thread and process id in the reader's namespace; false when the task is not in it.
INLINE int ids_of(const struct config *config, struct pid_namespace_ids *ids)
{
	if (KERNEL_HAS(BPF_FUNC_get_ns_current_pid_tgid))
		return ns_pid_tgid(config->ns_dev, config->ns_ino, ids, sizeof(*ids)) == 0;
	u64 both = pid_tgid();
	ids->pid = (u32)both;
	ids->tgid = both >> 32;
	return 1;
}

#define FIELD_SIZE 1
INLINE u64 exec_id_of(struct task_struct *task)
{
	u64 id = 0;
	u32 size = __builtin_preserve_field_info(task->self_exec_id, FIELD_SIZE);
	if (size > sizeof(id))
		size = sizeof(id);
	read_kernel(&id, size, &task->self_exec_id);
	return id;
}

INLINE u64 start_stack_of(struct task_struct *task)
{
	struct mm_struct *mm = 0;
	unsigned long start = 0;
	read_kernel(&mm, sizeof(mm), &task->mm);
	if (mm)
		read_kernel(&start, sizeof(start), &mm->start_stack);
	return start;
}

// The registers that the thread had in user space, wherever it is now.
INLINE int user_registers(struct task_struct *task, struct registers *registers)
{
	if (KERNEL_HAS(BPF_FUNC_task_pt_regs))
		return read_kernel(registers, sizeof(*registers), task_registers(current_task_btf())) == 0;
	void *stack = 0;
	read_kernel(&stack, sizeof(stack), &task->stack);
	return stack && read_kernel(registers, sizeof(*registers), (u8 *)stack + THREAD_SIZE - sizeof(*registers)) == 0;
}

// The return addresses that the kernel replaced on this thread's stack.
INLINE void replaced_of(struct task_struct *task, struct replaced *to)
{
	struct uprobe_task *utask = 0;
	struct return_instance *at = 0;
	unsigned long stack, address;
#pragma unroll
	for (u32 n = 0; n < MAX_RETURNS; n++) {
		to[n].at = 0;
		to[n].address = 0;
	}
	// A kernel without user probes has none of these types.
	if (!HAS_FIELD(task->utask) || !HAS_TYPE(struct uprobe_task) || !HAS_TYPE(struct return_instance))
		return;
	read_kernel(&utask, sizeof(utask), &task->utask);
	if (!utask)
		return;
	read_kernel(&at, sizeof(at), &utask->return_instances);
#pragma unroll
	for (u32 n = 0; n < MAX_RETURNS; n++) {
		if (!at)
			return;
		stack = address = 0;
		read_kernel(&stack, sizeof(stack), &at->stack);
		read_kernel(&address, sizeof(address), &at->orig_ret_vaddr);
		to[n].at = stack;
		to[n].address = address;
		struct return_instance *next = 0;
		read_kernel(&next, sizeof(next), &at->next);
		at = next;
	}
}

#define COPY(record, count)                                                                                 \
	do {                                                                                                    \
		u8 *to = (record)->stack;                                                                           \
		_Pragma("unroll") for (u32 chunk = 0; chunk < (count); chunk++) {                                   \
			if (read_user(to + chunk * CHUNK, CHUNK, (void *)((record)->head.stack_base + chunk * CHUNK)))  \
				break;                                                                                      \
			(record)->head.chunks = chunk + 1;                                                              \
		}                                                                                                   \
	} while (0)

struct hit {
	u32 slot;
	u32 flags;
	u32 tgid, tid;
	u64 exec_id;
	u64 start_stack;
};

INLINE void fill(struct record *record, const struct hit *hit, const struct registers *registers)
{
	record->slot = hit->slot;
	record->flags = hit->flags;
	record->tgid = hit->tgid;
	record->tid = hit->tid;
	record->cpu = processor();
	record->chunks = 0;
	record->time = now();
	record->exec_id = hit->exec_id;
	record->start_stack = hit->start_stack;
	record->stack_base = registers->sp & ~(u64)(CHUNK - 1);
	record->registers = *registers;
}

// One hit of a slot: counted, and recorded if there is room. `given`: the registers at a user probe, null for a sample.
SUBPROGRAM int on_hit(struct registers *given, u32 slot)
{
	u32 zero = 0;
	struct config *cfg = map_lookup(&config, &zero);
	struct pid_namespace_ids ids = {};
	if (!cfg || !cfg->enabled || !ids_of(cfg, &ids) || ids.tgid != cfg->tgid)
		return 0;
	struct counters *count = map_lookup(&counters, &slot);
	if (!count)
		return 0;
	struct hit hit = { .slot = slot, .tgid = ids.tgid, .tid = ids.pid };
	add_one(&count->hits);
	struct task_struct *task = current_task();
	hit.exec_id = exec_id_of(task);
	hit.start_stack = start_stack_of(task);
	struct registers registers = {};
	if (slot == 0) {
		if (!user_registers(task, &registers)) {
			add_one(&count->filtered);
			return 0;
		}
	} else {
		registers = *given;
	}
	if (cfg->skip_exec && hit.exec_id == cfg->skip_exec_id) {
		add_one(&count->filtered);
		return 0;
	}
	if (registers.sp <= hit.start_stack && hit.start_stack - registers.sp <= (FEW_CHUNKS - 1) * CHUNK) {
		hit.flags = TO_THE_TOP;
		struct small_record *record = ring_reserve(&events, sizeof(*record), 0);
		if (!record)
			goto lost;
		fill(&record->head, &hit, &registers);
		replaced_of(task, record->head.replaced);
		COPY(record, FEW_CHUNKS);
		ring_submit(record, RING_NO_WAKEUP);
	} else {
		struct large_record *record = ring_reserve(&events, sizeof(*record), 0);
		if (!record)
			goto lost;
		fill(&record->head, &hit, &registers);
		replaced_of(task, record->head.replaced);
		COPY(record, MANY_CHUNKS);
		ring_submit(record, RING_NO_WAKEUP);
	}
	add_one(&count->delivered);
	return 0;
lost:
	add_one(&count->lost);
	return 0;
}

SECTION("perf_event") int sample(void *context)
{
	return on_hit(context, 0);
}

#define USER_PROBE(n)                                                               \
	SECTION("uprobe") int entry_##n(struct registers *registers)                    \
	{                                                                               \
		return on_hit(registers, n);                                                \
	}                                                                               \
	SECTION("uretprobe") int return_##n(struct registers *registers)                \
	{                                                                               \
		return on_hit(registers, n + 8);                                            \
	}
USER_PROBE(1)
USER_PROBE(2)
USER_PROBE(3)
USER_PROBE(4)
USER_PROBE(5)
USER_PROBE(6)
USER_PROBE(7)
USER_PROBE(8)

// Some of the helpers may only be used by programs under the GPL; this file may be taken under it, or under Apache-2.0 or MIT.
char _license[] SECTION("license") = "Dual MIT/GPL";
