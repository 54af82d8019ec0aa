/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bridge.c: both pages hold any bytes and change at any read, the twins are any words, the layout is either of the two.
 */
#include "hostile.h"
#include <string.h>

#define PAGE_BYTES 4096

/* Barriers order accesses; that any value may be read anyway is what hostile.h is for. */
#define smp_wmb() ((void)0)
#define smp_rmb() ((void)0)

#include "casm/bridge.c"

static uint8_t guest[PAGE_BYTES], same_guest[PAGE_BYTES], standin[PAGE_BYTES], same_standin[PAGE_BYTES];

static void any_bridge(struct casm_bridge *b, const struct casm_bridge_layout *layout)
{
    unsigned int i;

    Frama_C_make_unknown((char *)guest, PAGE_BYTES);
    Frama_C_make_unknown((char *)same_guest, PAGE_BYTES);
    Frama_C_make_unknown((char *)standin, PAGE_BYTES);
    Frama_C_make_unknown((char *)same_standin, PAGE_BYTES);
    b->guest = one_of(guest, same_guest);
    b->standin = one_of(standin, same_standin);
    b->layout = layout;
    for ( i = 0; i < CASM_BRIDGE_WORDS; i++ )
        b->twin[i] = any_u32;
}

/* What bridge.h promises of a write into the guest's page. */
static void wrote(void *ctx, unsigned int offset, unsigned int len)
{
    const struct casm_bridge *b = ctx;

    //@ check 1 <= len <= 2048;
    //@ check offset + len <= PAGE_BYTES;
    //@ check \valid(b->guest + (offset .. offset + len - 1));
}

void attach(void)
{
    struct casm_bridge b;

    any_bridge(&b, &casm_console_layout);
    casm_bridge_attach(&b);
    any_bridge(&b, &casm_xenstore_layout);
    casm_bridge_attach(&b);
    THE_END(attach);
}

void up(void)
{
    struct casm_bridge b;

    any_bridge(&b, &casm_console_layout);
    casm_bridge_up(&b);
    casm_bridge_unread(&b);
    any_bridge(&b, &casm_xenstore_layout);
    casm_bridge_up(&b);
    casm_bridge_unread(&b);
    THE_END(up);
}

void down(void)
{
    struct casm_bridge b;

    any_bridge(&b, &casm_console_layout);
    casm_bridge_down(&b, wrote, &b);
    any_bridge(&b, &casm_xenstore_layout);
    casm_bridge_down(&b, wrote, &b);
    THE_END(down);
}

/* A buffer of @max bytes, which end where an array ends. */
static void text_into(unsigned int max)
{
    static uint8_t buf[2049];
    struct casm_bridge b;
    uint32_t seen = any_u32;
    unsigned int n;

    any_bridge(&b, &casm_console_layout);
    n = casm_bridge_text(&b, &seen, buf + sizeof(buf) - max, max);
    //@ check n <= max;
}

void text(void)
{
    text_into(1);
    text_into(7);
    text_into(256);
    text_into(2048);
    text_into(2049);
    THE_END(text);
}
