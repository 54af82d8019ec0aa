/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: queue of event channel signals, and their injection.
 *
 * Signals come from dom0, timers and the vCPU's own hypercalls, in any context. They set a bit here; the vCPU turns bits
 * into pending events on its way out of Xen, where the place can be named.
 */
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/sched.h>

#include "private.h"

/* Instead of set_pending, from evtchn_port_set_pending(): the channel's lock is held, and interrupts may be off. */
void casm_queue_event(struct domain *d, const struct evtchn *chn)
{
    struct casm_domain *c = d->arch.casm;
    struct vcpu *v = d->vcpu[0];
    unsigned long flags;
    bool first = false;

    /* Outside signals of a replay come from the log only; the same holds for one that stands at its end. */
    if ( casm_of_a_log(c) || chn->port >= CASM_PORTS_MAX || !v )
        return;

    spin_lock_irqsave(&c->lock, flags);
    if ( !__test_and_set_bit(chn->port, c->pending) )
    {
        first = !c->npending++;
        if ( first )
            c->pending_since = NOW();
        c->events_queued++;
    }
    spin_unlock_irqrestore(&c->lock, flags);

    /* Not for each: a busy source would put its first signal off for ever. */
    if ( first )
        casm_tp_signal(c);

    /* It will find the queue at the exit of the hypercall in which it blocked. */
    vcpu_unblock(v);
}

/*
 * The counterpart of local_events_need_delivery() in vcpu_block() and do_poll(): a queued signal must keep the vCPU awake,
 * or the wake-up is lost. The spurious returns that this causes are harmless, and happen in the replay too.
 */
bool casm_must_not_block(const struct vcpu *v)
{
    const struct casm_domain *c = v->arch.casm;

    return read_atomic(&c->npending) || casm_stopping(c);
}

void casm_set_pending(struct casm_domain *c, unsigned int port)
{
    struct domain *d = c->d;
    struct evtchn *chn;

    if ( !port_is_valid(d, port) )
        return;

    chn = evtchn_from_port(d, port);
    /* Others take it with interrupts on: with them off, we could wait for one whom a rendezvous keeps from letting it go. */
    evtchn_read_lock(chn);
    if ( evtchn_usable(chn) )
        d->evtchn_port_ops->set_pending(d->vcpu[chn->notify_vcpu_id], chn);
    evtchn_read_unlock(chn);
}

static void account_delay(struct casm_domain *c, s_time_t since)
{
    s_time_t now = NOW();
    uint64_t delay = now > since ? now - since : 0, limit = 10000; /* clocks of two pCPUs may differ a little */
    unsigned int i;

    if ( delay > c->delay_max_ns )
        c->delay_max_ns = delay;
    for ( i = 0; i < ARRAY_SIZE(c->delay_count) - 1 && delay >= limit; i++ )
        limit *= 10;
    c->delay_count[i]++;
}

/* Takes at most CASM_DRAIN_PORTS ports off the queue, lowest first. */
static unsigned int take_ports(struct casm_domain *c, uint16_t *ports)
{
    unsigned int n = 0, port = 0;
    unsigned long flags;

    spin_lock_irqsave(&c->lock, flags);
    while ( n < CASM_DRAIN_PORTS && (port = find_next_bit(c->pending, CASM_PORTS_MAX, port)) < CASM_PORTS_MAX )
    {
        __clear_bit(port, c->pending);
        ports[n++] = port;
    }
    c->npending -= n;
    account_delay(c, c->pending_since);
    if ( c->npending )
        c->pending_since = NOW();
    spin_unlock_irqrestore(&c->lock, flags);

    return n;
}

/*
 * Applies what is queued: ring data first, so that an event never announces data that is not there; then the events.
 */
void casm_drain(struct casm_domain *c)
{
    uint16_t ports[CASM_DRAIN_PORTS];
    unsigned int i, n;
    bool up;

    if ( likely(!read_atomic(&c->npending)) || casm_of_a_log(c) )
        return;

    n = take_ports(c, ports);
    if ( read_atomic(&c->npending) )
        casm_tp_signal(c); /* the rest waits anew */
    casm_bridges_down(c);
    /*
     * The guest may have decided against a notification because of a consumer index that only now moved: look for data
     * it published in the meantime, and tell the back end in its place.
     */
    up = casm_bridges_up(c);

    for ( i = 0; i < n; i++ )
    {
        struct casm_rec rec = { .cls = CASM_CLS_EVTCHN, .aux = ports[i] };

        if ( casm_logging(c) )
        {
            c->applied[CASM_CLS_EVTCHN]++;
            casm_put(c, rec, NULL, 0);
        }
        casm_set_pending(c, ports[i]);
        if ( up && evtchn_from_port(c->d, ports[i])->state == ECS_INTERDOMAIN )
            evtchn_send(c->d, ports[i]);
    }
}

/*
 * The guest shuts down: what it wrote into a ring last, without a notification, still goes to the back ends. No event of theirs
 * will make us look for it again, and a replay shows all that is in the console's ring.
 */
void casm_rings_last(struct casm_domain *c)
{
    unsigned int port;

    if ( !casm_bridges_up(c) )
        return;
    for ( port = 1; port < CASM_PORTS_MAX && port_is_valid(c->d, port); port++ )
        if ( evtchn_from_port(c->d, port)->state == ECS_INTERDOMAIN )
            evtchn_send(c->d, port);
}

/*
 * Replay: applies effects that the log has at this injection point. Returns false if the replay stopped. A log may have any number
 * of them: what is left after CASM_TRIP_SOFT_BYTES is for the next pass of the exit tests.
 */
bool casm_inject_logged(struct casm_domain *c)
{
    uint64_t start = c->feed.pos;
    struct casm_rec next;

    while ( c->feed.pos - start < CASM_TRIP_SOFT_BYTES && casm_peek(c, &next) )
    {
        if ( next.cls == CASM_CLS_EVTCHN )
        {
            struct casm_rec rec = { .cls = CASM_CLS_EVTCHN };

            c->applied[CASM_CLS_EVTCHN]++;
            if ( !casm_take(c, &rec, NULL, 0, 0) )
                return false;
            casm_set_pending(c, rec.aux);
        }
        else if ( next.cls == CASM_CLS_RING )
        {
            if ( !casm_bridge_replay(c) )
                return false;
        }
        else
            break;
    }

    return casm_replaying(c);
}
