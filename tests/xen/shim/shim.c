/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See shim.h. */
#include "shim.h"

#include <stdarg.h>
#include <stdio.h>

#include <asm/casm-tap.h>
#include <asm/casm.h>

struct shim shim;
cpumask_t cpu_online_map;
const cpumask_t shim_cpumask_of[SHIM_CPUS] = { { 1 }, { 2 }, { 4 }, { 8 } };
static idt_entry_t idts[SHIM_CPUS][256];
idt_entry_t *idt_tables[SHIM_CPUS] = { idts[0], idts[1], idts[2], idts[3] };
enum system_state system_state;
int shim_allocations_left = -1;
int shim_type_references_left = -1;

static struct page_info frames[SHIM_FRAMES];
static unsigned long heap_next;
static unsigned int heap_used;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if ( !(condition) )                                                    \
        {                                                                      \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);    \
            abort();                                                           \
        }                                                                      \
    } while ( false )

void shim_reset(void)
{
    unsigned long mfn;

    for ( mfn = 0; mfn < SHIM_FRAMES; mfn++ )
        free(frames[mfn].block);
    memset(frames, 0, sizeof(frames));
    for ( mfn = 0; mfn < SHIM_FRAMES; mfn++ )
        frames[mfn].m2p = INVALID_M2P_ENTRY;
    memset(&shim, 0, sizeof(shim));
    shim.irqs_on = true;
    shim_allocations_left = -1;
    shim_type_references_left = -1;
    heap_next = SHIM_HEAP_FIRST;
    heap_used = 0;
    cpu_online_map.bits = (1u << SHIM_CPUS) - 1;
    system_state = SYS_STATE_active;
    this_cpu(casm_tapping) = false;
}

