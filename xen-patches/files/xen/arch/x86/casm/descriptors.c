/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: SGDT, SIDT, SLDT, STR and SMSW show a recordable domain nothing of the host.
 *
 * With UMIP they trap at CPL 3, which is all that a PV guest runs at, and are emulated with the constants that Linux gives to
 * its programs (arch/x86/kernel/umip.c). Without, they are answered by the processor. Selectors, limits, CR0 and the base of
 * the GDT (in the per-domain area) are those of this build of Xen then; only the IDT was allocated somewhere, one for each CPU.
 * So IDTR gets an address in the per-domain area too, where nothing else is, and the page there is the IDT of the CPU that the
 * vCPU runs on. It is no more dangerous than what Xen does with the GDT of every PV domain: no exception can be taken without
 * either, and both are mapped wherever the domain's page tables are, with XPTI too. The address is loaded behind the page
 * tables, and left before others are loaded.
 */
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/percpu.h>
#include <xen/sched.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/flushtlb.h>
#include <asm/processor.h>
#include <asm/uaccess.h>
#include <asm/x86_emulate.h>

#include "private.h"

/* As Linux: a hole in its fixmap, its own selectors. */
#define DUMMY_GDT_BASE 0xfffffffffffe0000ul
#define DUMMY_IDT_BASE 0xffffffffffff0000ul
#define DUMMY_TSS_SELECTOR 0x40
#define DUMMY_LDT_SELECTOR 0x50 /* if the guest has an LDT, else 0 */

/* The 16th vCPU's place for GDT and LDT, in the same L1 table as the first one's. No recordable domain has so many. */
#define IDT_VCPU 15u
#define IDT_VIRT (GDT_LDT_VIRT_START + ((unsigned long)IDT_VCPU << GDT_LDT_VCPU_VA_SHIFT))

static DEFINE_PER_CPU(bool, idt_aliased);

static bool umip(void)
{
    return boot_cpu_has(X86_FEATURE_UMIP);
}

uint32_t casm_isolate_descriptors(void)
{
    return CASM_ISOLATE_DESCRIPTORS | (umip() ? CASM_ISOLATE_UMIP : 0);
}

/* Bits of CR4 that are set while a recordable vCPU runs. */
unsigned long casm_cr4(void)
{
    return umip() ? X86_CR4_UMIP : 0;
}

/* --- UMIP: called by the emulator of privileged instructions --- */

/* May it be emulated? */
bool casm_umip_insn(const struct x86_emulate_state *state, const struct x86_emulate_ctxt *ctxt)
{
    unsigned int rm, reg;
    bool is_register = x86_insn_modrm(state, &rm, &reg) == 3;

    if ( !umip() )
        return false;

    switch ( ctxt->opcode )
    {
    case X86EMUL_OPC(0x0f, 0x00): /* SLDT, STR */
        return (reg & 7) <= 1;

    case X86EMUL_OPC(0x0f, 0x01): /* SGDT, SIDT; SMSW */
        return (reg & 7) <= 1 ? !is_register : (reg & 7) == 4;

    default:
        return false;
    }
}

/* What they store. CR0 (SMSW) is what MOV from CR0 gives: the guest's TS, and the rest constant. */
bool casm_umip_segment(unsigned int seg, struct segment_register *reg)
{
    if ( !umip() )
        return false;

    switch ( seg )
    {
    case x86_seg_gdtr:
    case x86_seg_idtr:
        memset(reg, 0, sizeof(*reg));
        reg->base = seg == x86_seg_gdtr ? DUMMY_GDT_BASE : DUMMY_IDT_BASE;
        return true;

    case x86_seg_tr:
    case x86_seg_ldtr:
        memset(reg, 0, sizeof(*reg));
        reg->sel = seg == x86_seg_tr ? DUMMY_TSS_SELECTOR
                                     : current->arch.pv.ldt_ents ? DUMMY_LDT_SELECTOR : 0;
        return true;

    default:
        return false;
    }
}

/* Stores a part of the result; @addr is linear. */
int casm_umip_store(unsigned long addr, const void *data, unsigned int bytes, struct x86_emulate_ctxt *ctxt)
{
    unsigned int left = copy_to_guest_pv((void __user *)addr, data, bytes);
    l1_pgentry_t l1e;

    if ( !left )
        return X86EMUL_OKAY;

    addr += bytes - left;
    if ( get_unsafe(l1e, &__linear_l1_table[l1_linear_offset(addr)]) )
        l1e = l1e_empty();
    x86_emul_pagefault(PFEC_write_access | ((l1e_get_flags(l1e) & _PAGE_PRESENT) ? PFEC_page_present : 0), addr, ctxt);

    return X86EMUL_EXCEPTION;
}

/* --- No UMIP: IDTR --- */

static void load_idt(unsigned long base)
{
    const struct desc_ptr idtr = { .base = base, .limit = IDT_ENTRIES * sizeof(idt_entry_t) - 1 };

    lidt(&idtr);
}

/* From the context switch, with interrupts off, behind the page tables of @v. */
void casm_load_idt(const struct vcpu *v)
{
    l1_pgentry_t *pl1e, l1e;

    if ( umip() )
        return;

    BUILD_BUG_ON(((IDT_VCPU + 1) << GDT_LDT_VCPU_SHIFT) > L1_PAGETABLE_ENTRIES);
    pl1e = v->domain->arch.pv.gdt_ldt_l1tab[0] + (IDT_VCPU << GDT_LDT_VCPU_SHIFT);
    l1e = l1e_from_pfn(virt_to_mfn(idt_tables[smp_processor_id()]), __PAGE_HYPERVISOR_RO);
    if ( l1e_get_intpte(*pl1e) != l1e_get_intpte(l1e) )
    {
        /* It ran on another CPU before. */
        l1e_write(pl1e, l1e);
        flush_local(FLUSH_TLB | FLUSH_TLB_GLOBAL);
    }
    load_idt(IDT_VIRT);
    this_cpu(idt_aliased) = true;
}

/* From the context switch, before other page tables are loaded. */
void casm_leave_idt(void)
{
    if ( !this_cpu(idt_aliased) )
        return;
    load_idt((unsigned long)idt_tables[smp_processor_id()]);
    this_cpu(idt_aliased) = false;
}

/* EFI runtime services run on page tables of their own, on top of whoever was there. */
void casm_idt_for_efi(bool enter)
{
    if ( this_cpu(idt_aliased) )
        load_idt(enter ? (unsigned long)idt_tables[smp_processor_id()] : IDT_VIRT);
}
