// SPDX-License-Identifier: GPL-2.0-or-later
//
// Classes of timing SYNC: outputs of a synchronous step. Included by effect.cc only.
#pragma once

#include "effects/effect.h"

namespace casmotion::model {

// RDTSC: the clock in steps of 2^CASM_TSC_QUANTUM_BITS ticks (values.c: log_tsc).
template <>
struct SymbolicEffect<CASM_CLS_TSC> {
    using F = Field<CASM_CLS_TSC>;
    static std::vector<Written> writes() { return {{"rax"}, {"rdx"}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static void give(Guest& g, const smt::Term& ticks) {
        g.set("rax", smt::zero_extend(smt::extract(ticks, 31, 0), 64));
        g.set("rdx", smt::zero_extend(smt::extract(ticks, 63, 32), 64));
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect defect) {
        const smt::Term clock = in.word("clock", 64);
        const smt::Term quanta = smt::shift_right(clock, CASM_TSC_QUANTUM_BITS);
        log.put(F("quanta").name, quanta);
        give(g, defect == Defect::kTscNotRounded ? clock : smt::shift_left(quanta, CASM_TSC_QUANTUM_BITS));
    }
    static smt::Term replay(Guest& g, const Inputs& in, Payload& log, Defect defect) {
        const smt::Term quanta = log.get(F("quanta").name);
        give(g, defect == Defect::kTscNotScaled ? quanta : smt::shift_left(quanta, CASM_TSC_QUANTUM_BITS));
        return in.yes();
    }
};

// RDMSR: result of the emulation and value. An emulation that did not succeed raises an exception and leaves
// the registers. Whether it succeeds is a function of the CPU policy, which is part of what both sides start
// with, so the replay computes it again and compares (values.c: casm_log_msr).
template <>
struct SymbolicEffect<CASM_CLS_MSR> {
    using F = Field<CASM_CLS_MSR>;
    static std::vector<Written> writes() { return {{"rax"}, {"rdx"}, {"raised"}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static void give(Guest& g, const smt::Term& rc, const smt::Term& value) {
        const smt::Term okay = smt::equal(rc, 0);  // X86EMUL_OKAY
        g.set("rax", smt::ite(okay, smt::zero_extend(smt::extract(value, 31, 0), 64), g.word("rax")));
        g.set("rdx", smt::ite(okay, smt::zero_extend(smt::extract(value, 63, 32), 64), g.word("rdx")));
        g.set("raised", smt::ite(okay, g.word("raised"), g.context().bv_value(1, 1)));
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        log.put(F("rc").name, g.word("msr-result"));
        log.put(F("index").name, smt::extract(g.word("rcx"), 31, 0));
        log.put(F("value").name, in.word("value", 64));
        give(g, g.word("msr-result"), in.word("value", 64));
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect defect) {
        const smt::Term accepted = smt::all_of({
            log.expect(F("rc").name, g.word("msr-result")),
            log.expect(F("index").name, smt::extract(g.word("rcx"), 31, 0)),
        });
        give(g, defect == Defect::kMsrFaultForgotten ? g.context().bv_value(0, 8) : g.word("msr-result"),
             log.get(F("value").name));
        return accepted;
    }
};

// CPUID: four registers. The leaf is compared; the subleaf (ECX) is the guest's own and need not be in the
// record.
template <>
struct SymbolicEffect<CASM_CLS_CPUID> {
    using F = Field<CASM_CLS_CPUID>;
    static std::vector<Written> writes() { return {{"rax"}, {"rbx"}, {"rcx"}, {"rdx"}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static void give(Guest& g, const smt::Term& a, const smt::Term& b, const smt::Term& c,
                     const smt::Term& d) {
        g.set("rax", smt::zero_extend(a, 64));
        g.set("rbx", smt::zero_extend(b, 64));
        g.set("rcx", smt::zero_extend(c, 64));
        g.set("rdx", smt::zero_extend(d, 64));
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        const smt::Term a = in.word("eax", 32), b = in.word("ebx", 32), c = in.word("ecx", 32),
                        d = in.word("edx", 32);
        log.put(F("leaf").name, smt::extract(g.word("rax"), 31, 0));
        log.put(F("eax_ebx").name, smt::concat(b, a));
        log.put(F("ecx_edx").name, smt::concat(d, c));
        give(g, a, b, c, d);
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect defect) {
        const smt::Term accepted = log.expect(F("leaf").name, smt::extract(g.word("rax"), 31, 0));
        const smt::Term ab = log.get(F("eax_ebx").name), cd = log.get(F("ecx_edx").name);
        const bool swapped = defect == Defect::kCpuidHalvesSwapped;
        const smt::Term low = smt::extract(ab, 31, 0), high = smt::extract(ab, 63, 32);
        give(g, swapped ? high : low, swapped ? low : high, smt::extract(cd, 31, 0),
             smt::extract(cd, 63, 32));
        return accepted;
    }
};

// The result of a hypercall that is answered from the log. Numbers of 64 and above are refused before they
// get here.
template <>
struct SymbolicEffect<CASM_CLS_RESULT> {
    using F = Field<CASM_CLS_RESULT>;
    static std::vector<Written> writes() { return {{"rax"}}; }
    static smt::Term possible(const Guest& g, const Inputs& in, Defect defect) {
        return defect == Defect::kHypercallUnbounded ? in.yes() : smt::less(g.word("rax"), 64);
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        log.put(F("hypercall").name, g.word("rax"));
        log.put(F("value").name, in.word("result", 64));
        g.set("rax", in.word("result", 64));
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect) {
        const smt::Term accepted = log.expect(F("hypercall").name, g.word("rax"));
        g.set("rax", log.get(F("value").name));
        return accepted;
    }
};

// One write of a hypercall's memory outputs. Addresses wrap as the processor's do.
template <>
struct SymbolicEffect<CASM_CLS_OUTMEM> {
    using F = Field<CASM_CLS_OUTMEM>;
    static std::vector<Written> writes() { return {{"memory"}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) {
        const smt::Term length = in.blob("written").length;
        return !smt::equal(length, 0) && smt::at_most(length, CASM_BLOB_MAX_BYTES);
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        const smt::Term va = in.word("va", 64);
        log.put(F("va").name, va);
        log.put(F("bytes").name, in.blob("written"));
        write_blob(g, "memory", in.yes(), va, in.blob("written"));
    }
    static smt::Term replay(Guest& g, const Inputs& in, Payload& log, Defect defect) {
        const smt::Term va = log.get(F("va").name);
        Blob bytes = log.get_blob(F("bytes").name);
        if (defect == Defect::kOutmemOneShort) bytes.length = bytes.length - 1;
        write_blob(g, "memory", in.yes(), va, bytes);
        return in.yes();
    }
};

}  // namespace casmotion::model