void shim_wmb(void)
{
    shim.wmbs++;
    if ( shim.on_wmb )
        shim.on_wmb(shim.ctx);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void shim_rmb(void)
{
    shim.rmbs++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ( shim.on_rmb )
        shim.on_rmb(shim.ctx);
}

unsigned int find_next_bit(const unsigned long *addr, unsigned int size, unsigned int from)
{
    for ( ; from < size; from++ )
        if ( addr[from / BITS_PER_LONG] & (1ul << (from % BITS_PER_LONG)) )
            break;

    return from;
}

/* --- Locks --- */

void shim_check_lock(uint8_t *use)
{
    uint8_t now = shim.irqs_on ? SHIM_LOCK_IRQS_ON : SHIM_LOCK_IRQS_OFF;

    CHECK(*use == SHIM_LOCK_UNSEEN || *use == now);
    *use = now;
}

void shim_needs_irqs(const char *what)
{
    if ( shim.irqs_on )
        return;
    fprintf(stderr, "%s with interrupts off\n", what);
    abort();
}

void spin_lock(spinlock_t *l)
{
    CHECK(!l->held);
    shim_check_lock(&l->use);
    l->held = true;
    shim.locks_held++;
}

void spin_unlock(spinlock_t *l)
{
    CHECK(l->held);
    l->held = false;
    shim.locks_held--;
}

void local_irq_enable(void)
{
    CHECK(!shim.irqs_on && !shim.locks_held);
    shim.irqs_on = true;
    if ( shim.interrupt )
        shim.interrupt(shim.ctx);
}

void local_irq_disable(void)
{
    CHECK(shim.irqs_on && !shim.locks_held && !shim.evtchn_locks_held);
    if ( shim.interrupt )
        shim.interrupt(shim.ctx);
    shim.irqs_on = false;
}

/* --- Output, start-up, time --- */

void printk(const char *format, ...)
{
    va_list args;

    shim.prints++;
    va_start(args, format);
    vsnprintf(shim.last_print, sizeof(shim.last_print), format, args);
    va_end(args);
}

unsigned long long parse_size_and_unit(const char *s, const char **end)
{
    char *unit;
    bool digit = *s >= '0' && *s <= '9'; /* Xen knows no signs and skips no blanks */
    unsigned long long n = digit ? strtoull(s, &unit, 0) : 0;
    static const char units[] = "KMGT";
    const char *at;

    if ( !digit )
        unit = (char *)s;
    at = *unit ? strchr(units, *unit) : NULL;
    if ( at )
        unit++;
    n <<= at ? 10 * (at - units + 1) : 10; /* no unit: KiB, as in Xen */
    if ( end )
        *end = unit;

    return n;
}

void force_update_vcpu_system_time(struct vcpu *v)
{
    if ( v->arch.casm && casm_time_frozen(v) )
        return;
    v->vcpu_info->time.version += 2;
    v->vcpu_info->time.tsc_timestamp = rdtsc();
    v->vcpu_info->time.system_time = shim.now;
}

uint64_t pv_soft_rdtsc(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    (void)v;
    (void)regs;

    return shim.soft_rdtsc ? shim.soft_rdtsc(shim.ctx) : rdtsc();
}

void flush_tlb_mask(const cpumask_t *mask)
{
    shim_needs_irqs("flush_tlb_mask");
    CHECK(mask);
    shim.tlb_flushed = mask->bits;
    shim.tlb_flushes++;
}

/* --- Processors --- */

bool get_cpu_maps(void)
{
    CHECK(!shim.cpu_maps_held);
    shim.cpu_maps_held = true;

    return true;
}

void put_cpu_maps(void)
{
    CHECK(shim.cpu_maps_held);
    shim.cpu_maps_held = false;
}

void on_selected_cpus(const cpumask_t *cpus, void (*fn)(void *arg), void *arg, int wait)
{
    unsigned int cpu, before = shim.cpu;

    CHECK(shim.irqs_on && shim.cpu_maps_held && wait && !(cpus->bits & ~cpu_online_map.bits));
    for ( cpu = 0; cpu < SHIM_CPUS; cpu++ )
        if ( cpumask_test_cpu(cpu, cpus) )
        {
            shim.cpu = cpu;
            fn(arg);
        }
    shim.cpu = before;
}

void cpuid_count(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    uint32_t *out[4] = { a, b, c, d };
    unsigned int i;

    for ( i = 0; i < 4; i++ )
        *out[i] = shim.on_cpuid ? shim.on_cpuid(shim.cpu, leaf, subleaf, i) : 0;
}

/* descriptors.c is about registers that exist at CPL 0 only: the lab tests it. */
uint32_t casm_isolate_descriptors(void)
{
    return CASM_ISOLATE_DESCRIPTORS;
}

void casm_leave_idt(void)
{
    shim.idt_left++;
}

l4_pgentry_t idle_pg_table[512];

void pv_reload_segments(struct vcpu *v)
{
    (void)v;
    shim.segment_loads++;
    shim.segment_loads_irqs_off += !shim.irqs_on;
    if ( shim.segments_fail )
    {
        shim.segments_fail = false;
        shim.ds = shim.es = shim.fs = shim.gs = 0;
        casm_count_entry(CASM_ENTRY_TOGGLE, 0);
    }
}

const cpumask_t *cpupool_valid_cpus(const struct cpupool *pool)
{
    return &pool->valid;
}

int cpupool_run_locked(int (*fn)(void *arg), void *arg)
{
    int rc;

    CHECK(!shim.cpupool_locked && !shim.locks_held && shim.irqs_on);
    shim.cpupool_locked = true;
    rc = fn(arg);
    shim.cpupool_locked = false;

    return rc;
}

int vcpu_set_hard_affinity(struct vcpu *v, const cpumask_t *affinity)
{
    cpumask_t allowed;

    CHECK(shim.cpupool_locked);
    cpumask_and(&allowed, &v->domain->cpupool->valid, affinity);
    if ( !allowed.bits )
        return -EINVAL;
    cpumask_copy(v->sched_unit->cpu_hard_affinity, affinity);
    if ( !shim.vcpu_stuck && !cpumask_test_cpu(v->processor, &allowed) )
        v->processor = cpumask_first(&allowed);

    return 0;
}

/* --- Domains --- */

void vcpu_pause_nosync(struct vcpu *v)
{
    v->paused++;
}

void vcpu_unpause(struct vcpu *v)
{
    CHECK(v->paused > 0);
    v->paused--;
}

void vcpu_kick(struct vcpu *v)
{
    shim.kicks++;
    vcpu_unblock(v);
}

unsigned long shim_segment_base;

int pv_emul_read_descriptor(unsigned int sel, const struct vcpu *v, unsigned long *base, unsigned long *limit,
                            unsigned int *ar, bool insn_fetch)
{
    (void)sel, (void)v, (void)insn_fetch;
    shim_needs_irqs("pv_emul_read_descriptor");
    *base = shim_segment_base;
    *limit = ~0u;
    *ar = _SEGMENT_DB;

    return 1;
}

void vcpu_unblock(struct vcpu *v)
{
    v->unblocked++;
}

void domain_pause(struct domain *d)
{
    shim_needs_irqs("domain_pause");
    CHECK(shim.running->domain != d);
    if ( d->vcpu[0] )
        d->vcpu[0]->paused++;
}

void domain_unpause(struct domain *d)
{
    if ( d->vcpu[0] )
        vcpu_unpause(d->vcpu[0]);
}

void shim_domain_shutdown(struct domain *d, unsigned int reason)
{
    shim_needs_irqs("shim_domain_shutdown");
    if ( d->arch.casm )
        casm_domain_shutdown(d, reason);
    d->is_shutting_down = 1;
}

bool in_atomic(void)
{
    return !shim.irqs_on || shim.locks_held || shim.evtchn_locks_held;
}

void process_pending_softirqs(void)
{
    if ( in_atomic() )
        abort();
    shim.softirq_passes++;
    if ( shim.interrupt )
        shim.interrupt(shim.ctx);
}

void domain_crash(struct domain *d)
{
    shim_needs_irqs("domain_crash");
    shim.crashes++;
    shim_domain_shutdown(d, 3 /* SHUTDOWN_crash */);
}

static struct rcu_head *waiting;

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
    head->func = func;
    head->next = waiting;
    waiting = head;
    if ( !shim.readers )
        shim_grace();
}

