// SPDX-License-Identifier: GPL-2.0-or-later
//
// Classes that carry no input: the replay computes them again and compares. Included by effect.cc only.
#pragma once

#include "effects/effect.h"

namespace casmotion::model {

// A synchronous entry: counts, and brings the running registers hash forward (entry.c: casm_count_entry).
template <>
struct SymbolicEffect<CASM_CLS_ENTRY> {
    using F = Field<CASM_CLS_ENTRY>;
    static std::vector<Written> writes() { return {{"ordinal"}, {"regs-hash"}}; }
    // How many bits of the hash are logged is in the manifest: the same on both sides.
    static smt::Term possible(const Guest&, const Inputs& in, Defect) {
        return smt::at_most(in.word("check-bits", 64), 16);
    }
    static smt::Term check(const Inputs& in, const smt::Term& hash) {
        const smt::Term bits = in.word("check-bits", 64);
        return smt::shift_right(hash, (bits ^ bits) + 64 - bits);  // by 64 - bits; a shift by 64 gives 0
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        const smt::Term hash = mixed_hash(g);
        log.put(F("kind").name, g.word("entry-kind"));
        log.put(F("detail").name, g.word("entry-detail"));
        log.put(F("check").name, check(in, hash));
        g.set("regs-hash", hash);
        g.set("ordinal", g.word("ordinal") + 1);
    }
    static smt::Term replay(Guest& g, const Inputs& in, Payload& log, Defect defect) {
        const smt::Term hash = mixed_hash(g);
        const smt::Term accepted = smt::all_of({
            log.expect(F("kind").name, g.word("entry-kind")),
            log.expect(F("detail").name, g.word("entry-detail")),
            log.expect(F("check").name, check(in, hash)),
        });
        if (defect != Defect::kEntryHashNotRun) g.set("regs-hash", hash);
        g.set("ordinal", g.word("ordinal") + 1);
        return accepted;
    }
};

// Branches since the start, as the counter has them.
template <>
struct SymbolicEffect<CASM_CLS_BRANCHES> {
    using F = Field<CASM_CLS_BRANCHES>;
    static std::vector<Written> writes() { return {}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static void record(Guest& g, const Inputs&, Payload& log, Defect) {
        log.put(F("total").name, g.word("branches-total"));
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect) {
        return log.expect(F("total").name, g.word("branches-total"));
    }
};

// A digest of memory. That equal digests mean equal memory is not claimed: it detects, it carries nothing.
template <>
struct SymbolicEffect<CASM_CLS_DIGEST> {
    using F = Field<CASM_CLS_DIGEST>;
    static std::vector<Written> writes() { return {}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static void record(Guest& g, const Inputs&, Payload& log, Defect) {
        log.put(F("when").name, g.word("digest-due"));
        log.put(F("ordinal").name, g.word("ordinal"));
        log.put(F("frames").name, g.word("frames"));
        log.put(F("digest").name, g.word("memory-digest"));
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect) {
        return smt::all_of({
            log.expect(F("when").name, g.word("digest-due")),
            log.expect(F("ordinal").name, g.word("ordinal")),
            log.expect(F("frames").name, g.word("frames")),
            log.expect(F("digest").name, g.word("memory-digest")),
        });
    }
};

// The end, in the guest's hypercall or at an injection point.
template <>
struct SymbolicEffect<CASM_CLS_END> {
    using F = Field<CASM_CLS_END>;
    static std::vector<Written> writes() { return {{"ended"}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static Blob applied(const Guest& g) {
        return blob_of(g.context(), g.cells("applied"), sizeof(std::uint64_t) * CASM_CLASSES_MAX);
    }
    // The registers at the end are in it, but not those of a domain that was destroyed.
    static smt::Term end_hash(const Guest& g) {
        const smt::Context& c = g.context();
        return smt::ite(smt::equal(g.word("end-reason"), c.bv_value(CASM_END_DESTROYED, 8)),
                        g.word("regs-hash"), mixed_hash(g));
    }
    static void record(Guest& g, const Inputs&, Payload& log, Defect) {
        log.put(F("reason").name, g.word("end-reason"));
        log.put(F("code").name, g.word("end-code"));
        log.put(F("ordinal").name, g.word("ordinal"));
        log.put(F("hash").name, end_hash(g));
        log.put(F("applied").name, applied(g));
        g.set("ended", g.context().bv_value(1, 1));
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect defect) {
        const smt::Term accepted = smt::all_of({
            log.expect(F("reason").name, g.word("end-reason")),
            log.expect(F("code").name, g.word("end-code")),
            log.expect(F("ordinal").name, g.word("ordinal")),
            log.expect(F("hash").name, end_hash(g)),
            log.expect(F("applied").name, applied(g)),
        });
        if (defect != Defect::kEndNotEnded) g.set("ended", g.context().bv_value(1, 1));
        return accepted;
    }
};

}  // namespace casmotion::model
