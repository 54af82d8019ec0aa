// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/trace/trace_check.h"

#include <string>
#include <unordered_map>
#include <utility>

#include "conditions.h"
#include "explanation.h"
#include "timeline.h"
#include "window_query.h"

namespace casmotion {

class WindowAnswers {
  public:
    explicit WindowAnswers(std::uint32_t rlimit) : query(rlimit) {}

    const trace::WindowAnswer& of(const std::vector<trace::Symbol>& shape) {
        std::string key(reinterpret_cast<const char*>(shape.data()), shape.size() * sizeof(trace::Symbol));
        const auto known = known_.find(key);
        if (known != known_.end()) return known->second;
        return known_.emplace(std::move(key), query.ask(shape)).first->second;
    }

    trace::WindowQuery query;

  private:
    std::unordered_map<std::string, trace::WindowAnswer> known_;
};

std::shared_ptr<WindowAnswers> make_window_answers(std::uint32_t rlimit_per_query) {
    return std::make_shared<WindowAnswers>(rlimit_per_query);
}

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

// Puts each shape to the solver, in the order in which they occur, and adds what does not hold to the
// conditions.
void ask_solver(TraceReport& report, const trace::WindowCollector& collector, const TraceOptions& options) {
    const std::shared_ptr<WindowAnswers> answers =
        options.answers ? options.answers : make_window_answers(options.rlimit_per_query);
    const auto add = [&report](Condition condition, Verdict verdict, const std::string& reason,
                               std::optional<std::uint64_t> record, std::optional<std::uint64_t> ordinal) {
        ConditionResult& result = report.conditions[static_cast<std::size_t>(condition)];
        // What the direct checks said is as good and names the record at fault.
        if (result.verdict == Verdict::kRefuted ||
            (result.verdict == verdict && verdict == Verdict::kCannotTell))
            return;
        result.verdict = verdict;
        result.reason = reason;
        if (verdict != Verdict::kRefuted) return;
        result.record = record;
        result.ordinal = ordinal;
    };
    for (const trace::ShapeUse& use : collector.shapes()) {
        const trace::WindowAnswer& answer = answers->of(use.shape);
        if (answer.verdict == Verdict::kHolds) continue;
        add(answer.condition, answer.verdict, answer.reason, use.first_record, use.first_ordinal);
    }
    if (!collector.complete())
        add(Condition::kC5, Verdict::kCannotTell,
            "the log has more than " + std::to_string(options.shapes_max) +
                " different trips through Xen; not all were put to the solver",
            std::nullopt, std::nullopt);
    report.queries = {.windows = collector.windows(),
                      .shapes = collector.shapes().size(),
                      .queries = answers->query.queries(),
                      .steps = answers->query.steps()};
}

}  // namespace

TraceReport check_trace(LogReader& reader, const TraceOptions& options) {
    TraceReport report;
    trace::Facts facts;
    trace::TimelineBuilder timeline(entries_of(reader));
    trace::WindowCollector windows(options.shapes_max);
    report.log = check_log(reader, [&](const Record& record, RecordIndex index, SyncOrdinal ordinal) {
        facts.add(record);
        timeline.add(record, ordinal.value);
        if (options.queries) windows.add(record, index.value, ordinal.value);
        if (record.cls == CASM_CLS_APOINT) add_apoint(report, record, index.value, ordinal.value);
    });
    report.timeline = timeline.take();
    windows.finish();
    const CpuIdentity& cpu = reader.manifest().cpu;
    report.isolation = cpu.isolation;
    report.physical = cpu.physical;
    report.hidden_inputs = feature_names(hidden_inputs(feature_words(cpu.policy)));
    report.conditions = trace::judge(reader, report, facts);

    std::optional<std::uint64_t> out_of_place;
    bool in_order = true;
    for (const CheckResult& check : report.log.checks) {
        if (check.check != "order" || check.verdict == Verdict::kHolds) continue;
        in_order = false;
        if (check.verdict == Verdict::kRefuted) out_of_place = check.record;
    }
    // Records out of order are no windows.
    if (options.queries && in_order) ask_solver(report, windows, options);
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
        result.reason = "by replay: equal at " + std::to_string(entries) + " entries and " +
                        std::to_string(digests) + " digests (the log alone: " + result.reason + ")";
    }
}

}  // namespace casmotion
