/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.c: any content of both rings and of their headers, changing at any read; any position; any record asked for.
 */
#include "domain.h"
#include "casm/state.c"
#include "casm/stream.c"
#include "copies.h"

/* Harness bridge has it. */
unsigned int casm_bridge_text(const struct casm_bridge *b, uint32_t *seen, uint8_t *buf, unsigned int max)
{
    Frama_C_make_unknown((char *)buf, max);

    return Frama_C_unsigned_int_interval(0, max);
}

/* @max: how many bytes the buffer has. */
static void copies(uint64_t at, unsigned int len, unsigned int max)
{
    static uint8_t buf[CASM_BLOB_MAX_BYTES];

    copy_out(&the_casm.feed, at, buf + sizeof(buf) - max, len);
    copy_in(&the_casm.log, at, buf + sizeof(buf) - max, len);
}

/* Up to @max bytes, at each place where they may not fit before the ring's end, and anywhere before. */
static void copies_anywhere(unsigned int min, unsigned int max)
{
    uint64_t at = RING_BYTES - max & ~7ull;

    copies(Frama_C_unsigned_long_interval(0, at / 8) * 8, Frama_C_unsigned_int_interval(min, max), max);
    //@ loop unroll 513;
    for ( ; at < RING_BYTES; at += 8 )
        copies(at, Frama_C_unsigned_int_interval(min, max), max);
}

void copying(void)
{
    any_domain();
    copies_anywhere(1, CASM_BLOB_MAX_BYTES);
    THE_END(copying);
}

/* A buffer that has not a byte more than is asked for. */
void copying_exactly(void)
{
    any_domain();
    copies_anywhere(1024, 1024);
    copies_anywhere(128, 128);
    copies_anywhere(24, 24);
    copies_anywhere(1, 1);
    THE_END(copying_exactly);
}

/* The class is the caller's, which are constants. */
static struct casm_rec any_record(unsigned int cls)
{
    struct casm_rec rec = { .cls = cls, .kind = any_u8, .check = any_u16, .aux = any_u32 };

    return rec;
}

void peeking(void)
{
    struct casm_domain *c = any_domain();
    struct casm_rec rec;
    uint8_t buf[24];

    if ( casm_peek(c, &rec) )
        casm_peek(c, &rec);
    casm_peek_payload(c, buf, sizeof(buf), 8);
    casm_peek_payload(c, buf, 1, 8 * any_u8);
    THE_END(peeking);
}

/* Each class, with 0 to CASM_WORDS_MAX words. */
static void take_a(struct casm_domain *c, unsigned int cls, unsigned int words)
{
    uint64_t w[CASM_WORDS_MAX] = { any_u64, any_u64, any_u64 };
    struct casm_rec rec = any_record(cls);

    casm_take(c, &rec, words ? w + CASM_WORDS_MAX - words : NULL, words, any_u32);
    //@ check c->feed.pos % 8 == 0;
}

void taking(void)
{
    unsigned int cls;

    //@ loop unroll 64;
    for ( cls = 0; cls < CASM_CLASSES_MAX; cls++ )
    {
        take_a(any_domain(), cls, cls % (CASM_WORDS_MAX + 1));
    }
    THE_END(taking);
}

/* The buffer has exactly as many bytes as the caller says. */
static void take_blob(unsigned int cls, unsigned int words, unsigned int size)
{
    static uint8_t buf[CASM_BLOB_MAX_BYTES];
    uint64_t w[CASM_WORDS_MAX] = { any_u64, any_u64, any_u64 };
    struct casm_domain *c = any_domain();
    struct casm_rec rec = any_record(cls);

    if ( casm_take_blob(c, &rec, words ? w + CASM_WORDS_MAX - words : NULL, words, buf + sizeof(buf) - size, size) )
    {
        //@ check 1 <= rec.check <= size;
        //@ check rec.cls == cls;
    }
    //@ check c->feed.pos % 8 == 0;
}

void taking_blobs(void)
{
    take_blob(CASM_CLS_OUTMEM, 1, 1024);
    take_blob(CASM_CLS_RING, 0, 1);
    take_blob(CASM_CLS_INIT, 0, 4096);
    take_blob(CASM_CLS_END, 2, 128);
    take_blob(CASM_CLS_APOINT, 3, 24);
    THE_END(taking_blobs);
}

void putting(void)
{
    static uint8_t buf[CASM_BLOB_MAX_BYTES];
    uint64_t w[CASM_WORDS_MAX] = { any_u64, any_u64, any_u64 };
    struct casm_domain *c;
    unsigned int cls, len;

    //@ loop unroll 64;
    for ( cls = 1; cls < CASM_CLASSES_MAX; cls++ )
    {
        casm_put(any_domain(), any_record(cls), w, Frama_C_unsigned_int_interval(0, CASM_WORDS_MAX));
        len = Frama_C_unsigned_int_interval(1, CASM_BLOB_MAX_BYTES);
        c = any_domain();
        casm_put_blob(c, any_record(cls), w, Frama_C_unsigned_int_interval(0, CASM_WORDS_MAX), buf, len);
        //@ check c->log.pos % 8 == 0;
    }
    THE_END(putting);
}

void publishing(void)
{
    casm_publish(any_domain(), any_int);
    casm_room(any_domain());
    THE_END(publishing);
}

void diverging(void)
{
    uint64_t w[CASM_WORDS_MAX] = { any_u64, any_u64, any_u64 };
    struct casm_rec rec = any_record(any_u8);

    casm_diverge(any_domain(), any_int ? &rec : NULL, any_int ? w : NULL, any_int ? &rec : NULL, any_int ? w : NULL, 3);
    casm_diverge(any_domain(), NULL, NULL, NULL, NULL, 0);
    casm_stop_vcpu(any_domain(), any_u32);
    THE_END(diverging);
}
