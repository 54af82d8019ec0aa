/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: what of the physical processor a recordable domain can see, and what keeps it from seeing it.
 */
#include <xen/cpu.h>
#include <xen/cpumask.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/smp.h>
#include <asm/cpuid.h>
#include <asm/processor.h>

#include "private.h"

/* CASM_ISOLATE_* of this host. */
uint32_t casm_isolation(void)
{
    /* Intel's CPUID faulting or AMD's CpuidUserDis: ctxt_switch_levelling() has it on for every domain that is PV. */
    return (levelling_caps & LCAP_faulting ? CASM_ISOLATE_CPUID : 0) | casm_isolate_descriptors();
}

/*
 * Leaves of topology hold ids in these registers: they are words of their own. Others depend on CR4, XCR0, or on the masks
 * of the domain that runs there just now. What remains is the same on all processors of a kind.
 */
static void mix_leaf(uint64_t *h, uint32_t leaf, uint32_t subleaf)
{
    uint32_t r[4];

    cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]);
    switch ( leaf )
    {
    case 1:
        r[1] &= 0x00ffffff;
        /* fallthrough */
    case 0x80000001u:
        r[2] = r[3] = 0;
        break;

    case 7:
        r[0] = r[1] = r[2] = r[3] = 0;
        break;

    case 0xb:
    case 0x1f:
    case 0x80000026u:
        r[3] = 0;
        break;

    case 6:
        r[2] = 0;
        break;

    case 0xd: /* subleaves 0 and 1: the size for the present XCR0, masked features */
        r[1] = subleaf < 2 ? 0 : r[1];
        r[0] = subleaf == 1 ? 0 : r[0];
        break;

    case 0x8000001eu:
        r[0] = r[1] = r[2] = 0;
        break;
    }
    *h = casm_mix(*h, r[0] | ((uint64_t)r[1] << 32));
    *h = casm_mix(*h, r[2] | ((uint64_t)r[3] << 32));
}

static unsigned int subleaves(uint32_t leaf)
{
    switch ( leaf )
    {
    case 4:
    case 7:
    case 0xb:
    case 0x14:
    case 0x18:
    case 0x1f:
    case 0x8000001du:
    case 0x80000026u:
        return 8;

    case 0xd:
        return 64;

    default:
        return 1;
    }
}

static void cf_check read_identity(void *arg)
{
    struct casm_domctl *op = arg;
    uint32_t first, leaf, max, sub, b, unused;
    uint64_t h = CASM_HASH_SEED;

    for ( first = 0; ; first = 0x80000000u )
    {
        cpuid(first, &max, &unused, &unused, &unused);
        if ( max < first || max > first + 0xff ) /* no such range, or nonsense */
            max = first;
        for ( leaf = first; leaf <= max; leaf++ )
            for ( sub = 0; sub < subleaves(leaf); sub++ )
                mix_leaf(&h, leaf, sub);
        if ( !first )
        {
            cpuid(1, &op->u.cpu.signature, &b, &unused, &unused);
            op->u.cpu.apic_id = b >> 24;
            if ( max >= 0xb )
                cpuid_count(0xb, 0, &unused, &unused, &unused, &op->u.cpu.x2apic_id);
            continue;
        }
        if ( max >= 0x8000001eu )
            cpuid(0x8000001eu, &op->u.cpu.ext_apic_id, &op->u.cpu.ext_core, &op->u.cpu.ext_node, &unused);
        break;
    }
    op->u.cpu.leaves = h;
    op->u.cpu.idt_base = (unsigned long)idt_tables[op->u.cpu.cpu];
}

/* Names processor op->u.cpu.cpu. It is asked itself. */
int casm_cpu_identity(struct casm_domctl *op)
{
    unsigned int cpu = op->u.cpu.cpu;

    memset(&op->u, 0, sizeof(op->u));
    op->u.cpu.cpu = cpu;
    /* Else it could go offline before the call reaches it. */
    if ( !get_cpu_maps() )
        return -EBUSY;
    if ( cpu >= nr_cpu_ids || !cpu_online(cpu) )
    {
        put_cpu_maps();
        return -ENXIO;
    }
    on_selected_cpus(cpumask_of(cpu), read_identity, op, 1);
    put_cpu_maps();

    return 0;
}
