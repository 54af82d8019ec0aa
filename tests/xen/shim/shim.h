/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the hypervisor files of CASMotion need of Xen, in user space: the types and functions that they use, with the names of
 * Xen 4.17, over one domain in ordinary memory. The public interface (hypercall numbers, shared_info, registers) is that of
 * the real headers (libxen-dev); the headers in this folder only redirect to them, or to this file.
 *
 * Single-threaded. What Xen would do to the machine is counted or handed to a hook in `shim`.
 */
#ifndef CASMOTION_TESTS_SHIM_H
#define CASMOTION_TESTS_SHIM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define __XEN_TOOLS__ 1
#include <public/xen.h>
#include <public/domctl.h>

/* --- Compiler --- */
#define likely(x)   (x)
#define unlikely(x) (x)
#ifndef __cplusplus /* names that C++ libraries use */
#define __user
#define __init
#define __initdata
#define __read_mostly
#define cf_check
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define always_inline inline
#define noinline
#endif
#define ROUNDUP(x, a) (((x) + (a) - 1) & ~((a) - 1))
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
#define BITS_PER_LONG 64
#define PAGE_SHIFT 12
#undef PAGE_SIZE
#define PAGE_SIZE 4096ul
#define MB(n) ((uint64_t)(n) << 20)
#define GB(n) ((uint64_t)(n) << 30)
#ifndef __cplusplus /* std::min */
#define max(x, y) ({ __typeof__(x) x_ = (x); __typeof__(y) y_ = (y); (void)(&x_ == &y_); x_ > y_ ? x_ : y_; })
#define min(x, y) ({ __typeof__(x) x_ = (x); __typeof__(y) y_ = (y); (void)(&x_ == &y_); x_ < y_ ? x_ : y_; })
#define min_t(type, x, y) ({ type x_ = (x); type y_ = (y); x_ < y_ ? x_ : y_; })
#endif

typedef int64_t s_time_t;

/* --- The machine, as the tests see and set it --- */
struct vcpu;
struct domain;
struct evtchn;
struct page_info;

struct shim {
    struct vcpu *running;
    struct cpu_user_regs regs;  /* of the running guest */
    s_time_t now;
    bool irqs_on;
    unsigned int locks_held, evtchn_locks_held, wmbs, rmbs;
    unsigned int virqs, tlb_flushes, crashes, backend_sends;
    char last_print[256];
    unsigned int prints;
    uint64_t branches;                                     /* conditional branches that the guest retired */
    uint64_t overflow_at;                                  /* ... at which the counter is to interrupt; 0: not armed */
    uint64_t transfers;                                    /* branches of any kind, interrupts and exceptions */
    uint64_t transfers_overflow_at;
    unsigned int softirq_passes;                           /* process_pending_softirqs() */
    bool readers;                                          /* somebody is in a section of RCU */
    bool counter_busy, counter_owned;
    unsigned long tlb_flushed;                             /* CPUs of the last flush */
    unsigned long dr[8];                                   /* debug registers of the processor */
    unsigned int kicks;
    unsigned int cpu;                                      /* that executes Xen's code */
    unsigned int levelling;                                /* LCAP_faulting: CPUID can trap */
    unsigned int idt_left;                                 /* IDTR was given back */
    uint16_t ds, es, fs, gs;                               /* in the processor */
    unsigned int segment_loads, segment_loads_irqs_off;
    bool segments_fail;                                    /* the next load does, in user mode: a failsafe callback */
    bool cpupool_locked, cpu_maps_held, vcpu_stuck;        /* vcpu_stuck: it cannot be moved now */
    uint32_t (*on_cpuid)(unsigned int cpu, uint32_t leaf, uint32_t subleaf, unsigned int reg); /* reg: 0 to 3 for EAX to EDX */
    void *ctx;                                             /* of the hooks */
    uint64_t (*soft_rdtsc)(void *ctx);
    void (*on_wmb)(void *ctx);
    void (*on_rmb)(void *ctx);
    void (*interrupt)(void *ctx);                          /* when interrupts go on, and before they go off again */
    void (*set_pending)(void *ctx, unsigned int port);     /* an event became pending in the guest's shared_info */
};
extern struct shim shim;

/* Frames, their contents and everything counted as at power-on. Domains must be gone. */
void shim_reset(void);

