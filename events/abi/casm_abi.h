/* SPDX-License-Identifier: MIT */
/*
 * Interface between the patched hypervisor and dom0: one domctl, two rings.
 *
 * Included by Xen (as casm/casm_abi.h) and by the host code, in C and C++. All integers are little-endian. Every structure's
 * size is asserted at the end. A change of layout or meaning raises CASM_ABI_VERSION; both sides refuse another version.
 */
#ifndef CASM_ABI_H
#define CASM_ABI_H

#ifndef __XEN__
#include <stdint.h>
#endif

#define CASM_ABI_VERSION 5u

/* Number of our domctl; its payload (struct casm_domctl) lies in xen_domctl.u.pad (128 bytes). */
#define XEN_DOMCTL_casm 1100

/* XENMEM_acquire_resource types (16 bits). The frames belong to the domain that attached, and only it may acquire them. */
#define CASM_RESOURCE_LOG  0xca50u /* Xen -> dom0 */
#define CASM_RESOURCE_FEED 0xca51u /* dom0 -> Xen, replay only */
#define CASM_RESOURCE_CALLER_OWNED 1u /* in xen_mem_acquire_resource.pad on return: XENMEM_rsrc_acq_caller_owned of Linux */

/* Global VIRQ that says "look at the rings and the status" (VIRQ_ARCH_7). */
#define CASM_VIRQ 23

enum casm_class {
#define CASM_CLASS(id, SYMBOL, name, timing, where, recorded, replayed, obligation) CASM_CLS_##SYMBOL = id,
#include "casm_taxonomy.def"
};
#define CASM_CLASSES_MAX 16u /* counters are arrays of this size, indexed by class */

enum casm_entry_kind {
    CASM_ENTRY_HYPERCALL = 1,   /* detail: number */
    CASM_ENTRY_EXCEPTION = 2,   /* detail: vector | error_code << 8 */
    CASM_ENTRY_PRIVOP = 3,      /* detail: opcode (0 for the RDTSC fast path: 0x0f31) */
    CASM_ENTRY_FORCED_CPUID = 4,/* detail: 0 */
    CASM_ENTRY_PTWR = 5,        /* detail: 0 */
    CASM_ENTRY_TOGGLE = 6,      /* user <-> kernel switch; detail: 0 */
};

enum casm_bridge_page { CASM_PAGE_CONSOLE = 0, CASM_PAGE_XENSTORE = 1 }; /* = the reserved grant references */

enum casm_digest_when {
    CASM_DIGEST_START = 0,
    CASM_DIGEST_PERIODIC = 1,
    CASM_DIGEST_END = 2,  /* before END(SHUTDOWN) or END(CRASHED): in the hypercall that ends the guest */
    CASM_DIGEST_STOP = 3, /* before END(STOPPED): at an injection point */
};

enum casm_end_reason {
    CASM_END_NONE = 0,
    CASM_END_SHUTDOWN = 1,  /* the guest asked for it; code = SHUTDOWN_poweroff, reboot, crash, ... */
    CASM_END_CRASHED = 2,   /* Xen crashed the domain for what the guest did (replayable) */
    CASM_END_STOPPED = 3,   /* dom0 asked: the guest goes on, unrecorded */
    CASM_END_DESTROYED = 4, /* dom0 tore the domain down: no final digest */
    CASM_END_DIVERGED = 5,  /* replay only, never in a log */
};

enum casm_apoint_kind {
    CASM_APOINT_CANONICAL = 1, /* the boundary right after the b-th conditional branch since the entry: unique by its count */
    /*
     * No conditional branch for long: a boundary with this count, RIP and registers. The first word of `state` says where to
     * look for it: branches of any kind that had retired since the entry, or the point, before it when the recording was
     * interrupted; interrupts since then may have been counted too. It is no part of the name. With CASM_APOINT_TRANSFERS
     * set, which no guest address has, so that one kind is not taken for the other; or 0: not known.
     */
    CASM_APOINT_BY_STATE = 2,
};
#define CASM_APOINT_TRANSFERS (1ull << 62)
#define CASM_BRANCHES_INTERVAL 64u /* entries between BRANCHES records; a power of two */

/*
 * Ring record: an 8-byte header, then payload words, then a blob padded with zeros to 8 bytes. Which words a class has
 * is in the taxonomy; a class with a BLOB field keeps the blob's length in 'check'.
 */
