// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/order_check.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "casmotion/entry_outputs.h"
#include "casmotion/taxonomy.h"

namespace casmotion {

namespace {

constexpr std::uint32_t kDebugVector = 1;  // of an ENTRY of kind exception

constexpr std::uint64_t kEntriesPerTripMax = 64;  // far above what one trip through Xen can count
constexpr std::optional<OrderFault> kGood = std::nullopt;

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return text;
}

std::string describe(const Record& entry) {
    return std::string(entry_kind_name(entry.kind)) + " " + hex(entry.aux);
}

OrderFault fault(std::string reason, std::string expected = {}, std::string actual = {}) {
    return {Condition::kC5, std::move(reason), std::move(expected), std::move(actual)};
}

// Says which condition a fault found by the rules of one group contradicts.
std::optional<OrderFault> against(Condition condition, std::optional<OrderFault> fault) {
    if (fault) fault->condition = condition;
    return fault;
}

std::string count_of(const OutputRange& range) {
    if (range.least == range.most) return std::to_string(range.least);
    return std::to_string(range.least) + " to " + std::to_string(range.most);
}

}  // namespace

// A RDTSC, RDMSR or CPUID: its ENTRY follows. RDTSCP reads an MSR and the TSC.
std::optional<OrderFault> OrderCheck::value(const Record& record) {
    if (results_ != 0 || open_call_)
        return fault("a hypercall's output and an instruction's output in one entry");
    unsigned& count = record.cls == CASM_CLS_TSC ? tsc_ : record.cls == CASM_CLS_MSR ? msr_ : cpuid_;
    if (++count > 1) return fault("two " + std::string(class_name(record.cls)) + " records in one entry");
    if (record.cls == CASM_CLS_TSC) {
        if (record.w[0] < last_tsc_)
            return fault("the TSC runs backwards", "at least " + std::to_string(last_tsc_),
                         std::to_string(record.w[0]));
        last_tsc_ = record.w[0];
    }
    return kGood;
}

// Memory outputs of a call, then its result; several times in a multicall; then its ENTRY.
std::optional<OrderFault> OrderCheck::call_output(const Record& record) {
    if (tsc_ + msr_ + cpuid_ != 0)
        return fault("a hypercall's output and an instruction's output in one entry");
    open_call_ = record.cls == CASM_CLS_OUTMEM;
    if (record.cls == CASM_CLS_RESULT) {
        if (results_of_hypercall(record.kind).most == 0)
            return fault("result of a hypercall that is never answered from the log", "another hypercall",
                         std::string(hypercall_name(record.kind)) + " (" + std::to_string(record.kind) + ")");
        ++results_;
        last_result_ = record.kind;
    }
    return kGood;
}

std::optional<OrderFault> OrderCheck::hypercall(const Record& record) const {
    if (open_call_) return fault("memory outputs of a hypercall without its result");
    if (record.aux == kHypercallMulticall) return kGood;
    const OutputRange results = outputs_of_entry(record.kind, record.aux).results;
    if (!results.has(results_) && results_ > 1)
        return fault("more than one result of a hypercall that is no multicall", count_of(results),
                     std::to_string(results_));
    if (results_ == 1 && last_result_ != record.aux)
        return fault("result of another hypercall", std::to_string(record.aux), std::to_string(last_result_));
    if (!results.has(results_))
        return fault("a hypercall that is always answered from the log has no result",
                     count_of(results) + " result", "none");
    return kGood;
}

