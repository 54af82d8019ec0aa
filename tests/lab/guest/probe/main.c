/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe's set-up and its ordinary work. Words on its command line:
 *   rounds=N      N rounds of work (default 20), each with events of every class
 *   loops=N       N timer events in loops of every kind that do not enter Xen (loops.c)
 *   flags=N       N looks at the flags and debug registers of every kind (flags.c)
 *   segments=N    N times each way to change a descriptor behind a loaded segment register (segments.c)
 *   processor=N   N looks at the processor by instructions that may not trap (processor.c)
 *   hostile seed=S steps=N rarity=R for-good   aimed attacks on Xen (targeted.c), then N random ones on Xen and the back
 *                 ends (hostile.c); for-good: also those that cannot be taken back
 *   steal=MASK    names each frame of the machine in every call that takes one (steal.c)
 *   balloon=N     gives a page back and takes it again, N times
 *   crash, reboot    how it ends instead of powering off
 *   fault         executes an undefined instruction without a handler: Xen crashes the domain
 *   forever       works until it is destroyed
 *   when-typed    does nothing before somebody has typed on its console
 *   asleep        sleeps until it is destroyed, awake ten times a second
 */
#include "probe.h"

struct start_info *start;
struct shared_info *shared;
struct xencons_interface *console;
struct xenstore_domain_interface *store;
uint64_t events_seen, mix;
static uint64_t typed; /* characters */
static struct vcpu_time_info time_info; /* one pair of readings stays true: our TSC is emulated */
static uint8_t spare[SPARE_PAGES][PAGE] __attribute__((aligned(4096)));
static uint8_t shared_window[PAGE] __attribute__((aligned(4096)));

extern char upcall[], failsafe[], exception_stubs[];