/* Guest virtual addresses of the domain: PFN n of the recording pool is mapped at SHIM_GUEST_VA + n pages. */
#define SHIM_GUEST_VA 0x100000000000ull
/* Frames of the machine; those of the pool and those of Xen's heap. */
#define SHIM_FRAMES     40960ul
#define SHIM_POOL_BASE  "16M"
#define SHIM_HEAP_FIRST 16384ul

/* --- Barriers, atomics, bits --- */
void shim_wmb(void);
void shim_rmb(void);
#define smp_wmb() shim_wmb()
#define smp_rmb() shim_rmb()
#define smp_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define read_atomic(p)     __atomic_load_n(p, __ATOMIC_RELAXED)
#define cmpxchg(p, o, n) \
    ({ __typeof__(*(p)) old_ = (o); __atomic_compare_exchange_n(p, &old_, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); old_; })
typedef struct { int counter; } atomic_t;
#define atomic_read(v) __atomic_load_n(&(v)->counter, __ATOMIC_RELAXED)
#define atomic_inc(v)  ((void)__atomic_add_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST))
#define atomic_dec(v)  ((void)__atomic_sub_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST))
#define write_atomic(p, x) __atomic_store_n(p, x, __ATOMIC_RELAXED)

static inline bool __test_and_set_bit(unsigned int nr, unsigned long *addr)
{
    unsigned long mask = 1ul << (nr % BITS_PER_LONG), old = addr[nr / BITS_PER_LONG];

    addr[nr / BITS_PER_LONG] = old | mask;
    return old & mask;
}
static inline bool test_and_clear_bit(unsigned int nr, unsigned long *addr)
{
    unsigned long mask = 1ul << (nr % BITS_PER_LONG), old = addr[nr / BITS_PER_LONG];

    addr[nr / BITS_PER_LONG] = old & ~mask;
    return old & mask;
}
#define set_bit(nr, addr)     ((void)__test_and_set_bit(nr, addr))
#define __clear_bit(nr, addr) ((void)test_and_clear_bit(nr, addr))
unsigned int find_next_bit(const unsigned long *addr, unsigned int size, unsigned int from);

/*
 * --- Locks and interrupts ---
 * Taking a lock twice aborts; so does a lock that is taken with interrupts on here and off there, which is Xen's CHECKLOCK
 * (common/spinlock.c says why that deadlocks), and each function that Xen runs with interrupts on only, and is called with them off.
 */
enum shim_lock_use { SHIM_LOCK_UNSEEN, SHIM_LOCK_IRQS_ON, SHIM_LOCK_IRQS_OFF };
typedef struct { bool held; uint8_t use; /* enum shim_lock_use */ } spinlock_t;
void shim_check_lock(uint8_t *use);
void shim_needs_irqs(const char *what);
#define DEFINE_SPINLOCK(l) spinlock_t l
#define spin_lock_init(l) (*(l) = (spinlock_t){ false, SHIM_LOCK_UNSEEN })
void spin_lock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
#define spin_lock_irqsave(l, flags)      ((flags) = shim.irqs_on, shim.irqs_on = false, spin_lock(l))
#define spin_unlock_irqrestore(l, flags) (spin_unlock(l), shim.irqs_on = (flags))
void local_irq_enable(void);
void local_irq_disable(void);

/* --- Per-CPU data of the one CPU --- */
#define DEFINE_PER_CPU(type, name)  __typeof__(type) per_cpu__##name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) per_cpu__##name
#define this_cpu(name) per_cpu__##name

/* --- Output, start-up --- */
#define XENLOG_ERR ""
#define XENLOG_G_ERR ""
#define XENLOG_G_WARNING ""
void printk(const char *format, ...); /* %pd prints a pointer and a d */
#define ASSERT_UNREACHABLE() abort()
#define custom_param(name, fn) int (*const shim_param_##fn)(const char *) = fn
#define __initcall(fn) int (*const shim_initcall_##fn)(void) = fn
unsigned long long parse_size_and_unit(const char *s, const char **end);

