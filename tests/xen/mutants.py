#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Canaries: deliberately broken variants of the hypervisor files, each of which a test must reject.

usage: mutants.py CASM_FOLDER WORLD_LIBRARY HYPERVISOR_LIBRARY LINKER OBJECT... -- COMPILER FLAG...

Each variant is one file with one replacement, compiled as the others were and linked before the library that holds the
original. A replacement whose text is not there any more is a failure too: the table must follow the code.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

# name, file, from, to, test that must fail
MUTANTS = [
    ("the bridge up writes the index before the data", "bridge.c",
     "unsigned int n = ring_used(h, prod, known);\n\n        for ( i = 0; i < n; i++ )\n        {\n            unsigned int at = h->data + ((prod",
     "unsigned int n = ring_used(h, prod, known);\n        store(b->standin, h->prod, prod);\n        for ( i = 0; i < n; i++ )\n        {\n            unsigned int at = h->data + ((prod",
     "bridge"),
    ("the bridge up has no barrier", "bridge.c", "        smp_wmb();\n", "", "bridge"),
    ("the bridge down has no barrier", "bridge.c", "    smp_rmb();\n", "", "bridge"),
    ("the bridge down writes the index before the data", "bridge.c",
     "        if ( n )\n        {\n            memcpy(",
     "        store(b->guest, h->prod, prod);\n        if ( n )\n        {\n            memcpy(", "bridge"),
    ("the bridge believes any index", "bridge.c", "n > h->size_bytes ? h->size_bytes : n;", "n;", "bridge"),
    ("the bridge forgets a changed consumer index", "bridge.c",
     "store(b->guest, b->layout->up.cons, cons);", ";", "bridge"),
    ("words are echoed", "bridge.c", "            b->twin[i] = val;\n            store(b->guest, at, val);",
     "            store(b->guest, at, val);", "bridge"),
    ("the digest has no frame numbers", "digest.c", "casm_mix(casm_mix(h, mfn), casm_page_hash(p))",
     "casm_mix(h, casm_page_hash(p))", "digest"),
    ("the page hash leaves a word out", "digest.c", "d = lane(d, p[i + 7]);", "", "digest"),
    ("the digest covers stand-ins", "digest.c",
     "if ( page_get_owner(pg) != d || !casm_pool_guest_frame(mfn) )\n            continue;",
     "if ( page_get_owner(pg) != d )\n            continue;", "digest"),
    ("a full ring does not stop the vCPU", "stream.c", "    vcpu_pause_nosync(v);\n    set_bit(0, &c->stalled);\n",
     "    set_bit(0, &c->stalled);\n", "stream"),
    ("the second look at a full ring is missing", "stream.c",
     "if ( both_room(c) && test_and_clear_bit(0, &c->stalled) )", "if ( 0 )", "stream"),
    ("a record overwrites what nobody has read", "stream.c", "if ( unlikely(s->pos + size - s->other > s->mask + 1) )",
     "if ( 0 )", "stream"),
    ("a mad consumer is believed", "stream.c", "if ( s->pos - cons <= size )", "if ( 1 )", "stream"),
    ("padding keeps old bytes", "stream.c", "            *slot(s, s->pos + (len & ~7u)) = 0;\n", "            ;\n", "stream"),
    ("words are not compared", "stream.c", "(cmp & CASM_CMP_WORDS) && lw[i] != w[i]", "0", "stream"),
    ("kinds are not compared", "stream.c", "((cmp & CASM_CMP_KIND) && log.kind != rec->kind) ||", "", "stream"),
    ("blob lengths are not checked", "stream.c", "(!log.check || log.check > CASM_BLOB_MAX_BYTES)", "0", "stream"),
    ("ring records are not checked", "bridge-glue.c",
     "next.aux >= PAGE_SIZE || next.aux + next.check > PAGE_SIZE )", "0 )", "entry"),
    ("events are applied at any exit", "entry.c", "    if ( !c->sync )\n        return casm_tp_exit(c);\n", "", "entry"),
    ("the flag of a counted exit stays", "entry.c", "    c->sync = false;\n\n    return casm_tp_leave(c);",
     "    return casm_tp_leave(c);", "entry"),
    ("RF enters the hash", "entry.c", "(r->rflags & ~(uint64_t)X86_EFLAGS_RF)", "(r->rflags)", "entry"),
    ("events before ring data", "queue.c", "    casm_bridges_down(c);\n", "", "entry"),
    ("a notification that the guest left out is lost", "queue.c", "    up = casm_bridges_up(c);", "    up = false;", "entry"),
    ("signals from outside reach a replay", "queue.c", "if ( c->replaying || chn->port", "if ( chn->port", "entry"),
    ("a sleeping vCPU is not woken", "queue.c", "    vcpu_unblock(v);\n", "", "entry"),
    ("too many ports at an exit", "queue.c", "while ( n < CASM_DRAIN_PORTS &&", "while ( n < CASM_DRAIN_PORTS - 1 &&", "entry"),
    ("XENMEM_memory_map is executed in a replay", "hypercall.c", "    case XENMEM_memory_map:\n", "", "hypercall"),
    ("the tap stays open", "hypercall.c",
     "    if ( !this_cpu(casm_tapping) )\n        return;\n    this_cpu(casm_tapping) = false;",
     "    if ( !this_cpu(casm_tapping) )\n        return;", "hypercall"),
    ("a replay ignores memory outputs that fault", "hypercall.c",
     "if ( copy_to_guest_pv((void __user *)va, buf, out.check) )",
     "if ( copy_to_guest_pv((void __user *)va, buf, out.check) && 0 )", "hypercall"),
    ("the TSC is not rounded", "values.c", "*val = quanta << CASM_TSC_QUANTUM_BITS;",
     "if ( c->mode == CASM_MODE_REPLAY ) *val = quanta << CASM_TSC_QUANTUM_BITS;", "values"),
    ("the fast path steps over TF", "values.c", "         (regs->rflags & X86_EFLAGS_TF) ||\n", "", "values"),
    ("any MSR will do", "values.c", "CASM_CMP_KIND | CASM_CMP_AUX);\n\n    return rc;", "CASM_CMP_KIND);\n\n    return rc;",
     "values"),
    ("dom0 may write a recorded guest", "pool.c", "return rw && casm_pool_guest_frame(mfn) &&",
     "return 0 && rw && casm_pool_guest_frame(mfn) &&", "pool"),
    ("the guest may map stand-ins", "pool.c", "return !casm_pool_guest_frame(mfn);", "return false;", "pool"),
    ("frames come back dirty", "pool.c", "        clear_domain_page(page_to_mfn(&pg[i]));\n", "", "pool"),
    ("hypercalls are preempted by softirqs of one run", "entry.c", "return ++c->trip_checks >= CASM_TRIP_CHECKS",
     "return (rdtsc() & 64) || ++c->trip_checks >= CASM_TRIP_CHECKS", "entry"),
    ("an entry leaves the trap flag", "timepoint.c",
     "    if ( (!stepped || !tp->takes_tf) && !tp->guest_tf )\n", "    if ( 0 )\n", "timepoint_trap"),
    ("the guest's own trap flag is taken", "timepoint.c",
     "(!stepped || !tp->takes_tf) && !tp->guest_tf )", "!stepped || !tp->takes_tf )", "timepoint_trap"),
    ("a stepped IRET's flag is taken for ours", "timepoint.c", "(!stepped || !tp->takes_tf)", "1", "timepoint_trap"),
    ("SYSCALL keeps the trap flag in R11", "timepoint.c",
     "        regs->r11 &= ~(uint64_t)X86_EFLAGS_TF;\n", "        ;\n", "timepoint_trap"),
    ("SYSRET with the trap flag", "timepoint.c", "    regs->entry_vector &= ~TRAP_syscall;\n", "", "timepoint_trap"),
    ("SYSRET's RCX is left out", "timepoint.c", "    regs->rcx = regs->rip;\n", "", "timepoint_trap"),
    ("a step of ours is the guest's too", "timepoint.c",
     "        if ( !tp->guest_tf )\n            *dr6 &= ~(unsigned long)DR_STEP;\n", "", "timepoint_trap"),
    ("the guest's own step is swallowed", "timepoint.c",
     "        if ( !tp->guest_tf )\n            *dr6", "        if ( 1 )\n            *dr6", "timepoint_trap"),
    ("a breakpoint that the guest uses is taken", "timepoint.c",
     "slot > 0 && (v->arch.dr7 & enable_bits(slot))", "0", "timepoint_trap"),
    ("the guest's breakpoint register is not restored", "timepoint.c",
     "    write_slot(slot, v->arch.dr[slot]);\n", "", "timepoint_trap"),
    ("the breakpoint keeps an old length", "timepoint.c",
     "(enable_bits(tp->slot) | (0xful << (DR_CONTROL_SHIFT + tp->slot * DR_CONTROL_SIZE)))", "enable_bits(tp->slot)",
     "timepoint_trap"),
    ("the breakpoint stays on the processor for others", "timepoint.c",
     "    casm_counter_save(&tp->counter);\n    if ( tp->slot >= 0 )\n        write_debugreg(7, 0);\n",
     "    casm_counter_save(&tp->counter);\n", "timepoint_trap"),
    ("a hypercall is executed with the trap flag", "hypercall.c", "    casm_hide_step(guest_cpu_user_regs());\n", "",
     "timepoint_trap"),
    ("RF stays at a point", "timepoint.c",
     "    tp->due = false;\n    disarm(tp, regs);\n    regs->rflags &= ~(uint64_t)X86_EFLAGS_RF;",
     "    tp->due = false;\n    disarm(tp, regs);\n    ;", "timepoint_trap"),
    ("points are made before the delay", "timepoint.c", "    if ( now < at )\n        set_timer(&tp->timer, at);\n    else\n",
     "", "timepoint"),
    ("a busy source puts its first signal off", "queue.c", "    if ( first )\n        casm_tp_signal(c);",
     "    casm_tp_signal(c);", "timepoint"),
    ("the ports that did not fit are forgotten", "queue.c",
     "    if ( read_atomic(&c->npending) )\n        casm_tp_signal(c); /* the rest waits anew */\n", "", "timepoint"),
    ("effects before the point", "timepoint.c",
     "    describe(&ap, &canon->point);\n", "    casm_drain(c);\n    describe(&ap, &canon->point);\n", "timepoint"),
    ("a sleeping vCPU is timed", "timepoint.c", " && !test_bit(_VPF_blocked, &v->pause_flags) )", " )", "timepoint"),
    ("the point is not hashed on", "timepoint.c", "    c->hash = canon->point.hash;\n", "", "timepoint"),
    ("branches since the start instead of the entry", "timepoint.c",
     "casm_counter_read(&c->tp.counter) - c->tp.entry_count;", "casm_counter_read(&c->tp.counter);", "timepoint"),
    ("a full log is no reason to wait", "timepoint.c",
     "        return CASM_EXIT_SKIP;\n    if ( !casm_room(c) )\n        return CASM_EXIT_AGAIN;\n    if ( !tp->active )\n",
     "        return CASM_EXIT_SKIP;\n    if ( !tp->active )\n", "timepoint"),
    ("a replay runs on with an empty feed", "timepoint.c",
     "is one. */\n    if ( !casm_room(c) )\n        return CASM_EXIT_AGAIN;\n", "is one. */\n", "timepoint_replay"),
    ("the point's blob may have any length", "timepoint.c", "    if ( next.check != sizeof(ap.state) )\n", "    if ( 0 )\n",
     "timepoint_replay"),
    ("a refused point is ignored", "timepoint.c",
     "        casm_diverge(c, &next, ap.w, NULL, NULL, 3);\n", "", "timepoint_replay"),
    ("the margin is not that of the start", "timepoint.c", "casm_match_begin(&tp->match, &point, &tp->limits);",
     "casm_match_begin(&tp->match, &point, NULL);", "timepoint_replay"),
    ("a search by state may end where it begins", "timepoint.c",
     "    if ( (tp->reason == CASM_TM_BEGIN && tp->match", "    if ( (0 && tp->match", "timepoint_replay"),
    ("a breakpoint is resumed without RF", "timepoint.c",
     "            regs->rflags |= X86_EFLAGS_RF;\n", "            ;\n", "timepoint_replay"),
    ("branch counts are not compared", "entry.c", "casm_exchange(c, &rec, &total, 1, CASM_CMP_WORDS);",
     "casm_exchange(c, &rec, &total, 1, 0);", "timepoint_replay"),
    ("an upcall at a point waits for the next search", "timepoint.c",
     "    return upcall_due(current) ? CASM_EXIT_DELIVER : CASM_EXIT_AGAIN;", "    return CASM_EXIT_AGAIN;",
     "timepoint_replay"),
]


