/* SPDX-License-Identifier: GPL-2.0-only */
/* Flaws that the check of results must notice, one per step. See CANARIES in harnesses.py. */
#include "hostile.h"
#include <string.h>

static uint8_t page[16], same_page[16];
static int small[4];

void sound(void)
{
    small[any_u8 & 3] = 1;
    THE_END(sound);
}

void out_of_bounds(void)
{
    small[any_u8 & 7] = 1;
    THE_END(out_of_bounds);
}

/* The length that was checked is not the one that is used. */
void reads_twice(void)
{
    const uint8_t *p;

    Frama_C_make_unknown((char *)page, sizeof(page));
    Frama_C_make_unknown((char *)same_page, sizeof(same_page));
    p = one_of(page, same_page);
    if ( p[3] < 4 )
        small[p[3]] = 1;
    THE_END(reads_twice);
}

/* What was stored in memory that others write is not what is read there. */
void believes_a_store(void)
{
    uint8_t *p, index;

    p = one_of(page, same_page);
    Frama_C_make_unknown((char *)page, sizeof(page));
    Frama_C_make_unknown((char *)same_page, sizeof(same_page));
    p[3] = 2;
    memcpy(&index, p + 3, 1);
    small[index] = 1;
    THE_END(believes_a_store);
}

void unknown(void)
{
    uint8_t x = any_u8;

    //@ check x < 255;
    THE_END(unknown);
}

void endless(void)
{
    while ( 1 )
        small[any_u8 & 3] = 1;
    THE_END(endless);
}

void always_wrong(void)
{
    small[any_u8 & 3] = 1 / (small[0] & 0);
    THE_END(always_wrong);
}

int nobody(int x);

void no_body(void)
{
    small[0] = nobody(1);
    THE_END(no_body);
}

void says_nothing_of_its_end(void)
{
    small[0] = 1;
}

void never_called(void)
{
    small[3] = 1;
}

static void has_dead_code(unsigned int x)
{
    if ( x > 255 )
        small[0] = 1;
}

void dead_code(void)
{
    has_dead_code(any_u8);
    THE_END(dead_code);
}

/*@ assigns \result \from x;
    ensures \result < 4; */
static unsigned int promises_too_much(unsigned int x)
{
    return x & 7;
}

/*@ assigns \result \from x;
    ensures \result < 4; */
static unsigned int writes_in_secret(unsigned int x)
{
    small[0] = x & 255;
    return x & 3;
}

void promise(void)
{
    promises_too_much(any_u32);
    THE_END(promise);
}

void relies_on_a_promise(void)
{
    small[promises_too_much(any_u32)] = 1;
    THE_END(relies_on_a_promise);
}

void secret(void)
{
    writes_in_secret(any_u32);
    THE_END(secret);
}

void relies_on_a_secret(void)
{
    small[writes_in_secret(any_u32)] = 1;
    THE_END(relies_on_a_secret);
}
