/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: bridge between a guest's ring page and the back end's stand-in page. See bridge.h.
 *
 * Layouts: xencons_interface (public/io/console.h), xenstore_domain_interface (public/io/xs_wire.h).
 */
#include <xen/lib.h>
#include <xen/types.h>
#include <asm/system.h>

#include "bridge.h"

const struct casm_bridge_layout casm_console_layout = {
    .up   = { .data = 1024, .size_bytes = 2048, .cons = 3080, .prod = 3084 },
    .down = { .data = 0,    .size_bytes = 1024, .cons = 3072, .prod = 3076 },
};

const struct casm_bridge_layout casm_xenstore_layout = {
    .up   = { .data = 0,    .size_bytes = 1024, .cons = 2048, .prod = 2052 },
    .down = { .data = 1024, .size_bytes = 1024, .cons = 2056, .prod = 2060 },
    .word = { 2064 /* server_features */, 2068 /* connection */, 2072 /* error */ },
};

static uint32_t load(const uint8_t *page, unsigned int offset)
{
    return *(const volatile uint32_t *)(page + offset);
}

static void store(uint8_t *page, unsigned int offset, uint32_t val)
{
    *(volatile uint32_t *)(page + offset) = val;
}

/* Bytes between two free-running indexes, never more than the ring holds, whatever the indexes say. */
static unsigned int ring_used(const struct casm_half *h, uint32_t prod, uint32_t cons)
{
    uint32_t n = prod - cons;

    return n > h->size_bytes ? h->size_bytes : n;
}

void casm_bridge_attach(struct casm_bridge *b)
{
    unsigned int i;

    memcpy(b->standin, b->guest, 4096);
    for ( i = 0; i < CASM_BRIDGE_WORDS; i++ )
        if ( b->layout->word[i] )
            b->twin[i] = load(b->guest, b->layout->word[i]);
}

bool casm_bridge_up(struct casm_bridge *b)
{
    const struct casm_half *h = &b->layout->up;
    uint32_t prod = load(b->guest, h->prod);
    uint32_t cons = load(b->guest, b->layout->down.cons);
    uint32_t known = load(b->standin, h->prod);
    bool changed = false;
    unsigned int i;

    if ( prod != known )
    {
        unsigned int n = ring_used(h, prod, known);

        for ( i = 0; i < n; i++ )
        {
            unsigned int at = h->data + ((prod - n + i) & (h->size_bytes - 1));

            b->standin[at] = b->guest[at];
        }
        smp_wmb();
        store(b->standin, h->prod, prod);
        changed = true;
    }

    if ( cons != load(b->standin, b->layout->down.cons) )
    {
        store(b->standin, b->layout->down.cons, cons);
        changed = true;
    }

    for ( i = 0; i < CASM_BRIDGE_WORDS; i++ )
    {
        unsigned int at = b->layout->word[i];
        uint32_t val;

        if ( !at )
            continue;
        val = load(b->guest, at);
        /* A word that the back end changed since wins: it is carried down first. */
        if ( val != b->twin[i] && load(b->standin, at) == b->twin[i] )
        {
            store(b->standin, at, val);
            b->twin[i] = val;
            changed = true;
        }
    }

    return changed;
}

void casm_bridge_down(struct casm_bridge *b, void (*wrote)(void *ctx, unsigned int offset, unsigned int len), void *ctx)
{
    const struct casm_half *h = &b->layout->down;
    uint32_t prod = load(b->standin, h->prod);
    uint32_t cons = load(b->standin, b->layout->up.cons);
    uint32_t known = load(b->guest, h->prod);
    unsigned int i;

    smp_rmb();

    if ( prod != known )
    {
        unsigned int n = ring_used(h, prod, known);
        unsigned int first = (prod - n) & (h->size_bytes - 1);
        unsigned int upto = n > h->size_bytes - first ? h->size_bytes - first : n;

        if ( n )
        {
            memcpy(b->guest + h->data + first, b->standin + h->data + first, upto);
            wrote(ctx, h->data + first, upto);
            if ( n > upto )
            {
                memcpy(b->guest + h->data, b->standin + h->data, n - upto);
                wrote(ctx, h->data, n - upto);
            }
        }
        store(b->guest, h->prod, prod);
        wrote(ctx, h->prod, 4);
    }

    if ( cons != load(b->guest, b->layout->up.cons) )
    {
        store(b->guest, b->layout->up.cons, cons);
        wrote(ctx, b->layout->up.cons, 4);
    }

    for ( i = 0; i < CASM_BRIDGE_WORDS; i++ )
    {
        unsigned int at = b->layout->word[i];
        uint32_t val;

        if ( !at )
            continue;
        val = load(b->standin, at);
        if ( val != b->twin[i] )
        {
            b->twin[i] = val;
            store(b->guest, at, val);
            wrote(ctx, at, 4);
        }
    }
}

unsigned int casm_bridge_text(const struct casm_bridge *b, uint32_t *seen, uint8_t *buf, unsigned int max)
{
    const struct casm_half *h = &b->layout->up;
    uint32_t prod = load(b->guest, h->prod);
    unsigned int n = ring_used(h, prod, *seen), i;

    *seen = prod - n; /* skips what was overwritten before anybody looked */
    if ( n > max )
        n = max;
    for ( i = 0; i < n; i++ )
        buf[i] = b->guest[h->data + ((*seen + i) & (h->size_bytes - 1))];
    *seen += n;

    return n;
}

unsigned int casm_bridge_unread(const struct casm_bridge *b)
{
    const struct casm_half *h = &b->layout->up;

    return ring_used(h, load(b->standin, h->prod), load(b->standin, h->cons));
}
