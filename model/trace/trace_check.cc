// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/trace/trace_check.h"

#include "conditions.h"
#include "explanation.h"
#include "timeline.h"

namespace casmotion {

namespace {

constexpr std::size_t kAPointRowsMax = 1000;

std::uint64_t entries_of(const LogReader& reader) {
    if (reader.chunks().empty()) return 0;
    const ChunkInfo& last = reader.chunks().back();
    return last.first_ordinal + last.ordinals;
}

void add_apoint(TraceReport& report, const Record& record, std::uint64_t index, std::uint64_t ordinal) {
    ++report.apoints;
    const bool canonical = record.kind == CASM_APOINT_CANONICAL;
    if (!canonical) ++report.apoints_by_state;
    if (report.first_apoints.size() < kAPointRowsMax)
        report.first_apoints.push_back({index, ordinal, record.w[0], record.w[1], canonical});
}

}  // namespace

TraceReport check_trace(LogReader& reader, const TraceOptions& options) {
    TraceReport report;
    trace::Facts facts;
    trace::TimelineBuilder timeline(entries_of(reader));
    static_cast<void>(options);
    report.log = check_log(reader, [&](const Record& record, RecordIndex index, SyncOrdinal ordinal) {
        facts.add(record);
        timeline.add(record, ordinal.value);
        if (record.cls == CASM_CLS_APOINT) add_apoint(report, record, index.value, ordinal.value);
    });
    report.timeline = timeline.take();
    report.conditions = trace::judge(reader, report, facts);

    std::optional<std::uint64_t> out_of_place;
    for (const CheckResult& check : report.log.checks)
        if (check.check == "order" && check.verdict == Verdict::kRefuted) out_of_place = check.record;
    for (ConditionResult& result : report.conditions) {
        if (result.verdict != Verdict::kRefuted || !result.record) continue;
        result.explanation = result.record == out_of_place ? trace::explain_order(reader, *result.record)
                                                           : trace::show_record(reader, *result.record);
    }
    return report;
}

void add_equal_replay(TraceReport& report, std::uint64_t entries, std::uint64_t digests) {
    for (ConditionResult& result : report.conditions) {
        if (result.verdict != Verdict::kCannotTell) continue;
        result.verdict = Verdict::kHolds;
        result.reason = "by replay: equal at " + std::to_string(entries) + " entries and " + std::to_string(digests) +
                        " digests (the log alone: " + result.reason + ")";
    }
}

}  // namespace casmotion