void shim_grace(void)
{
    while ( waiting )
    {
        struct rcu_head *head = waiting;

        waiting = head->next;
        head->func(head);
    }
}

void send_global_virq(uint32_t virq)
{
    CHECK(virq == CASM_VIRQ);
    shim.virqs++;
}

void local_event_delivery_enable(void)
{
    shim.running->vcpu_info->evtchn_upcall_mask = 0;
}

bool port_is_valid(const struct domain *d, unsigned int port)
{
    return port < d->nr_evtchn;
}

struct evtchn *evtchn_from_port(const struct domain *d, unsigned int port)
{
    CHECK(port_is_valid(d, port));

    return &d->evtchn[port];
}

/* Others take these locks with interrupts on: they open and close channels. */
uint8_t shim_evtchn_lock_use = SHIM_LOCK_IRQS_ON;

void evtchn_read_lock(struct evtchn *chn)
{
    (void)chn;
    shim_check_lock(&shim_evtchn_lock_use);
    shim.evtchn_locks_held++;
}

void evtchn_read_unlock(struct evtchn *chn)
{
    (void)chn;
    shim.evtchn_locks_held--;
}

int evtchn_send(struct domain *d, unsigned int port)
{
    struct evtchn *chn = evtchn_from_port(d, port);

    CHECK(!shim.evtchn_locks_held);
    evtchn_read_lock(chn);
    CHECK(chn->state == ECS_INTERDOMAIN);
    shim.backend_sends++;
    evtchn_read_unlock(chn);

    return 0;
}

unsigned long gnttab_v1_frame(const struct domain *d, unsigned int ref)
{
    CHECK(ref < ARRAY_SIZE(d->granted_mfn));

    return d->granted_mfn[ref];
}

/* --- Memory --- */

struct page_info *mfn_to_page(mfn_t mfn)
{
    CHECK(mfn_valid(mfn));

    return &frames[mfn_x(mfn)];
}

mfn_t page_to_mfn(const struct page_info *pg)
{
    CHECK(pg >= frames && pg < frames + SHIM_FRAMES);

    return _mfn(pg - frames);
}

/* Content is allocated at the first look, page by page, so that AddressSanitizer guards the edges. */
void *page_to_virt(const struct page_info *pg)
{
    struct page_info *frame = mfn_to_page(page_to_mfn(pg));

    if ( !frame->virt )
    {
        frame->block = frame->virt = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
        CHECK(frame->virt);
        memset(frame->virt, 0, PAGE_SIZE);
    }

    return frame->virt;
}

void *mfn_to_virt(unsigned long mfn)
{
    return page_to_virt(mfn_to_page(_mfn(mfn)));
}

bool page_is_ram_type(unsigned long mfn, unsigned long type)
{
    return type == RAM_TYPE_CONVENTIONAL && !frames[mfn].not_ram;
}

void clear_domain_page(mfn_t mfn)
{
    memset(mfn_to_virt(mfn_x(mfn)), 0, PAGE_SIZE);
}