/* --- Time --- */
static inline s_time_t NOW(void)
{
    return shim.now;
}
static inline uint64_t rdtsc(void)
{
    return (uint64_t)shim.now * 3 + 1;
}
struct timer { void (*function)(void *data); void *data; s_time_t expires; /* 0: not armed */ };
static inline void init_timer(struct timer *t, void (*function)(void *data), void *data, unsigned int cpu)
{
    (void)cpu;
    t->function = function;
    t->data = data;
    t->expires = 0;
}
static inline void set_timer(struct timer *t, s_time_t expires)
{
    t->expires = expires;
}
static inline void kill_timer(struct timer *t)
{
    t->expires = 0;
}
void force_update_vcpu_system_time(struct vcpu *v);
uint64_t pv_soft_rdtsc(const struct vcpu *v, const struct cpu_user_regs *regs);

/* --- Processor --- */
#define X86_EFLAGS_TF 0x100u
#define X86_EFLAGS_RF 0x10000u
#define X86_EFLAGS_IF 0x200u
#define X86_EFLAGS_IOPL 0x3000u
#define X86_EFLAGS_VM 0x20000u
#define TRAP_syscall 256
#define _SEGMENT_WR (1 << 9)
#define _SEGMENT_CODE (1 << 11)
#define _SEGMENT_L (1 << 21)
#define _SEGMENT_DB (1 << 22)
#define DR_CONTROL_SHIFT 16
#define DR_CONTROL_SIZE  4
#define DR_ENABLE_SIZE   2
#define DR_TRAP0 1
#define DR_TRAP1 2
#define DR_TRAP2 4
#define DR_TRAP3 8
#define DR_STEP  0x4000
#define DR7_ACTIVE_MASK 0xfful
#define write_debugreg(reg, val) (shim.dr[reg] = (val))
#define X86_CR4_TSD   0x4ul
#define MSR_IA32_TSC  0x10u
#define MSR_IA32_DEBUGCTLMSR 0x1d9u
#define X86EMUL_OKAY  0
#define TF_kernel_mode 1u
struct cpuid_leaf { uint32_t a, b, c, d; };
/* --- Processors: four, in two cpupools --- */
typedef struct cpumask { unsigned long bits; } cpumask_t;
#define SHIM_CPUS 4u
#define nr_cpu_ids SHIM_CPUS
extern cpumask_t cpu_online_map;
#define cpu_online(cpu) cpumask_test_cpu(cpu, &cpu_online_map)
static inline bool cpumask_test_cpu(unsigned int cpu, const cpumask_t *m)
{
    return (m->bits >> cpu) & 1;
}
static inline bool cpumask_equal(const cpumask_t *a, const cpumask_t *b)
{
    return a->bits == b->bits;
}
static inline void cpumask_copy(cpumask_t *to, const cpumask_t *from)
{
    to->bits = from->bits;
}
static inline void cpumask_and(cpumask_t *to, const cpumask_t *a, const cpumask_t *b)
{
    to->bits = a->bits & b->bits;
}
static inline unsigned int cpumask_first(const cpumask_t *m)
{
    return m->bits ? (unsigned int)__builtin_ctzl(m->bits) : SHIM_CPUS;
}
extern const cpumask_t shim_cpumask_of[SHIM_CPUS];
#define cpumask_of(cpu) (&shim_cpumask_of[cpu])
bool get_cpu_maps(void);
void put_cpu_maps(void);
void on_selected_cpus(const cpumask_t *cpus, void (*fn)(void *arg), void *arg, int wait);
/* What CPUID says on the processor that executes it. */
void cpuid_count(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d);
#define cpuid(leaf, a, b, c, d) cpuid_count(leaf, 0, a, b, c, d)
#define LCAP_faulting 1u
#define levelling_caps (shim.levelling)
typedef struct { uint64_t a, b; } idt_entry_t;
extern idt_entry_t *idt_tables[SHIM_CPUS];

struct cpupool { cpumask_t valid; };
const cpumask_t *cpupool_valid_cpus(const struct cpupool *pool);
int cpupool_run_locked(int (*fn)(void *arg), void *arg);
int vcpu_set_hard_affinity(struct vcpu *v, const cpumask_t *affinity);
enum system_state { SYS_STATE_active, SYS_STATE_suspend, SYS_STATE_resume };
extern enum system_state system_state;

void flush_tlb_mask(const cpumask_t *mask);
#define guest_cpu_user_regs() (&shim.regs)

