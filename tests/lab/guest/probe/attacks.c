/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See attacks.h. */
#include "attacks.h"
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/callback.h>

#define NONE 0xfffe
#define ANY 0xffff
#define INSTRUCTIONS 64

static const char *const expect_names[] = { "BOTH", "DONE", "REFUSED", "PERM", "NOSYS", "NOTSUPP", "EITHER", "SELDOM" };

#define EPERM_ 1
#define ENOSYS_ 38
#define EOPNOTSUPP_ 95

struct counts {
    uint32_t done, refused, wrong; /* wrong: refused with another error than it must be */
};

struct row {
    const char *name;
    uint16_t number, operation;
    uint8_t expect;
    struct counts counts[2]; /* by enum aim */
};

static struct row calls[] = {
#define CALL(number, operation, expect) { #number " " #operation, __HYPERVISOR_##number, operation, expect, {} },
#include "attacks.def"
};

static struct row ways[] = {
#define WAY(symbol, name, expect) { name, 0, 0, expect, {} },
#include "attacks.def"
};

static struct row instructions[INSTRUCTIONS];

enum aim aim;

static void count(struct row *row, bool done, bool wrong)
{
    struct counts *c = &row->counts[aim];

    if ( done )
        c->done++;
    else
        c->refused++;
    if ( wrong )
        c->wrong++;
}

static struct row *row_of(uint64_t nr, uint64_t op)
{
    struct row *any = NULL;
    unsigned int i;

    if ( nr == __HYPERVISOR_memory_op )
        op &= MEMOP_CMD_MASK;
    for ( i = 0; i < sizeof(calls) / sizeof(calls[0]); i++ )
    {
        if ( calls[i].number != nr )
            continue;
        if ( calls[i].operation == op && op < NONE )
            return &calls[i];
        if ( calls[i].operation >= NONE )
            any = &calls[i];
    }

    return any ?: &ways[WAY_UNKNOWN_CALL];
}

void tally_call(uint64_t nr, uint64_t op, long rc)
{
    struct row *row = row_of(nr, op);
    long must = row->expect == PERM ? -EPERM_ : row->expect == NOSYS ? -ENOSYS_ : row->expect == NOTSUPP ? -EOPNOTSUPP_ : 0;

    /* Results of some calls are addresses or registers: an error is a small negative number. */
    count(row, (unsigned long)rc < -4095ul, must && rc != must);
}

void tally_outcome(uint64_t nr, uint64_t op, bool done)
{
    count(row_of(nr, op), done, false);
}

void tally_way(enum way way, bool done)
{
    count(&ways[way], done, false);
}

void tally_instruction(unsigned int which, const char *name, enum expect expect, int vector)
{
    instructions[which % INSTRUCTIONS].name = name;
    instructions[which % INSTRUCTIONS].expect = expect;
    count(&instructions[which % INSTRUCTIONS], vector < 0, false);
}

static char *append(char *to, const char *text)
{
    while ( *text )
        *to++ = *text++;
    return to;
}

static char *append_number(char *to, uint32_t value)
{
    char digits[12];
    unsigned int at = sizeof(digits) - 1;

    digits[at] = 0;
    do
        digits[--at] = '0' + value % 10;
    while ( value /= 10 );
    *to++ = ' ';
    return append(to, digits + at);
}

static void print_rows(const struct row *rows, unsigned int n, const char *kind)
{
    static const char *const aims[] = { " aimed", " random" };
    char line[160];
    unsigned int i, a;

    for ( i = 0; i < n; i++ )
    {
        char *at = line;

        if ( !rows[i].name )
            continue;
        at = append(append(append(append(at, "attack: "), kind), rows[i].name), ": ");
        at = append(at, expect_names[rows[i].expect]);
        for ( a = AIMED; a <= AT_RANDOM; a++ )
        {
            const struct counts *c = &rows[i].counts[a];

            at = append(at, aims[a]);
            at = append_number(at, c->done + c->refused);
            at = append_number(at, c->done);
            at = append_number(at, c->refused);
            at = append_number(at, c->wrong);
        }
        *append(at, "\n") = 0;
        print(line);
    }
}

void print_tally(void)
{
    print_rows(calls, sizeof(calls) / sizeof(calls[0]), "");
    print_rows(ways, WAYS, "");
    print_rows(instructions, INSTRUCTIONS, "instruction ");
}