std::optional<OrderFault> OrderCheck::entry(const Record& record) {
    const bool values = tsc_ + msr_ + cpuid_ != 0;
    const EntryOutputs outputs = outputs_of_entry(record.kind, record.aux);
    const auto name = [&record] { return std::string(entry_kind_name(record.kind)) + " " + hex(record.aux); };
    switch (record.kind) {
        case CASM_ENTRY_PRIVOP:
        case CASM_ENTRY_FORCED_CPUID:
            if (outputs.tsc.has(tsc_) && outputs.msr.has(msr_) && outputs.cpuid.has(cpuid_)) break;
            return fault("the outputs before " + name() + " are not those of this instruction",
                         count_of(outputs.tsc) + " tsc, " + count_of(outputs.msr) + " msr, " +
                             count_of(outputs.cpuid) + " cpuid",
                         std::to_string(tsc_) + " tsc, " + std::to_string(msr_) + " msr, " +
                             std::to_string(cpuid_) + " cpuid");
        case CASM_ENTRY_HYPERCALL:
            if (values) break;
            if (auto bad = hypercall(record)) return bad;
            break;
        default:
            break;  // an exception or a mode switch inside a multicall: the outputs belong to the hypercall's
                    // entry
    }
    // A guest that steps itself through an emulated instruction: Xen raises its trap while it emulates.
    const bool step = values && record.kind == CASM_ENTRY_EXCEPTION && (record.aux & 0xff) == kDebugVector;
    if (values && !step && record.kind != CASM_ENTRY_PRIVOP && record.kind != CASM_ENTRY_FORCED_CPUID)
        return fault("the output of an emulated instruction is followed by another entry",
                     "privop or forced_cpuid", describe(record));
    if ((values && !step) || record.kind == CASM_ENTRY_HYPERCALL) {
        tsc_ = msr_ = cpuid_ = results_ = 0;
        open_call_ = false;
    }
    ++ordinal_;
    last_check_ = record.check;
    return kGood;
}

// The check of an ENTRY has check_bits bits; what lies above them is no hash.
std::optional<OrderFault> OrderCheck::check_width(const Record& record) const {
    if (options_.check_bits >= 16 || record.check >> options_.check_bits == 0) return kGood;
    return fault("an entry's check is wider than the recording's checks",
                 "less than " + hex(std::uint64_t{1} << options_.check_bits), hex(record.check));
}

// At an injection point: no output waits for its entry.
std::optional<OrderFault> OrderCheck::effect(const Record& record) {
    const std::string what(class_name(record.cls));
    if (ordinal_ == 0) return fault(what + " before the first entry: there is no injection point yet");
    if (tsc_ + msr_ + cpuid_ + results_ != 0 || open_call_)
        return fault(what + " between the outputs of an entry and the entry itself");
    // The queue holds a port once, and a bridge writes a place of its page once per exit.
    if (record.cls == CASM_CLS_EVTCHN || record.cls == CASM_CLS_RING) {
        const std::tuple where(record.cls, record.kind, record.aux);
        if (std::find(effects_.begin(), effects_.end(), where) != effects_.end())
            return fault("the same " + what + " twice at one injection point");
        effects_.push_back(where);
        effect_bytes_ += sizeof(casm_rec) + (record.blob.size() + 7) / 8 * 8;
        if (effect_bytes_ > CASM_TRIP_BYTES)
            return fault("more effects at one injection point than a trip has room for",
                         "at most " + std::to_string(CASM_TRIP_BYTES) + " bytes",
                         std::to_string(effect_bytes_));
    }
    return kGood;
}

// A place between two entries. Counts since the entry go up; a point named by state may have the count of the
// one before it.
std::optional<OrderFault> OrderCheck::apoint(const Record& record) {
    if (!options_.counter) return fault("apoint in a recording without a branch counter");
    effects_.clear();
    if (auto bad = effect(record)) return bad;
    const std::uint64_t least = apoint_branches_ + (record.kind == CASM_APOINT_CANONICAL ? 1 : 0);
    if (record.w[0] < least)
        return fault("apoint goes backwards",
                     "at least " + std::to_string(least) + " branches since the entry",
                     std::to_string(record.w[0]));
    apoint_branches_ = record.w[0];
    const unsigned bits = options_.check_bits;
    if (bits != 0) last_check_ = static_cast<std::uint16_t>(record.w[2] >> (64 - bits));
    return kGood;
}