/* --- what a program without a library needs --- */
void *memcpy(void *to, const void *from, size_t n)
{
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memset(void *to, int value, size_t n)
{
    void *at = to;

    asm volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
    return to;
}

static const char *find(const char *name)
{
    const char *line = (const char *)start->cmd_line, *p;

    for ( ; *line; line++ )
    {
        const char *n = name;

        for ( p = line; *n && *p == *n; p++ )
            n++;
        if ( !*n && (line == (const char *)start->cmd_line || line[-1] == ' ') )
            return p;
    }
    return NULL;
}

bool word(const char *name)
{
    const char *end = find(name);

    return end && (!*end || *end == ' ');
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *p = find(name);
    uint64_t value = 0;

    if ( !p || *p++ != '=' )
        return otherwise;
    for ( ; *p >= '0' && *p <= '9'; p++ )
        value = value * 10 + (*p - '0');
    return value;
}

void *page_of(unsigned int index)
{
    return spare[index % SPARE_PAGES];
}

int map(void *va, uint64_t mfn)
{
    return HYPERCALL(__HYPERVISOR_update_va_mapping, va, mfn << 12 | 7, UVMF_INVLPG);
}

/* --- time and events --- */
uint64_t now_ns(void)
{
    const struct vcpu_time_info *t = &time_info;
    uint64_t delta = rdtsc() - t->tsc_timestamp;

    if ( t->tsc_shift < 0 )
        delta >>= -t->tsc_shift;
    else
        delta <<= t->tsc_shift;
    return t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

void set_timer(uint64_t ns_from_now)
{
    HYPERCALL(__HYPERVISOR_set_timer_op, now_ns() + ns_from_now, 0, 0);
}

void upcalls(bool on)
{
    volatile struct vcpu_info *v = &shared->vcpu_info[0];

    v->evtchn_upcall_mask = !on;
    asm volatile("" ::: "memory");
    if ( on && v->evtchn_upcall_pending )
        HYPERCALL(__HYPERVISOR_xen_version, XENVER_version, 0, 0); /* Xen delivers on the way back */
}

void sleep_until_event(uint64_t ns_at_most)
{
    set_timer(ns_at_most);
    HYPERCALL(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0); /* turns upcalls on */
    upcalls(false);
}

/* Whatever became of its event channels. */
void pause_for(uint64_t ns)
{
    struct sched_poll poll = { .timeout = now_ns() + ns };

    HYPERCALL(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, 0);
}

/* From head.S. */
void upcall_events(struct trap_frame *frame)
{
    struct vcpu_info *v = &shared->vcpu_info[0];
    uint64_t words, i;

    v->evtchn_upcall_pending = 0;
    words = __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for ( i = 0; i < 64; i++ )
        if ( words & 1ul << i )
        {
            uint64_t bits = __atomic_exchange_n(&shared->evtchn_pending[i], 0, __ATOMIC_SEQ_CST);

            see(i);
            see(bits);
            events_seen++;
        }
    loops_upcall(frame);
    flags_upcall(frame);
}

void power_off(void)
{
    struct sched_shutdown how = { .reason = word("crash") ? SHUTDOWN_crash : word("reboot") ? SHUTDOWN_reboot
                                                                                            : SHUTDOWN_poweroff };

    for ( ;; )
        HYPERCALL(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how, 0);
}

/* From head.S: an exception that nobody expected. */
void died(unsigned int vector, const uint64_t *frame)
{
    struct sched_shutdown how = { .reason = SHUTDOWN_crash };

    see(vector);
    see(frame[2]);
    for ( ;; )
        HYPERCALL(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how, 0);
}

/* --- console --- */
static void notify(evtchn_port_t port)
{
    struct evtchn_send send = { .port = port };

    HYPERCALL(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, 0);
}

void print(const char *text)
{
    volatile struct xencons_interface *c = console;

    for ( ; *text; text++ )
    {
        while ( c->out_prod - c->out_cons >= sizeof(c->out) )
        {
            notify(start->console.domU.evtchn);
            pause_for(10 * NSEC_PER_MSEC);
        }
        c->out[MASK_XENCONS_IDX(c->out_prod, c->out)] = *text;
        asm volatile("" ::: "memory");
        c->out_prod++;
    }
    notify(start->console.domU.evtchn);
}

void print_number(const char *text, uint64_t value)
{
    char line[32] = {};
    unsigned int at = sizeof(line) - 2;

    line[at] = '\n';
    do
        line[--at] = "0123456789abcdef"[value & 15];
    while ( value >>= 4 );
    print(text);
    print(line + at);
}

/* What somebody typed, if anything. */
static void read_console(void)
{
    volatile struct xencons_interface *c = console;
    uint32_t before = c->in_cons;

    while ( c->in_cons != c->in_prod )
    {
        see(c->in[MASK_XENCONS_IDX(c->in_cons, c->in)]);
        typed++;
        c->in_cons++;
    }
    if ( c->in_cons != before )
        notify(start->console.domU.evtchn);
}

/* --- work --- */
static void read_msr(uint32_t index)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    see(low | (uint64_t)high << 32);
}

static void read_cpuid(uint32_t leaf)
{
    uint32_t a = leaf, b, c = 0, d;

    asm volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    see(a | (uint64_t)b << 32);
    see(c | (uint64_t)d << 32);
}

static void see_memory(const void *memory, unsigned int bytes)
{
    const volatile uint8_t *p = memory;

    while ( bytes-- )
        see(*p++);
}

static void work(uint64_t round)
{
    static const uint8_t breakpoint[] = { 0xcc, 0xc3 }, undefined[] = { 0x0f, 0x0b };
    static struct multicall_entry calls[2];
    static xen_extraversion_t extra;
    static struct xen_feature_info features;

    see(rdtsc());
    see(rdtsc());
    read_msr(0x1b);       /* APIC_BASE */
    read_msr(0xc0000080); /* EFER */
    read_cpuid(0);
    read_cpuid(1);
    see(HYPERCALL(__HYPERVISOR_xen_version, XENVER_version, 0, 0));
    memset(extra, round, sizeof(extra)); /* else a write that is missing would not show */
    HYPERCALL(__HYPERVISOR_xen_version, XENVER_extraversion, extra, 0);
    see_memory(extra, sizeof(extra));
    features = (struct xen_feature_info){ .submap_idx = round & 1, .submap = ~round };
    HYPERCALL(__HYPERVISOR_xen_version, XENVER_get_features, &features, 0);
    see_memory(&features, sizeof(features));
    see(try_run(round & 1 ? breakpoint : undefined));

    for ( unsigned int i = 0; i < 2; i++ )
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { i ? XENVER_pagesize : XENVER_version } };
    HYPERCALL(__HYPERVISOR_multicall, calls, 2, 0);
    see_memory(calls, sizeof(calls));

    print_number("probe: round ", round);
    sleep_until_event(2 * NSEC_PER_MSEC);
    read_console();
    /* All that others may write: an effect that took place shows at the next entry. */
    see_memory(shared, 8 + sizeof(shared->evtchn_pending) + 64);
    see_memory(console, sizeof(*console));
    see_memory(store, sizeof(*store));
}

