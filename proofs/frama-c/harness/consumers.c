/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that consume records of the feed and pages of the guest, with the streams below them: any feed, any state of the
 * domain, replaying or not.
 */
#include "domain.h"
#include "guest_memory.h"

#include "casm/stream.c"
#include "casm/digest.c"
#include "casm/bridge.c"
#include "casm/bridge-glue.c"
#include "casm/queue.c"
#include "casm/values.c"
#include "casm/hypercall.c"
#include "casm/state.c"
#include "casm/segments.c"
#include "casm/point.c"
#include "casm/entry.c"
#include "casm/control.c"
#include "copies.h"

/* A failsafe callback in user mode is an entry. */
void pv_reload_segments(struct vcpu *v)
{
    if ( any_int )
        casm_count_entry(CASM_ENTRY_TOGGLE, 0);
}

/* --- Event channels: one, which stands for each valid port --- */
static void set_pending(struct vcpu *v, struct evtchn *chn)
{
    /* Xen's own invariant of a channel. */
    //@ check v == &the_vcpu;
}

static const struct evtchn_port_ops port_ops = { .set_pending = set_pending };
static struct evtchn the_channel;

bool port_is_valid(const struct domain *d, unsigned int port)
{
    return port < CASM_PORTS_MAX && any_int;
}

/*@ requires valid_port: port < CASM_PORTS_MAX; */
struct evtchn *evtchn_from_port(const struct domain *d, unsigned int port)
{
    the_channel.state = any_u8;
    the_channel.notify_vcpu_id = 0;

    return &the_channel;
}

int evtchn_send(struct domain *d, unsigned int port)
{
    return any_int;
}

unsigned int find_next_bit(const unsigned long *addr, unsigned int size, unsigned int from)
{
    return Frama_C_unsigned_int_interval(0, size);
}

/* --- Frames: a few, of any owner --- */
#define FRAMES 4
static struct page_info frames_info[FRAMES];
static uint64_t frame[512];

unsigned long casm_pool_first(void) { return 0; }
unsigned long casm_pool_end(void) { return FRAMES; }
bool casm_pool_guest_frame(unsigned long mfn) { return any_int; }

struct page_info *mfn_to_page(mfn_t mfn)
{
    return &frames_info[mfn_x(mfn)];
}

void *mfn_to_virt(unsigned long mfn)
{
    return frame;
}

/* --- Time points are another harness's --- */
void casm_tp_entry(struct casm_domain *c) {}
unsigned int casm_tp_exit(struct casm_domain *c) { return any_u32; }
unsigned int casm_tp_leave(struct casm_domain *c) { return any_u32; }
void casm_tp_drop(struct casm_domain *c) {}
void casm_tp_stop(struct casm_domain *c) {}
void casm_tp_signal(struct casm_domain *c) {}
void casm_hide_step(struct cpu_user_regs *regs) {}

static uint8_t console[PAGE_BYTES], same_console[PAGE_BYTES], store_page[PAGE_BYTES], same_store_page[PAGE_BYTES];
static uint8_t console_standin[PAGE_BYTES], same_console_standin[PAGE_BYTES], store_standin[PAGE_BYTES], same_store_standin[PAGE_BYTES];

static struct casm_domain *any_recordable(void)
{
    struct casm_domain *c = any_domain();
    unsigned int i;

    c->d->evtchn_port_ops = &port_ops;
    c->d->shutdown_code = any_u32;
    c->walk.mfn = any_u64;
    shim.running = &the_vcpu;
    ANY(frame);
    for ( i = 0; i < FRAMES; i++ )
    {
        frames_info[i].owner = any_int ? c->d : NULL;
        frames_info[i].u.inuse.type_info = any_u64;
    }
    ANY(console), ANY(same_console), ANY(store_page), ANY(same_store_page);
    ANY(console_standin), ANY(same_console_standin), ANY(store_standin), ANY(same_store_standin);
    c->bridge[CASM_PAGE_CONSOLE].guest = any_int ? one_of(console, same_console) : NULL;
    c->bridge[CASM_PAGE_CONSOLE].standin = one_of(console_standin, same_console_standin);
    c->bridge[CASM_PAGE_CONSOLE].layout = &casm_console_layout;
    c->bridge[CASM_PAGE_XENSTORE].guest = any_int ? one_of(store_page, same_store_page) : NULL;
    c->bridge[CASM_PAGE_XENSTORE].standin = one_of(store_standin, same_store_standin);
    c->bridge[CASM_PAGE_XENSTORE].layout = &casm_xenstore_layout;

    return c;
}

void ends(void)
{
    casm_end(any_recordable(), any_u32, any_u32);
    THE_END(ends);
}

void shutdowns(void)
{
    static struct domain other_domain;

    any_recordable();
    casm_domain_shutdown(any_int ? &the_domain : &other_domain, any_u32);
    THE_END(shutdowns);
}

void starts(void)
{
    struct casm_domain *c = any_recordable();

    start_replay(c);
    THE_END(starts);
}

void ring_records(void)
{
    casm_bridge_replay(any_recordable());
    THE_END(ring_records);
}

void effects(void)
{
    casm_inject_logged(any_recordable());
    THE_END(effects);
}

void pages(void)
{
    struct casm_domain *c = any_recordable();

    casm_console_report(c);
    casm_bridges_up(c);
    casm_bridges_down(c);
    THE_END(pages);
}

void answers(void)
{
    answer(any_recordable(), any_u32);
    THE_END(answers);
}

void outputs(void)
{
    any_recordable();
    casm_tap((void *)any_u64, any_u32);
    THE_END(outputs);
}

void values(void)
{
    struct casm_domain *c = any_recordable();
    struct cpuid_leaf leaf = { any_u32, any_u32, any_u32, any_u32 };
    uint64_t value = any_u64;

    log_tsc(c, &value);
    casm_log_msr(any_int, any_u32, &value);
    casm_log_cpuid(any_u32, &leaf);
    THE_END(values);
}

void entries(void)
{
    any_recordable();
    casm_count_entry(any_u8, any_u32);
    THE_END(entries);
}

void exits(void)
{
    any_recordable()->state = CASM_STATE_REPLAY;
    shim.ds = any_u16;
    shim.es = any_u16;
    shim.fs = any_u16;
    shim.gs = any_u16;
    casm_exit_work();
    THE_END(exits);
}

void digests(void)
{
    casm_digest_point(any_recordable(), any_u8);
    THE_END(digests);
}