bool OrderCheck::branches_due() const {
    return options_.counter && ordinal_ != 0 && ordinal_ % CASM_BRANCHES_INTERVAL == 0 && !branches_seen_ &&
           (options_.disabled_classes & (1u << CASM_CLS_BRANCHES)) == 0;
}

std::optional<OrderFault> OrderCheck::branches(const Record& record, std::uint8_t before) {
    if (!options_.counter) return fault("branches in a recording without a branch counter");
    if (before != CASM_CLS_ENTRY || ordinal_ % CASM_BRANCHES_INTERVAL != 0)
        return fault("branches anywhere but right behind each " + std::to_string(CASM_BRANCHES_INTERVAL) +
                     "th entry");
    if (record.w[0] < branches_)
        return fault("branches goes backwards", "at least " + std::to_string(branches_),
                     std::to_string(record.w[0]));
    if (record.w[0] < branches_ + apoint_branches_sum_)
        return fault("branches counts less than the apoints since the last one",
                     "at least " + std::to_string(branches_ + apoint_branches_sum_),
                     std::to_string(record.w[0]));
    branches_ = record.w[0];
    apoint_branches_sum_ = 0;
    branches_seen_ = true;
    return kGood;
}

// A digest that is due is taken at the next exit, a few entries later at most.
std::optional<OrderFault> OrderCheck::periodic_digest_due() const {
    if (options_.digest_interval == 0 || (options_.disabled_classes & (1u << CASM_CLS_DIGEST)) != 0)
        return kGood;
    const std::uint64_t latest = last_periodic_ + options_.digest_interval + kEntriesPerTripMax;
    if (ordinal_ <= latest) return kGood;
    return fault("digest (periodic) is missing", "at ordinal " + std::to_string(latest) + " or before",
                 "none");
}

std::optional<OrderFault> OrderCheck::digest(const Record& record) {
    const std::string when(digest_when_name(record.kind));
    if (record.w[0] != ordinal_)
        return fault("digest (" + when + ") for another ordinal", std::to_string(ordinal_),
                     std::to_string(record.w[0]));
    switch (static_cast<casm_digest_when>(record.kind)) {
        case CASM_DIGEST_START:
            return fault("a second digest (start)");  // the first is met in next()
        case CASM_DIGEST_PERIODIC:
            if (auto bad = effect(record)) return bad;
            if (options_.digest_interval == 0)
                return fault("digest (periodic) in a recording without periodic digests");
            if (record.w[0] - last_periodic_ < options_.digest_interval)
                return fault(
                    "digest (periodic) too early",
                    "ordinal " + std::to_string(last_periodic_ + options_.digest_interval) + " or later",
                    "ordinal " + std::to_string(record.w[0]));
            last_periodic_ = record.w[0];
            return kGood;
        case CASM_DIGEST_STOP:
            if (auto bad = effect(record)) return bad;  // taken at an injection point
            final_digest_ = record.kind;
            return kGood;
        case CASM_DIGEST_END:
            final_digest_ = record.kind;
            return kGood;
    }
    return fault("digest of unknown kind " + std::to_string(record.kind));
}

std::optional<OrderFault> OrderCheck::end(const Record& record) {
    ended_ = true;
    if (record.w[0] != ordinal_)
        return fault("END at another ordinal than the log", std::to_string(ordinal_),
                     std::to_string(record.w[0]));
    // A stop is a request of dom0, met at an injection point; the other ends are the guest's own.
    std::string expected;
    if (record.kind != CASM_END_DESTROYED)
        expected = "digest " + std::string(digest_when_name(
                                   record.kind == CASM_END_STOPPED ? CASM_DIGEST_STOP : CASM_DIGEST_END));
    const std::string actual = final_digest_ ? "digest " + std::string(digest_when_name(*final_digest_)) : "";
    if (expected != actual)
        return fault(
            "END (" + std::string(end_reason_name(record.kind)) + ") with the wrong digest before it",
            expected.empty() ? "no digest" : expected, actual.empty() ? "no digest" : actual);
    const unsigned bits = options_.check_bits;
    if (ordinal_ != 0 && bits != 0 && (record.w[1] >> (64 - bits)) != last_check_)
        return fault("END's hash is not the one of the last entry", "hash starting with " + hex(last_check_),
                     hex(record.w[1]));
    return kGood;
}

