/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: hooks of the record/replay core, as the rest of Xen sees them.
 *
 * Every hook costs a domain that is not recordable one load and one predictable branch on d->arch.casm (v->arch.casm).
 * A domain is recordable for life, or not at all: decided at creation by its cpupool (casm_domain_create()).
 */
#ifndef ASM_X86_CASM_H
#define ASM_X86_CASM_H

/* What casm_exit_work() tells the exit path in entry.S. */
#define CASM_EXIT_SKIP    0 /* not a counted exit: no upcall may be delivered */
#define CASM_EXIT_DELIVER 1 /* test for a pending upcall as usual */
#define CASM_EXIT_AGAIN   2 /* work may have come up: run all tests again */

#ifndef __ASSEMBLY__

#include <xen/mm-frame.h>
#include <xen/types.h>
#include <casm/casm_abi.h>
#include <public/xen.h>

struct casm_domain;
struct casm_domctl;
struct cpu_user_regs;
struct cpumask;
struct cpuid_leaf;
struct domain;
struct evtchn;
struct page_info;
struct segment_register;
struct vcpu;
struct x86_emulate_ctxt;
struct x86_emulate_state;
struct xen_domctl;
struct xen_domctl_createdomain;


/* Is @x (struct domain * or struct vcpu *) recordable? */
#define casm_on(x) unlikely((x)->arch.casm)

/* --- Life cycle (control.c) --- */
int casm_domain_create(struct domain *d, struct xen_domctl_createdomain *config);
int casm_vcpu_create(struct vcpu *v);
void casm_domain_relinquish(struct domain *d);
void casm_domain_destroy(struct domain *d);
void casm_domain_shutdown(struct domain *d, unsigned int reason);
long casm_do_domctl(struct domain *d, struct casm_domctl *op);

/* --- What others may not do (refuse.c) --- */
bool casm_domctl_denied(const struct domain *d, const struct xen_domctl *op);
bool casm_lookup_denied(const struct domain *d);
void casm_foreign_map(struct domain *d, bool there);
bool casm_l1tf(struct domain *d, unsigned int level, uint64_t pte);
bool casm_offline_denied(const struct page_info *pg, bool broken);
bool casm_vmce_denied(const struct domain *d);

/* --- Rings (ring.c) --- */
static inline bool casm_resource_type(unsigned int type)
{
    return type == CASM_RESOURCE_LOG || type == CASM_RESOURCE_FEED;
}
unsigned int casm_resource_frames(const struct domain *d, unsigned int type);
int casm_acquire_resource(struct domain *d, unsigned int type, unsigned int frame, unsigned int nr, xen_pfn_t *mfn_list);

/* --- Exact frames (pool.c) --- */
bool casm_pool_range(unsigned long *first_mfn, unsigned long *end_mfn);
void casm_pool_seen_free(unsigned long first_mfn, unsigned long end_mfn);
struct page_info *casm_pool_populate(struct domain *d, unsigned long pfn, unsigned int order, unsigned int memflags);
bool casm_pool_free(struct page_info *pg, unsigned int order);
void casm_l4_demoted(void *l4); /* digest.c */
void *casm_alloc_shared_info(struct domain *d);
struct page_info *casm_alloc_perdomain_l3(struct domain *d);
void *casm_alloc_grant_frame(struct domain *d, unsigned int idx);
bool casm_pool_frame(unsigned long mfn);
bool casm_pool_guest_frame(unsigned long mfn);
bool casm_map_denied(const struct domain *pg_owner, unsigned long mfn, bool rw);

/* --- Grants of the bridged pages (bridge-glue.c) --- */
int casm_grant_check(const struct domain *ld, struct domain *rd, unsigned int ref);
int casm_grant_frame(struct domain *rd, unsigned int ref, mfn_t *mfn, struct page_info **page);
void casm_grant_reduced(struct domain *rd, unsigned int ref, unsigned int pins);

/* --- Synchronous entries and injection points (entry.c) --- */
void casm_count_entry(unsigned int kind, uint32_t detail);
unsigned int casm_exit_work(void);
bool casm_preempt_check(void);
void casm_spurious_fault(void);

/* --- Values (values.c) --- */
int casm_log_msr(int rc, unsigned int msr, uint64_t *val);
void casm_log_cpuid(uint32_t leaf, struct cpuid_leaf *res);
bool casm_fast_rdtsc(struct cpu_user_regs *regs);
bool casm_time_frozen(const struct vcpu *v);
bool casm_wallclock_frozen(const struct domain *d);

/* --- Physical CPU (placement.c, descriptors.c) --- */
bool casm_placed(const struct domain *d);
bool casm_placed_on(const struct domain *d, const struct cpumask *cpus);
unsigned long casm_cr4(void);
bool casm_umip_insn(const struct x86_emulate_state *state, const struct x86_emulate_ctxt *ctxt);
bool casm_umip_segment(unsigned int seg, struct segment_register *reg);
int casm_umip_store(unsigned long addr, const void *data, unsigned int bytes, struct x86_emulate_ctxt *ctxt);
void casm_load_idt(const struct vcpu *v);
void casm_idt_for_efi(bool enter);

/* --- Segment registers (segments.c) --- */
/* Saves and loads those of @v, which runs here (domain.c). Interrupts are on. */
void pv_reload_segments(struct vcpu *v);
bool casm_descriptor(uint32_t *upper);

/* --- Events (queue.c) --- */
void casm_queue_event(struct domain *d, const struct evtchn *chn);
bool casm_must_not_block(const struct vcpu *v);

/* --- Points between entries (debugtrap.c, counter.c) --- */
void casm_hide_step(struct cpu_user_regs *regs);
bool casm_debug_trap(struct cpu_user_regs *regs, unsigned long *dr6);
bool casm_debugreg_denied(uint64_t dr7);
bool casm_counter_interrupt(void);
void casm_switch_from(struct vcpu *v);
void casm_switch_to(struct vcpu *v);

#define casm_trap(regs)                                                \
    do {                                                               \
        if ( casm_on(current) && guest_mode(regs) )                    \
            casm_hide_step(regs);                                      \
    } while ( false )

/* --- Hypercalls (hypercall.c) --- */
bool casm_wrap_enter(unsigned int nr, unsigned long arg0, unsigned long arg1, unsigned long *result);
void casm_wrap_leave(unsigned int nr, unsigned long result);

#define casm_entry(kind, detail)                                       \
    do {                                                               \
        if ( casm_on(current) )                                        \
            casm_count_entry(CASM_ENTRY_##kind, detail);               \
    } while ( false )

#define casm_hypercall_enter(nr, a0, a1, res) (casm_on(current) && casm_wrap_enter(nr, a0, a1, res))
#define casm_hypercall_leave(nr, res)                                  \
    do {                                                               \
        if ( casm_on(current) )                                        \
            casm_wrap_leave(nr, res);                                  \
    } while ( false )

#endif /* __ASSEMBLY__ */
#endif /* ASM_X86_CASM_H */