/* --- Domains --- */
struct evtchn_port_ops { void (*set_pending)(struct vcpu *v, struct evtchn *chn); };
#define ECS_FREE        0
#define ECS_INTERDOMAIN 3
#define ECS_VIRQ        5
struct evtchn { uint32_t port; uint8_t state; uint16_t notify_vcpu_id; };
extern uint8_t shim_evtchn_lock_use; /* of all event channel locks */

struct casm_domain;
struct domain {
    domid_t domain_id;
    bool is_privileged, creation_finished;
    const cpumask_t *dirty_cpumask; /* that have its page tables loaded */
    int is_dying, is_shutting_down;
    unsigned int shutdown_code;
    unsigned int max_pages;
    bool debugger_attached;
    struct rangeset *iomem_caps, *irq_caps;
    int references;               /* that were taken and not put */
    struct vcpu *vcpu[1];
    struct cpupool *cpupool;
    shared_info_t *shared_info;
    const struct evtchn_port_ops *evtchn_port_ops;
    struct evtchn *evtchn;
    unsigned int nr_evtchn;
    unsigned long granted_mfn[2]; /* by reserved grant reference; 0: not granted */
    struct { struct casm_domain *casm; bool vtsc; uint32_t tsc_khz; struct rangeset *ioport_caps; bool paging; } arch;
};
struct sched_unit { cpumask_t *cpu_hard_affinity; };
struct vcpu {
    struct domain *domain;
    struct sched_unit *sched_unit;
    unsigned long pause_flags;
    unsigned int processor;
    vcpu_info_t *vcpu_info;
    int paused;                   /* nests */
    unsigned int unblocked;
    struct {
        struct casm_domain *casm;
        bool fully_eager_fpu, nmi_pending, mce_pending;
        uint32_t flags;
        unsigned long dr[4], dr7;
        struct cpu_user_regs user_regs;
        struct { unsigned long ctrlreg[8]; } pv;
    } arch;
};
#ifndef __cplusplus /* a plain word that C++ libraries use */
#define current (shim.running)
#endif
static inline void read_sregs(struct cpu_user_regs *regs)
{
    regs->ds = shim.ds;
    regs->es = shim.es;
    regs->fs = shim.fs;
    regs->gs = shim.gs;
}
#define is_pv_domain(d) ((d) != NULL)
#define paging_mode_enabled(d) ((d)->arch.paging)
#define rangeset_is_empty(r) ((r) == NULL) /* a set is there if something is in it */
#define vcpu_info(v, field) ((v)->vcpu_info->field)
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
void vcpu_unblock(struct vcpu *v);
void vcpu_kick(struct vcpu *v);
#define SHUTDOWN_CODE_INVALID ~0u
/* The domctl lock is not one of the shim's: a domctl is never atomic here. */
bool in_atomic(void);
void process_pending_softirqs(void);
#define _VPF_blocked 0
static inline bool test_bit(unsigned int nr, const unsigned long *addr)
{
    return addr[nr / BITS_PER_LONG] & (1ul << (nr % BITS_PER_LONG));
}
/* Flat unless a test says otherwise. */
extern unsigned long shim_segment_base;
int pv_emul_read_descriptor(unsigned int sel, const struct vcpu *v, unsigned long *base, unsigned long *limit,
                            unsigned int *ar, bool insn_fetch);
/* --- RCU: a grace period is over when shim_grace() says so, at once unless shim.readers --- */
struct rcu_head { struct rcu_head *next; void (*func)(struct rcu_head *head); };
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void shim_grace(void);

static inline void get_knownalive_domain(struct domain *d)
{
    d->references++;
}
static inline void put_domain(struct domain *d)
{
    d->references--;
}
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
void domain_crash(struct domain *d);
/* As Xen's: runs the hook of the product once. */
void shim_domain_shutdown(struct domain *d, unsigned int reason);
void send_global_virq(uint32_t virq);
void local_event_delivery_enable(void);

bool port_is_valid(const struct domain *d, unsigned int port);
struct evtchn *evtchn_from_port(const struct domain *d, unsigned int port);
void evtchn_read_lock(struct evtchn *chn);
void evtchn_read_unlock(struct evtchn *chn);
#define evtchn_usable(chn) ((chn)->state != ECS_FREE)
int evtchn_send(struct domain *d, unsigned int port);
unsigned long gnttab_v1_frame(const struct domain *d, unsigned int ref);
#define GUEST_EVENTS_HELD 0