// A log begins with the initial state.
std::optional<OrderFault> OrderCheck::first_records(const Record& record, std::uint64_t index) {
    if (index == 0) {
        if (record.cls != CASM_CLS_INIT)
            return fault("the log does not start with INIT", "init", std::string(class_name(record.cls)));
        return kGood;
    }
    if (record.cls != CASM_CLS_DIGEST || record.kind != CASM_DIGEST_START)
        return fault("INIT is not followed by digest (start)", "digest start",
                     std::string(class_name(record.cls)));
    if (record.w[0] != 0) return fault("digest (start) at another ordinal", "0", std::to_string(record.w[0]));
    return kGood;
}

std::optional<OrderFault> OrderCheck::next(const Record& record) {
    const std::uint64_t index = records_++;
    const std::uint8_t before = before_;
    before_ = record.cls;
    if (record.cls != CASM_CLS_EVTCHN && record.cls != CASM_CLS_RING) effect_bytes_ = 0;
    if (ended_) return fault("a record after END");
    if (index < 2) return against(Condition::kC1, first_records(record, index));
    if (final_digest_ && record.cls != CASM_CLS_END)
        return fault("digest (end) is not followed by END", "end", std::string(class_name(record.cls)));
    if (before == CASM_CLS_OUTMEM && record.cls == CASM_CLS_ENTRY)
        return against(Condition::kC3, fault("memory outputs of a hypercall without its result",
                                             "outmem or result", "entry " + describe(record)));
    switch (static_cast<casm_class>(record.cls)) {
        case CASM_CLS_ENTRY:
            effects_.clear();
            if (branches_due())
                return against(Condition::kC6,
                               fault("branches is missing", "branches", "entry " + describe(record)));
            apoint_branches_sum_ += apoint_branches_;
            apoint_branches_ = 0;
            branches_seen_ = false;
            if (auto late = periodic_digest_due()) return against(Condition::kC6, std::move(late));
            if (auto wide = check_width(record)) return against(Condition::kC6, std::move(wide));
            return against(Condition::kC3, entry(record));
        case CASM_CLS_TSC:
        case CASM_CLS_MSR:
        case CASM_CLS_CPUID:
            return against(Condition::kC3, value(record));
        case CASM_CLS_RESULT:
        case CASM_CLS_OUTMEM:
            return against(Condition::kC3, call_output(record));
        case CASM_CLS_EVTCHN:
        case CASM_CLS_RING:
            return effect(record);
        case CASM_CLS_INIT:
            return against(Condition::kC1, fault("a second INIT"));
        case CASM_CLS_DIGEST:
            return against(Condition::kC6, digest(record));
        case CASM_CLS_END:
            return against(Condition::kC6, end(record));
        case CASM_CLS_APOINT:
            return against(Condition::kC4, apoint(record));
        case CASM_CLS_BRANCHES:
            return against(Condition::kC6, branches(record, before));
        case CASM_CLS_CONSOLE:
            return fault("a record of class console is never stored in a log");
    }
    return fault("a record of unknown class " + std::to_string(record.cls));
}

std::optional<OrderFault> OrderCheck::finish() const {
    if (records_ == 0) return against(Condition::kC1, fault("the log has no records"));
    if (!ended_) return fault("the log does not end with END", "end", std::string(class_name(before_)));
    return kGood;
}

}  // namespace casmotion