int assign_pages(struct page_info *pg, unsigned int nr, struct domain *d, unsigned int memflags)
{
    unsigned int i;

    (void)memflags;
    if ( d->is_dying )
        return -EINVAL;
    for ( i = 0; i < nr; i++ )
    {
        CHECK(!pg[i].owner && !(pg[i].count_info & ~PGC_extra));
        pg[i].count_info |= PGC_allocated | 1;
        pg[i].owner = d;
    }

    return 0;
}

bool get_page(struct page_info *pg, const struct domain *d)
{
    shim_needs_irqs("get_page");
    if ( pg->owner != d || !(pg->count_info & PGC_count_mask) )
        return false;
    pg->count_info++;

    return true;
}

bool get_page_and_type(struct page_info *pg, struct domain *d, unsigned long type)
{
    (void)type;
    if ( !shim_type_references_left )
        return false;
    if ( shim_type_references_left > 0 )
        shim_type_references_left--;

    return get_page(pg, d);
}

void put_page(struct page_info *pg)
{
    shim_needs_irqs("put_page");
    CHECK(pg->count_info & PGC_count_mask);
    if ( --pg->count_info & PGC_count_mask )
        return;
    pg->owner = NULL;
    if ( !casm_pool_free(pg, 0) )
    {
        pg->count_info = 0;
        heap_used--;
    }
}

void put_page_and_type(struct page_info *pg)
{
    put_page(pg);
}

void put_page_alloc_ref(struct page_info *pg)
{
    CHECK(pg->count_info & PGC_allocated);
    pg->count_info &= ~PGC_allocated;
    put_page(pg);
}

unsigned int get_order_from_bytes(uint64_t bytes)
{
    unsigned int order = 0;

    while ( PAGE_SIZE << order < bytes )
        order++;

    return order;
}

struct page_info *alloc_domheap_pages(struct domain *d, unsigned int order, unsigned int memflags)
{
    unsigned long i, nr = 1ul << order;
    struct page_info *pg = frames + heap_next;
    uint8_t *block;

    shim_needs_irqs("alloc_domheap_pages");
    if ( !shim_allocations_left || heap_next + nr > SHIM_FRAMES )
        return NULL;
    if ( shim_allocations_left > 0 )
        shim_allocations_left--;
    heap_next += nr;
    heap_used += nr;
    block = aligned_alloc(PAGE_SIZE, nr * PAGE_SIZE);
    CHECK(block);
    memset(block, 0xa5, nr * PAGE_SIZE); /* dirty, as Xen's heap is */
    pg->block = block;
    for ( i = 0; i < nr; i++ )
        pg[i].virt = block + i * PAGE_SIZE;
    CHECK(!assign_pages(pg, nr, d, memflags));

    return pg;
}

void free_domheap_pages(struct page_info *pg, unsigned int order)
{
    unsigned long i;

    for ( i = 0; i < 1ul << order; i++ )
        put_page_alloc_ref(&pg[i]);
}

unsigned int shim_heap_used(void)
{
    return heap_used;
}

/* The guest's byte at @va, or NULL if it has none there. */
static uint8_t *guest_byte(uint64_t va)
{
    unsigned long first, end, mfn;

    if ( va < SHIM_GUEST_VA || !casm_pool_range(&first, &end) )
        return NULL;
    mfn = first + ((va - SHIM_GUEST_VA) >> PAGE_SHIFT);
    if ( mfn >= end || frames[mfn].owner != shim.running->domain )
        return NULL;

    return (uint8_t *)mfn_to_virt(mfn) + (va & (PAGE_SIZE - 1));
}

unsigned int copy_from_guest_pv(void *to, const void *from, unsigned int n)
{
    uint8_t *out = to, *byte;

    shim_needs_irqs("copy_from_guest_pv");
    for ( ; n && (byte = guest_byte((uint64_t)from)); n--, from = (const uint8_t *)from + 1 )
        *out++ = *byte;

    return n;
}

unsigned int copy_to_guest_pv(void *to, const void *from, unsigned int n)
{
    const uint8_t *in = from;
    uint64_t va = (uint64_t)to;
    unsigned int left = n;
    uint8_t *byte;

    shim_needs_irqs("copy_to_guest_pv");
    for ( ; left && (byte = guest_byte(va)); left--, va++ )
        *byte = *in++;
    casm_tap_write(to, n - left);

    return left;
}

unsigned int raw_copy_to_guest(void *to, const void *from, unsigned int n)
{
    shim_needs_irqs("raw_copy_to_guest");
    if ( (uint64_t)to < PAGE_SIZE )
        return n;
    memcpy(to, from, n);

    return 0;
}
