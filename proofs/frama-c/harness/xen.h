/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor files need of Xen, for Frama-C: the types of tests/xen/shim, and here the functions that the analysed ones
 * call, as far as they matter for what memory is read and written: a body that does what Xen's does to the objects that the
 * harness has, or none to speak of. What Xen's function does besides is assumed not to touch these objects.
 */
#ifndef CASM_PROOFS_XEN_H
#define CASM_PROOFS_XEN_H

#include "hostile.h"
#include "shim.h"

/* One access each, to memory that others write. */
#undef read_atomic
#undef write_atomic
#undef smp_wmb
#undef smp_rmb
#undef smp_mb
#define read_atomic(p)     (*(volatile __typeof__(*(p)) *)(p))
#define write_atomic(p, x) ((void)(*(volatile __typeof__(*(p)) *)(p) = (x)))
#undef cmpxchg
#define cmpxchg(p, o, n) ({ __typeof__(*(p)) was_ = *(p); if ( was_ == (o) ) *(p) = (n); was_; })
#define smp_wmb() ((void)0)
#define smp_rmb() ((void)0)
#define smp_mb()  ((void)0)

struct shim shim;

/* --- Functions of Xen without an effect on what is analysed --- */
void printk(const char *format, ...) {}
void vcpu_pause_nosync(struct vcpu *v) {}
void vcpu_unpause(struct vcpu *v) {}
void vcpu_kick(struct vcpu *v) {}
void vcpu_unblock(struct vcpu *v) {}
void domain_pause(struct domain *d) {}
void domain_unpause(struct domain *d) {}
void domain_crash(struct domain *d) {}
void send_global_virq(uint32_t virq) {}
void local_irq_enable(void) {}
void local_irq_disable(void) {}
void local_event_delivery_enable(void) {}
void spin_lock(spinlock_t *l) {}
void spin_unlock(spinlock_t *l) {}
void evtchn_read_lock(struct evtchn *chn) {}
void evtchn_read_unlock(struct evtchn *chn) {}

#endif /* CASM_PROOFS_XEN_H */
