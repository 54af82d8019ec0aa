// SPDX-License-Identifier: GPL-2.0-or-later
#include "conditions.h"

#include <algorithm>

#include "casmotion/cpu_policy.h"
#include "casmotion/taxonomy.h"

namespace casmotion::trace {

namespace {

constexpr std::uint64_t kPageBytes = 4096;

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

std::string list(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

void refute(ConditionResult& result, std::string reason, std::string expected = {}, std::string actual = {}) {
    if (result.verdict == Verdict::kRefuted) return;
    result.verdict = Verdict::kRefuted;
    result.reason = std::move(reason);
    result.expected = std::move(expected);
    result.actual = std::move(actual);
}

void cannot_tell(ConditionResult& result, std::string reason) {
    if (result.verdict != Verdict::kHolds) return;
    result.verdict = Verdict::kCannotTell;
    result.reason = std::move(reason);
}

// C1: is there all that the initial state is built from, and all that it is compared with?
void judge_start(ConditionResult& c1, const Manifest& manifest, const Facts& facts) {
    const bool kernel = manifest.kernel.size_bytes != 0 && manifest.kernel.sha256 != Sha256{};
    if (!kernel) refute(c1, "the manifest does not say which kernel the guest booted");
    if (manifest.ramdisk && manifest.ramdisk->sha256 == Sha256{})
        refute(c1, "the manifest does not say which ramdisk the guest booted");
    if (manifest.guest.config_json.empty())
        refute(c1, "the manifest has no configuration to build the guest from");
    if (manifest.guest.vcpus != 1)
        refute(c1, "the log is of a guest with several vCPUs", "1", number(manifest.guest.vcpus));
    if (facts.init_bytes && *facts.init_bytes != kPageBytes)
        refute(c1, "init does not cover shared_info", number(kPageBytes) + " bytes from offset 0",
               number(*facts.init_bytes) + " bytes");
    const std::uint64_t ram = manifest.guest.memory_kib / 4;
    if (facts.start_frames && (*facts.start_frames < ram || *facts.start_frames > manifest.pool_frames))
        refute(c1, "digest (start) does not cover the guest's memory",
               number(ram) + " to " + number(manifest.pool_frames) + " frames",
               number(*facts.start_frames) + " frames");
    if (c1.verdict == Verdict::kHolds)
        c1.reason = "kernel" + std::string(manifest.ramdisk ? ", ramdisk" : "") +
                    ", configuration and shared_info are named or logged, and digest (start) covers " +
                    number(facts.start_frames.value_or(0)) +
                    " frames; a replay compares it before the first instruction";
}

// C2: what else could the guest read?
void judge_hidden(ConditionResult& c2, const Manifest& manifest) {
    std::vector<std::string> off;
    for (const ClassInfo& info : kClasses)
        if ((manifest.options.disabled_classes >> info.id & 1) != 0) off.emplace_back(info.name);
    if (!off.empty()) {
        refute(c2, "recorded with --disable-class: these took effect and were not logged: " + list(off),
               "none", list(off));
        c2.cls = off.front();
        return;
    }
    std::vector<std::string> untold;
    if (manifest.abi_version > CASM_ABI_VERSION)
        untold.push_back("the hypervisor had interface " + number(manifest.abi_version) +
                         ", this program knows " + number(CASM_ABI_VERSION) +
                         ": there may be classes of events it has never heard of");
    if (manifest.xen.version.empty())
        untold.emplace_back("the log does not say which hypervisor removed the hidden inputs");
    const CpuPolicy& policy = manifest.cpu.policy;
    if (policy.leaves.empty())
        untold.emplace_back(
            "the log has no CPU policy: whether the guest saw instructions such as RDRAND is not known");
    const auto visible = feature_names(hidden_inputs(feature_words(policy)));
    if (!visible.empty())
        untold.push_back("the guest could see instructions that read something unlogged and do not trap: " +
                         list(visible) + " ('record' hides them unless --allow-hidden keeps them)");
    const std::string cpu = "CPU " + number(manifest.cpu.physical.cpu);
    if ((manifest.cpu.isolation & CASM_ISOLATE_CPUID) == 0)
        untold.push_back("plain CPUID did not trap: the guest could see " + cpu +
                         " of the host and what it can do, whatever its CPU policy says");
    if ((manifest.cpu.isolation & CASM_ISOLATE_DESCRIPTORS) == 0)
        untold.push_back(
            "SIDT, SGDT, SLDT, STR and SMSW did not trap: the guest could see addresses of Xen on " + cpu);
    if (!untold.empty()) {
        std::string reason;
        for (const std::string& each : untold) reason += (reason.empty() ? "" : "; ") + each;
        cannot_tell(c2, reason + "; --replay decides");
    }
    if (c2.verdict == Verdict::kHolds)
        c2.reason = "every class was logged, by Xen " + manifest.xen.version + " with interface " +
                    number(manifest.abi_version) + "; the guest's CPU policy (" +
                    number(policy.leaves.size()) +
                    " rows) shows no instruction with a hidden input; CPUID and the instructions that read "
                    "descriptor registers do not show it the physical CPU";
}

// C6: is there something to compare, everywhere?
void judge_checks(ConditionResult& c6, const Manifest& manifest, const Facts& facts, std::uint64_t entries) {
    if (manifest.options.check_bits == 0)
        cannot_tell(c6, "no bits of the register hash were recorded with the entries");
    if (c6.verdict != Verdict::kHolds) return;
    c6.reason = number(manifest.options.check_bits) + " bits of the running register hash at each of " +
                number(entries) + " entries, all 64 at the end; " + number(facts.periodic_digests) +
                " digests between start and end, " +
                (facts.final_digest ? "one at the end" : "none at the end (destroyed)");
    if (manifest.options.counter != 0) c6.reason += "; " + number(facts.branch_checks) + " branch counts";
}

// Faults in the order of records, in values, in counts: each goes to the condition that it contradicts.
void judge_records(std::array<ConditionResult, 6>& conditions, const TraceReport& report) {
    const auto at = [&](Condition condition) -> ConditionResult& {
        return conditions[static_cast<std::size_t>(condition)];
    };
    for (const CheckResult& check : report.log.checks) {
        if (check.verdict != Verdict::kRefuted || check.check == "integrity") continue;
        if (check.check == "completeness") continue;  // by class, below
        Condition condition = Condition::kC5;
        for (const Condition each : kConditions)
            if (check.condition == name_of(each)) condition = each;
        if (check.check == "fields")
            if (const ClassInfo* info = find_class(std::string_view(check.cls)))
                condition = condition_of_class(info->id);
        ConditionResult& result = at(condition);
        if (result.verdict == Verdict::kRefuted && result.record && check.record &&
            *result.record <= *check.record)
            continue;
        result.verdict = Verdict::kHolds;  // the first record at fault is the one to report
        refute(result, check.reason, check.expected, check.actual);
        result.record = check.record;
        result.ordinal = check.ordinal;
        result.cls = check.cls;
    }
    for (const ClassInfo& info : kClasses) {
        const ClassCount& count = report.log.classes[info.id];
        if (!count.applied || *count.applied == count.logged) continue;
        ConditionResult& result = at(condition_of_class(info.id));
        const bool first = result.verdict != Verdict::kRefuted;
        refute(result,
               "class " + std::string(info.name) + ": " + number(*count.applied) +
                   " took effect, as END says, " + number(count.logged) + " are in the log",
               number(*count.applied), number(count.logged));
        if (first) {
            result.cls = info.name;
            if (report.log.records != 0) result.record = report.log.records - 1;  // END
        }
    }
    // Behind a record that is out of place nothing can be related to its entry any more.
    for (const CheckResult& check : report.log.checks)
        if (check.check == "order" && check.verdict == Verdict::kRefuted)
            for (const Condition each : {Condition::kC3, Condition::kC4, Condition::kC5, Condition::kC6})
                cannot_tell(at(each),
                            check.record ? "record " + number(*check.record) +
                                               " is out of place: what follows cannot be related to its entry"
                                         : "the log has no end");
}

}  // namespace

void Facts::add(const Record& record) {
    switch (static_cast<casm_class>(record.cls)) {
        case CASM_CLS_INIT:
            if (!init_bytes) init_bytes = record.aux == 0 ? record.blob.size() : 0;
            break;
        case CASM_CLS_DIGEST:
            if (record.kind == CASM_DIGEST_START && !start_frames) start_frames = record.w[1];
            if (record.kind == CASM_DIGEST_PERIODIC) ++periodic_digests;
            if (record.kind == CASM_DIGEST_END || record.kind == CASM_DIGEST_STOP) final_digest = true;
            break;
        case CASM_CLS_EVTCHN:
        case CASM_CLS_RING:
            ++effects;
            break;
        case CASM_CLS_BRANCHES:
            ++branch_checks;
            break;
        case CASM_CLS_END:
            end_reason = record.kind;
            break;
        case CASM_CLS_ENTRY:
        case CASM_CLS_TSC:
        case CASM_CLS_MSR:
        case CASM_CLS_CPUID:
        case CASM_CLS_RESULT:
        case CASM_CLS_OUTMEM:
        case CASM_CLS_APOINT:
        case CASM_CLS_CONSOLE:
            break;
    }
}

Condition condition_of_class(std::uint8_t cls) {
    const ClassInfo* info = find_class(cls);
    if (info == nullptr) return Condition::kC5;
    switch (info->timing) {
        case Timing::kSync:
            return Condition::kC3;
        case Timing::kAsync:
            return Condition::kC5;
        case Timing::kCheck:
            return Condition::kC6;
        case Timing::kPoint:
            return Condition::kC4;
        case Timing::kMeta:
            return cls == CASM_CLS_INIT ? Condition::kC1 : Condition::kC6;
        case Timing::kReport:
            return Condition::kC5;
    }
    return Condition::kC5;
}

std::array<ConditionResult, 6> judge(const LogReader& reader, const TraceReport& report, const Facts& facts) {
    std::array<ConditionResult, 6> conditions;
    for (const Condition each : kConditions) conditions[static_cast<std::size_t>(each)].condition = each;
    auto& [c1, c2, c3, c4, c5, c6] = conditions;

    judge_records(conditions, report);
    judge_start(c1, reader.manifest(), facts);
    judge_hidden(c2, reader.manifest());

    // A log of which a part is missing holds nothing but its beginning.
    for (const CheckResult& check : report.log.checks)
        if (check.check == "integrity" && check.verdict != Verdict::kHolds)
            for (ConditionResult* each : {&c3, &c4, &c5, &c6})
                cannot_tell(*each, "the log is not whole: " + check.reason);
    if (report.log.records < 2) cannot_tell(c1, "the log ends before digest (start)");

    std::uint64_t outputs = 0;
    for (const ClassInfo& info : kClasses)
        if (info.timing == Timing::kSync) outputs += report.log.classes[info.id].logged;
    if (c3.verdict == Verdict::kHolds)
        c3.reason = number(report.log.ordinals) +
                    " entries have the outputs that their kind asks for, and there are no others (" +
                    number(outputs) + "); Xen counted as many";
    if (report.apoints_by_state != 0)
        cannot_tell(
            c4,
            number(report.apoints_by_state) + " of " + number(report.apoints) +
                " points between entries are named by branch count, RIP and registers, which a loop without "
                "conditional branches could meet twice; --replay compares the register hash at each");
    if (c4.verdict == Verdict::kHolds)
        c4.reason = number(report.log.ordinals) + " points at entries are named by their ordinal, " +
                    number(report.apoints) +
                    " between entries by ordinal and branch count; both strictly increase";
    if (c5.verdict == Verdict::kHolds)
        c5.reason = "the " + number(facts.effects) +
                    " effects are at injection points, none twice at one of them; Xen counted as many";
    judge_checks(c6, reader.manifest(), facts, report.log.ordinals);
    return conditions;
}

}  // namespace casmotion::trace