struct casm_rec {
    uint8_t cls;    /* enum casm_class */
    uint8_t kind;
    uint16_t check;
    uint32_t aux;
};
#define CASM_BLOB_MAX_BYTES 4096u
#define CASM_REC_MAX_BYTES (8u + 3u * 8u + CASM_BLOB_MAX_BYTES)
#define CASM_PORTS_MAX 4096u
#define CASM_BRIDGE_WRITE_MAX_BYTES 1024u /* of one RING record: the data that a console or xenstore ring holds for the guest */

/*
 * Upper bound of what one trip through Xen (entry to exit) may put into the log: 8 KiB until a multicall is preempted, one
 * sub-call of at most 8 KiB, 64 ports, both bridges, a digest and an END. Checked at each exit, before the guest may run on.
 */
#define CASM_TRIP_BYTES (32u << 10)
/* Of one CASM_OP_frames: more would hold up other domctls. */
#define CASM_FRAMES_MAX 512u

/*
 * The guest's TSC advances in steps of 2^CASM_TSC_QUANTUM_BITS ticks, and is logged in steps: most readings then take one
 * byte. 256 ticks are 0.1 us at 2.5 GHz, less than the emulation of one RDTSC.
 */
#define CASM_TSC_QUANTUM_BITS 8

/*
 * Ring: the first page of the resource is this header, the rest is data (a power of two bytes). prod and cons count bytes
 * and never wrap; the offset in the data is counter & (size_bytes - 1). Records may wrap around the end. The producer
 * writes data, then prod (release); the consumer reads prod (acquire), data, then writes cons (release).
 */
struct casm_ring {
    uint32_t magic;      /* CASM_RING_MAGIC */
    uint32_t abi;        /* CASM_ABI_VERSION */
    uint64_t size_bytes; /* of the data area */
    uint64_t _pad0[6];
    uint64_t prod;       /* written by the producer only */
    uint64_t _pad1[7];
    uint64_t cons;       /* written by the consumer only */
    uint64_t _pad2[7];
    uint32_t eof;        /* FEED: dom0 sets 1 after the last record; LOG: Xen sets 1 after END */
    uint32_t _pad3;
};
#define CASM_RING_MAGIC 0x4d534143u /* "CASM" */
#define CASM_RING_DATA_OFFSET 4096u
#define CASM_RING_MIN_BYTES (64u << 10)
#define CASM_RING_MAX_BYTES (64u << 20)

#define CASM_MARGIN_BRANCHES 256u

enum casm_mode {
    CASM_MODE_OFF = 0,      /* not a domain of the recording pool */
    CASM_MODE_IDLE = 1,     /* recordable; nothing is logged */
    CASM_MODE_RECORD = 2,
    CASM_MODE_REPLAY = 3,
    CASM_MODE_ENDED = 4,    /* END was logged or reached */
    CASM_MODE_DIVERGED = 5, /* replay stopped at the first difference; the vCPU is paused */
};

enum casm_op {
    CASM_OP_host_info = 1,   /* domain 0. OUT u.host */
    CASM_OP_set_cpupool = 2, /* domain 0. IN u.pool: domains created in this cpupool are recordable */
    CASM_OP_attach = 3,      /* IN u.attach: allocate rings. -EBUSY if attached */
    CASM_OP_start = 4,       /* IN u.start; paused, and has never run: else -EBUSY. Others have frames of it mapped: -EADDRINUSE, try again.
                                Ports, interrupts, memory of devices, a debugger, shadow paging: -EISCONN */
    CASM_OP_stop = 5,        /* record: END(STOPPED) at the next injection point. replay: pause for good */
    CASM_OP_status = 6,      /* IN u.status: user address and size. OUT struct casm_status */
    CASM_OP_kick = 7,        /* dom0 moved cons or prod: lets a vCPU go on that waits for a ring */
    CASM_OP_frames = 9,      /* IN u.frames: hashes of at most CASM_FRAMES_MAX of the guest's frames; the domain must not be running */
    CASM_OP_detach = 8,      /* frees the rings. A recording that goes on ends with END(STOPPED), unlogged */
    CASM_OP_cpu_identity = 10, /* domain 0. IN u.cpu.cpu, OUT the rest of u.cpu. -ENXIO: no such processor, or it is offline */
};

#define CASM_START_ACCOUNT 1u /* measure cycles per cause (casm_status.cycles) */
#define CASM_START_COUNTER 2u /* use the branch counter: A-points and BRANCHES records. Without: -ENODEV at the first A-point */

