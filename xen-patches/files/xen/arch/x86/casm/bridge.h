/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: bridge between a ring page of the guest and the stand-in page that the back end maps.
 *
 * Freestanding: knows two pages of memory and the ring protocols, nothing of Xen; unit tests and fuzzers compile it in user
 * space. Everything read from either page may change under our feet or be nonsense: it is read once, and bounded.
 *
 * Why it is sound: it runs in the context of the guest's only vCPU, so the guest's page cannot change meanwhile. On the stand-in
 * side both protocols publish data before the producer index; the bridge reads the index first, then (after a read
 * barrier) only the data it covers, and writes data before the index. So either side sees a prefix of what the other published.
 */
#ifndef CASM_BRIDGE_H
#define CASM_BRIDGE_H

#define CASM_BRIDGE_WORDS 3

/* One direction of a shared ring. All members are byte offsets in the page, but size_bytes (a power of two). */
struct casm_half {
    uint16_t data, size_bytes, cons, prod;
};

struct casm_bridge_layout {
    struct casm_half up;    /* the guest produces: console output, xenstore requests */
    struct casm_half down;  /* the back end produces: console input, xenstore replies */
    uint16_t word[CASM_BRIDGE_WORDS]; /* further words, carried whichever way they change; 0: none */
};

struct casm_bridge {
    uint8_t *guest;         /* NULL: bridge not set up */
    uint8_t *standin;
    const struct casm_bridge_layout *layout;
    uint32_t twin[CASM_BRIDGE_WORDS]; /* value both sides last agreed on */
};

extern const struct casm_bridge_layout casm_console_layout, casm_xenstore_layout;

/* Copies the whole guest page into the stand-in page; the guest must not be running. */
void casm_bridge_attach(struct casm_bridge *b);

/*
 * Guest to stand-in. Returns whether anything changed there, that is, whether the back end must be told.
 */
bool casm_bridge_up(struct casm_bridge *b);

/*
 * Stand-in to guest. @wrote is called after each write into the guest page with its offset and length (1..size_bytes), in
 * the order of the writes.
 */
void casm_bridge_down(struct casm_bridge *b, void (*wrote)(void *ctx, unsigned int offset, unsigned int len), void *ctx);

/* Bytes of the up half that the guest published after index @seen, oldest first; at most @max, returned. Advances @seen. */
unsigned int casm_bridge_text(const struct casm_bridge *b, uint32_t *seen, uint8_t *buf, unsigned int max);

/* Bytes of the up half that the back end was given and has not read. */
unsigned int casm_bridge_unread(const struct casm_bridge *b);

#endif /* CASM_BRIDGE_H */