void set_handlers(void)
{
    static struct trap_info traps[33];
    unsigned int i;

    for ( i = 0; i < 32; i++ )
        traps[i] = (struct trap_info){ .vector = i, .flags = 3 /* may be raised by INT n */, .cs = FLAT_KERNEL_CS,
                                       .address = (unsigned long)exception_stubs + 16 * i };
    if ( !word("fault") )
        HYPERCALL(__HYPERVISOR_set_trap_table, traps, 0, 0);
    HYPERCALL(__HYPERVISOR_set_callbacks, upcall, failsafe, 0);
}

static void set_up(void)
{
    struct evtchn_bind_virq timer = { .virq = VIRQ_TIMER, .vcpu = 0 };
    const unsigned long *m2p = (const unsigned long *)HYPERVISOR_VIRT_START;

    map(shared_window, start->shared_info >> 12);
    shared = (struct shared_info *)shared_window;
    time_info = shared->vcpu_info[0].time;
    console = (struct xencons_interface *)(m2p[start->console.domU.mfn] * PAGE);
    store = (struct xenstore_domain_interface *)(m2p[start->store_mfn] * PAGE);

    set_handlers();
    HYPERCALL(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &timer, 0);
    see(timer.port);
}

/* XENMEM_decrease_reservation or XENMEM_populate_physmap of one frame. */
static long move_page(unsigned int op, uint64_t *frame)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    long moved;

    set_xen_guest_handle(r.extent_start, frame);
    moved = HYPERCALL(__HYPERVISOR_memory_op, op, &r, 0);
    see(moved);
    return moved;
}

static void balloon(uint64_t rounds)
{
    uint64_t i, failed = 0, frame;

    print_number("balloon: frames from ", mfn_of(page_of(0)));
    for ( i = 0; i < rounds; i++ )
    {
        void *page = page_of(i % SPARE_PAGES);

        HYPERCALL(__HYPERVISOR_update_va_mapping, page, 0, UVMF_INVLPG);
        frame = mfn_of(page);
        failed += move_page(XENMEM_decrease_reservation, &frame) != 1;
        frame = (unsigned long)page / PAGE;
        if ( move_page(XENMEM_populate_physmap, &frame) == 1 )
            failed += map(page, frame) != 0;
        else
            failed++;
        if ( i % 16 == 0 )
            sleep_until_event(NSEC_PER_MSEC);
    }
    print_number("balloon: failed ", failed);
}

void probe_main(struct start_info *info)
{
    uint64_t rounds, i;

    start = info;
    set_up();
    print("probe: start\n");
    if ( word("fault") )
        asm volatile("ud2");
    while ( word("asleep") )
        sleep_until_event(100 * NSEC_PER_MSEC);
    rounds = word("forever") ? ~0ull : option("rounds", 20);
    if ( word("hostile") )
    {
        hostile(option("seed", 1), option("steps", 1000), option("rarity", 3000));
        power_off();
    }
    if ( option("steal", 0) )
    {
        steal(option("steal", 0));
        print("probe: done\n");
        power_off();
    }
    if ( option("balloon", 0) )
    {
        balloon(option("balloon", 0));
        print("probe: done\n");
        power_off();
    }
    if ( option("loops", 0) || option("flags", 0) || option("processor", 0) || option("segments", 0) )
        rounds = option("rounds", 0);
    while ( word("when-typed") && !typed )
    {
        sleep_until_event(100 * NSEC_PER_MSEC);
        read_console();
    }
    for ( i = 0; i < rounds; i++ )
        work(i);
    time_points(option("loops", 0));
    look_at_flags(option("flags", 0));
    look_at_processor(option("processor", 0));
    look_at_segments(option("segments", 0));
    print_number("probe: saw ", mix);
    print("probe: done\n");
    power_off();
}