/* The counter of conditional branches in CPL3 on this host. */
enum casm_counter {
    CASM_COUNTER_ABSENT = 0,
    CASM_COUNTER_AMD = 1,      /* EX_RET_COND in a legacy (K7) counter */
    CASM_COUNTER_AMD_CORE = 2, /* the same in a core counter (PERFCTR_CORE) */
    CASM_COUNTER_INTEL = 3,    /* BR_INST_RETIRED.CONDITIONAL in an architectural counter */
};
enum casm_counter_why {
    CASM_COUNTER_READY = 0,
    CASM_COUNTER_NO_EVENT = 1, /* no counter, or a processor family of which we know no such event */
    CASM_COUNTER_WATCHDOG = 2, /* Xen's NMI watchdog uses it (boot option watchdog) */
    CASM_COUNTER_VPMU = 3,     /* guests have it (boot option vpmu) */
    CASM_COUNTER_IN_USE = 4,   /* a profiler has it */
};

/* What of the processor a recordable domain cannot see on this host. */
#define CASM_ISOLATE_CPUID       1u /* plain CPUID traps, in user mode too: each is an entry, and its values are logged */
#define CASM_ISOLATE_DESCRIPTORS 2u /* SGDT, SIDT, SLDT, STR, SMSW give constants */
#define CASM_ISOLATE_UMIP        4u /* ... because they trap: each is an entry. Else they give those of this build of Xen */

#define CASM_CPU_ANY (~0u)

struct casm_domctl {
    uint32_t op;  /* IN enum casm_op */
    uint32_t abi; /* IN CASM_ABI_VERSION, else -EINVAL (host_info answers any) */
    union {
        struct {
            uint32_t abi;
            int32_t cpupool;         /* -1: none was set */
            uint64_t pool_first_mfn; /* 0 pages: no casm_pool= on the Xen command line */
            uint64_t pool_frames;
            uint64_t guest_frames_max; /* biggest guest, in frames of 4 KiB */
            int32_t user_domid;      /* domain that has the pool now, -1: free */
            uint32_t hook_switches;  /* bits of start.disable that this build knows */
            uint32_t counter;        /* enum casm_counter: what the processor has */
            uint32_t counter_why;    /* enum casm_counter_why: may it be used? */
            uint32_t isolation;      /* CASM_ISOLATE_* */
            uint32_t _pad;
        } host;
        struct { int32_t cpupool; uint32_t _pad; } pool;
        struct { uint64_t log_bytes, feed_bytes; } attach; /* data sizes, powers of two; feed 0 when recording */
        struct {
            uint32_t mode;             /* CASM_MODE_RECORD or CASM_MODE_REPLAY */
            uint32_t flags;            /* CASM_START_* */
            uint64_t digest_interval;  /* entries between memory digests, 0: only start and end */
            uint32_t disable;          /* debug switch: bit n set = class n is not logged (record only) */
            uint32_t check_bits;       /* top bits of the running registers hash in an ENTRY's check, 0 to 16 */
            uint64_t max_delay_ns;     /* record: an effect that waited this long for an entry gets an A-point */
            uint32_t margin_branches;  /* replay: overflow interrupts come at most this late; 0: CASM_MARGIN_BRANCHES */
            uint32_t dense_every;      /* record, debug: an A-point at every n-th instruction boundary of the range; 0: off */
            uint64_t dense_first, dense_last; /* guest addresses, inclusive */
            /*
             * Physical CPU that the vCPU keeps until dom0 detaches or the run ends; CASM_CPU_ANY: one of the cpupool that its
             * affinity allows. -ENXIO: not in the domain's cpupool. casm_status.cpu says which it is. Meanwhile its affinity,
             * its cpupool and that CPU stay as they are: who wants to change them gets -EBUSY.
             */
            uint32_t cpu;
            uint32_t _pad;
        } start;
        /*
         * What instructions that do not trap tell about a processor besides its features. Two processors with equal words
         * look alike to a guest whose CPUID does not trap. Words that only CPUID tells are of no interest under
         * CASM_ISOLATE_CPUID, idt_base of none under CASM_ISOLATE_DESCRIPTORS. TSC_AUX is the guest's own.
         */
        struct {
            uint32_t cpu;             /* IN: number of the processor */
            uint32_t apic_id;         /* CPUID leaf 1, EBX[31:24]: initial APIC id */
            uint32_t x2apic_id;       /* leaf 0xb, EDX; 0: no such leaf */
            uint32_t ext_apic_id;     /* leaf 0x8000001e, EAX; 0: no such leaf (AMD) */
            uint32_t ext_core;        /* ..., EBX: core or compute unit */
            uint32_t ext_node;        /* ..., ECX: node */
            uint32_t signature;       /* leaf 1, EAX: family, model, stepping */
            uint32_t _pad;
            uint64_t leaves;          /* hash of the leaves that neither hold an id nor depend on the guest's policy or state */
            uint64_t idt_base;        /* SIDT */
        } cpu;
        struct { uint64_t addr; uint64_t size_bytes; } status;
        struct { uint64_t addr; uint64_t first, count; } frames; /* count u64 at addr, from frame first of the pool; 0: none, or zeros */
        uint64_t pad[14];
    } u;
};

