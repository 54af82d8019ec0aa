// SPDX-License-Identifier: GPL-2.0-or-later
//
// Classes that change the guest at an injection point or at the start, the name of such a point, and reports.
// Included by effect.cc only.
#pragma once

#include "effects/effect.h"

namespace casmotion::model {

inline constexpr std::uint64_t kPageBytes = 4096;

// `offset` and `length` lie in one page, computed as Xen does: in 32 bits, so that the sum alone could wrap.
inline smt::Term in_page(const smt::Term& offset, const Blob& blob, bool check_offset, bool check_sum) {
    const smt::Term length = smt::zero_extend(blob.length, 32);
    const smt::Term sum = smt::at_most(offset + length, kPageBytes);
    const smt::Term first = smt::less(offset, kPageBytes);
    if (!check_sum) return smt::equal(offset, offset);
    return check_offset ? first && sum : sum;
}
inline smt::Term length_fits(const Blob& blob) {
    return !smt::equal(blob.length, 0) && smt::at_most(blob.length, CASM_BLOB_MAX_BYTES);
}

// An event channel port becomes pending.
template <>
struct SymbolicEffect<CASM_CLS_EVTCHN> {
    using F = Field<CASM_CLS_EVTCHN>;
    static std::vector<Written> writes() { return {{"pending", CASM_PORTS_MAX}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) {
        return smt::less(in.word("port", 32), CASM_PORTS_MAX) && !smt::equal(in.word("port", 32), 0);
    }
    // Xen ignores a port that the domain does not have (queue.c: casm_set_pending).
    static void set_pending(Guest& g, const smt::Term& port, const smt::Term& valid) {
        const auto before = g.cells("pending").at;
        const smt::Term set = g.context().bv_value(1, 1);
        g.set_cells("pending", [before, port, valid, set](const smt::Term& index) {
            return smt::ite(valid && smt::equal(index, port), set, before(index));
        });
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        log.put(F("port").name, in.word("port", 32));
        set_pending(g, in.word("port", 32), in.yes());
    }
    static smt::Term replay(Guest& g, const Inputs& in, Payload& log, Defect defect) {
        const smt::Term port = log.get(F("port").name);
        set_pending(g, port, defect == Defect::kEvtchnUnbounded ? in.yes() : smt::less(port, CASM_PORTS_MAX));
        return in.yes();
    }
};

// Bytes of a back end in a shared ring page (bridge-glue.c: casm_bridge_replay).
template <>
struct SymbolicEffect<CASM_CLS_RING> {
    using F = Field<CASM_CLS_RING>;
    static std::vector<Written> writes() { return {{"console", kPageBytes}, {"xenstore", kPageBytes}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) {
        return smt::less(in.word("page", 8), 2) && length_fits(in.blob("data")) &&
               in_page(in.word("offset", 32), in.blob("data"), true, true);
    }
    static void write(Guest& g, const smt::Term& page, const smt::Term& offset, const Blob& data) {
        write_blob(g, "console", smt::equal(page, CASM_PAGE_CONSOLE), offset, data);
        write_blob(g, "xenstore", smt::equal(page, CASM_PAGE_XENSTORE), offset, data);
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        log.put(F("page").name, in.word("page", 8));
        log.put(F("offset").name, in.word("offset", 32));
        log.put(F("bytes").name, in.blob("data"));
        write(g, in.word("page", 8), in.word("offset", 32), in.blob("data"));
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect defect) {
        const smt::Term page = log.get(F("page").name), offset = log.get(F("offset").name);
        const Blob data = log.get_blob(F("bytes").name);
        write(g, defect == Defect::kRingOtherPage ? g.context().bv_value(CASM_PAGE_CONSOLE, 8) : page, offset,
              data);
        return smt::less(page, 2) && length_fits(data) &&
               in_page(offset, data, defect != Defect::kRingLengthOnly, defect != Defect::kRingUnbounded);
    }
};

// What the host had written into shared_info before the start (control.c: start_replay).
template <>
struct SymbolicEffect<CASM_CLS_INIT> {
    using F = Field<CASM_CLS_INIT>;
    static std::vector<Written> writes() { return {{"shared-info", kPageBytes}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) {
        return length_fits(in.blob("content")) &&
               in_page(in.word("offset", 32), in.blob("content"), true, true);
    }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        log.put(F("offset").name, in.word("offset", 32));
        log.put(F("bytes").name, in.blob("content"));
        write_blob(g, "shared-info", in.yes(), in.word("offset", 32), in.blob("content"));
    }
    static smt::Term replay(Guest& g, const Inputs& in, Payload& log, Defect defect) {
        const smt::Term offset = log.get(F("offset").name);
        const Blob content = log.get_blob(F("bytes").name);
        write_blob(g, "shared-info", in.yes(), offset, content);
        return length_fits(content) &&
               in_page(offset, content, defect != Defect::kInitLengthOnly, defect != Defect::kInitUnbounded);
    }
};

// The place of the effects that follow. It writes nothing of the guest's but brings the running hash forward,
// on both sides; that the place is the right one is what its fields are compared for.
template <>
struct SymbolicEffect<CASM_CLS_APOINT> {
    using F = Field<CASM_CLS_APOINT>;
    static std::vector<Written> writes() { return {{"regs-hash"}}; }
    static smt::Term possible(const Guest& g, const Inputs&, Defect) {
        return smt::equal(g.word("boundary"), CASM_APOINT_CANONICAL) ||
               smt::equal(g.word("boundary"), CASM_APOINT_BY_STATE);
    }
    // Three little-endian words: the branch that retired last (canonical only), RCX, RSP.
    static Blob state(const Guest& g) {
        const smt::Term zero = g.context().bv_value(0, 64);
        const smt::Term from =
            smt::ite(smt::equal(g.word("boundary"), CASM_APOINT_CANONICAL), g.word("last-branch"), zero);
        const smt::Term all = smt::concat(g.word("rsp"), smt::concat(g.word("rcx"), from));
        return {g.context().bv_value(24, 16), {16, 8, [all](const smt::Term& index) {
                                                   const smt::Term by =
                                                       smt::shift_left(smt::zero_extend(index, 192), 3U);
                                                   return smt::extract(smt::shift_right(all, by), 7, 0);
                                               }}};
    }
    static void record(Guest& g, const Inputs&, Payload& log, Defect) {
        const smt::Term hash = mixed_hash(g);
        log.put(F("kind").name, g.word("boundary"));
        log.put(F("branches").name, g.word("branches"));
        log.put(F("rip").name, g.word("rip"));
        log.put(F("hash").name, hash);
        log.put(F("state").name, state(g));
        g.set("regs-hash", hash);
    }
    static smt::Term replay(Guest& g, const Inputs&, Payload& log, Defect defect) {
        const smt::Term hash = mixed_hash(g);
        const smt::Term accepted = smt::all_of({
            log.expect(F("kind").name, g.word("boundary")),
            log.expect(F("branches").name, g.word("branches")),
            log.expect(F("rip").name, g.word("rip")),
            log.expect(F("hash").name, hash),
            log.expect(F("state").name, state(g)),
        });
        if (defect != Defect::kApointHashNotRun) g.set("regs-hash", hash);
        return accepted;
    }
};

// Console output of a replay, for the user. Here the one who "replays" is the user's screen.
template <>
struct SymbolicEffect<CASM_CLS_CONSOLE> {
    using F = Field<CASM_CLS_CONSOLE>;
    static std::vector<Written> writes() { return {{"printed"}}; }
    static smt::Term possible(const Guest&, const Inputs& in, Defect) { return in.yes(); }
    static Blob text(const Guest& g, const Inputs& in) { return {in.word("length", 16), g.cells("printed")}; }
    static void record(Guest& g, const Inputs& in, Payload& log, Defect) {
        log.put(F("text").name, text(g, in));
    }
    static smt::Term replay(Guest& g, const Inputs& in, Payload& log, Defect) {
        write_blob(g, "printed", in.yes(), g.context().bv_value(0, 16), log.get_blob(F("text").name));
        return in.yes();
    }
};

}  // namespace casmotion::model