/* --- Hypercalls --- */
#define MEMOP_CMD_MASK 0x3ful
#define __HYPERVISOR_mca                __HYPERVISOR_arch_0
#define __HYPERVISOR_paging_domctl_cont __HYPERVISOR_arch_1

/* --- Memory --- */
typedef struct { unsigned long m; } mfn_t;
static inline mfn_t _mfn(unsigned long m)
{
    mfn_t mfn = { m };

    return mfn;
}
static inline unsigned long mfn_x(mfn_t mfn)
{
    return mfn.m;
}
#define INVALID_MFN _mfn(~0ul)
struct page_info {
    unsigned long count_info;
    struct domain *owner;
    union { struct { unsigned long type_info; } inuse; } u;
    unsigned long m2p;
    void *virt, *block; /* block: what to free() with the first frame of an allocation */
    bool not_ram;
};
#define PGC_allocated  (1ul << 63)
#define PGC_xen_heap   (1ul << 62)
#define PGC_extra      (1ul << 61)
#define PGC_broken     (1ul << 60)
#define PGC_state_offlined  (1ul << 58)
#define PGC_state_offlining (1ul << 57)
#define PGC_count_mask 0xfffffffful
#define PGT_writable_page 1u
#define PGT_l4_page_table 4u
#define PGT_type_mask 7u
#define ROOT_PAGETABLE_FIRST_XEN_SLOT 256
#define ROOT_PAGETABLE_LAST_XEN_SLOT 271
#define XEN_VIRT_START 0xffff828000000000ull /* slot 261 */
#define l4_table_offset(va) (((va) >> 39) & 511)
typedef struct { uint64_t l4; } l4_pgentry_t;
#define l4e_get_intpte(e) ((e).l4)
extern l4_pgentry_t idle_pg_table[512];
#define MEMF_no_refcount 1u
#define INVALID_M2P_ENTRY (~0ul)
#define RAM_TYPE_CONVENTIONAL 1u
#define mfn_valid(mfn) (mfn_x(mfn) < SHIM_FRAMES)
struct page_info *mfn_to_page(mfn_t mfn);
mfn_t page_to_mfn(const struct page_info *pg);
void *page_to_virt(const struct page_info *pg);
void *mfn_to_virt(unsigned long mfn);
#define page_get_owner(pg)    ((pg)->owner)
#define page_set_owner(pg, d) ((pg)->owner = (d))
#define set_gpfn_from_mfn(mfn, gpfn) (mfn_to_page(_mfn(mfn))->m2p = (gpfn))
bool page_is_ram_type(unsigned long mfn, unsigned long type);
void clear_domain_page(mfn_t mfn);
int assign_pages(struct page_info *pg, unsigned int nr, struct domain *d, unsigned int memflags);
bool get_page(struct page_info *pg, const struct domain *d);
bool get_page_and_type(struct page_info *pg, struct domain *d, unsigned long type);
void put_page(struct page_info *pg);
void put_page_and_type(struct page_info *pg);
void put_page_alloc_ref(struct page_info *pg);
unsigned int get_order_from_bytes(uint64_t bytes);
struct page_info *alloc_domheap_pages(struct domain *d, unsigned int order, unsigned int memflags);
void free_domheap_pages(struct page_info *pg, unsigned int order);
#define alloc_domheap_page(d, memflags) alloc_domheap_pages(d, 0, memflags)
#define free_domheap_page(pg) free_domheap_pages(pg, 0)
/* Frames of Xen's heap in use. */
unsigned int shim_heap_used(void);
/* The next @n allocations succeed, later ones fail; negative: all succeed. */
extern int shim_allocations_left;
/* The same for type references. */
extern int shim_type_references_left;

#define xzalloc(type) ((type *)calloc(1, sizeof(type)))
#define xfree(p) free(p)
#define XFREE(p) (free(p), (p) = NULL)

/* Both return the number of bytes that could not be copied. The second has the product's tap, as in its patch. */
unsigned int copy_from_guest_pv(void *to, const void *from, unsigned int n);
unsigned int copy_to_guest_pv(void *to, const void *from, unsigned int n);
/* dom0's memory: that of this process. Fails at addresses below one page. */
unsigned int raw_copy_to_guest(void *to, const void *from, unsigned int n);

#ifdef __cplusplus
}
#endif

#endif /* CASMOTION_TESTS_SHIM_H */