/* Where the cycles of a recorded vCPU went, outside the guest's own work (CASM_START_ACCOUNT). */
enum casm_cause {
    CASM_CAUSE_ENTRY = 0,   /* hash and log of entries */
    CASM_CAUSE_TSC = 1,     /* RDTSC emulation */
    CASM_CAUSE_EXIT = 2,    /* drain, injection, bridges */
    CASM_CAUSE_DIGEST = 3,  /* memory digests */
    CASM_CAUSE_START_END = 4,
    CASM_CAUSES = 8
};

struct casm_divergence {
    struct casm_rec expected;  /* header from the log; cls 0: the log had no record left */
    struct casm_rec actual;    /* header that the replay produced; cls 0: replay was at an injection point */
    uint64_t expected_w[3];    /* first payload words */
    uint64_t actual_w[3];
    uint64_t ordinal;          /* synchronous entries before it */
    uint64_t record;           /* index of the log record, from 0 */
    uint64_t blob_offset;      /* first differing blob byte, ~0 if none */
    uint64_t regs[18];         /* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 rip rflags, of the replay */
};

/* What A-points cost. One step or hit is one trip through Xen. */
struct casm_apoint_stats {
    uint64_t canonical, by_state;   /* points, by enum casm_apoint_kind */
    uint64_t steps, hits;           /* single steps, breakpoint hits */
    uint64_t overflows;             /* counter overflow interrupts that were asked for (replay) */
    uint64_t steps_max;             /* steps and hits of the worst point */
    uint64_t late_max_branches;     /* worst lateness of an overflow interrupt */
    uint64_t steps_count[8];        /* points that took <= 1, 4, 16, 64, 256, 1024, 4096 steps and hits, more */
};

struct casm_status {
    uint32_t abi;
    uint32_t mode;          /* enum casm_mode */
    uint32_t end_reason;    /* enum casm_end_reason */
    uint32_t end_code;
    uint64_t ordinal;       /* synchronous entries so far */
    uint64_t records;       /* records logged or consumed */
    uint64_t hash;          /* running registers hash */
    uint64_t applied[CASM_CLASSES_MAX]; /* effects applied, by class */
    uint64_t logged[CASM_CLASSES_MAX];  /* records produced or consumed, by class */
    uint64_t cycles[CASM_CAUSES];       /* enum casm_cause; TSC ticks */
    uint64_t stalls_log;    /* times the vCPU waited for ring space */
    uint64_t stalls_feed;   /* times it waited for input */
    uint64_t events_queued; /* event channel signals that were queued */
    uint64_t delay_max_ns;  /* longest wait of an effect for its injection point */
    uint64_t delay_count[8];/* effects that waited < 10 us, 100 us, 1 ms, 10 ms, 100 ms, 1 s, 10 s, longer */
    uint64_t spurious_faults; /* page faults that a re-walk explained away: must stay 0 */
    uint64_t tsc_khz;       /* frequency of the guest's TSC */
    uint64_t branches;      /* conditional branches in CPL3 since the start; 0 without a counter */
    uint64_t console_unread_bytes; /* printed by the guest, and not read by the console's back end yet */
    uint32_t cpu;           /* physical CPU that the vCPU is bound to, CASM_CPU_ANY: to none */
    uint32_t _pad;
    struct casm_apoint_stats apoints;
    struct casm_divergence divergence;
};

#ifdef __cplusplus
#define CASM_ABI_ASSERT(cond, name) static_assert(cond, #name)
#else
#define CASM_ABI_ASSERT(cond, name) _Static_assert(cond, #name)
#endif
CASM_ABI_ASSERT(sizeof(struct casm_rec) == 8, casm_rec_size);
CASM_ABI_ASSERT(sizeof(struct casm_ring) == 200, casm_ring_size);
CASM_ABI_ASSERT(sizeof(struct casm_domctl) <= 128, casm_domctl_size);
CASM_ABI_ASSERT(sizeof(struct casm_divergence) == 232, casm_divergence_size);
CASM_ABI_ASSERT(sizeof(struct casm_status) == 848, casm_status_size);

#endif /* CASM_ABI_H */