def run(program: Path) -> tuple[bool, str]:
    """Whether the tests pass, and how they ended."""
    try:
        result = subprocess.run([str(program), "--gtest_brief=1"], capture_output=True, timeout=60, check=False)
        return result.returncode == 0, f"status {result.returncode}"
    except subprocess.TimeoutExpired:
        return False, "no end"


def main() -> int:
    split = sys.argv.index("--")
    casm, world, hypervisor, timematch = (Path(argument) for argument in sys.argv[1:5])
    linker, objects = sys.argv[5], sys.argv[6:split]
    compiler = [word for word in sys.argv[split + 1:] if word]
    flags = [word for word in compiler[1:] if word.startswith("-fsanitize")]
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        program, built = Path(folder) / "mutant", Path(folder) / "mutant.o"

        def link(test: str, *mutant: str):
            test_object = next(path for path in objects if f"xen_{test}_test.dir" in path)
            subprocess.run([linker, *flags, test_object, *mutant, str(world), str(hypervisor), str(timematch), "-lgtest_main", "-lgtest",
                            "-lpthread", "-o", str(program)], check=True)

        # Without a mutant they pass: a rejection means something.
        for test in sorted({mutant[-1] for mutant in MUTANTS}):
            link(test)
            passed, how = run(program)
            if not passed:
                problems.append(f"{test}_test fails without a mutant ({how})")
        for name, file, old, new, test in MUTANTS:
            source = (casm / file).read_text(encoding="utf-8")
            if source.count(old) != 1:
                problems.append(f"{name}: its text is {source.count(old)} times in {file}: the table must follow the code")
                continue
            mutant = Path(folder) / file
            mutant.write_text(source.replace(old, new), encoding="utf-8")
            subprocess.run([*compiler, "-w", "-I", str(casm), "-c", str(mutant), "-o", str(built)], check=True)
            link(test, str(built))
            survived, how = run(program)
            print(f"{'SURVIVED' if survived else 'rejected'}: {name} ({test}_test, {how})", flush=True)
            if survived:
                problems.append(f"survived: {name}")
    print(f"{len(MUTANTS)} mutants, {len(problems)} problems")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
