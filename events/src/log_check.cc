// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/log_check.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "casmotion/order_check.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"

namespace casmotion {

namespace {

using Counters = std::array<std::uint64_t, CASM_CLASSES_MAX>;

CheckResult held(const char* check, const char* condition, std::string reason) {
    CheckResult result;
    result.check = check;
    result.condition = condition;
    result.reason = std::move(reason);
    return result;
}

// Turns `result` into "no", unless it already is: the first record at fault is the one to report.
void refute(CheckResult& result, const Record* record, std::uint64_t index, std::uint64_t ordinal,
            std::string reason, std::string expected = {}, std::string actual = {}) {
    if (result.verdict == Verdict::kRefuted) return;
    result.verdict = Verdict::kRefuted;
    result.record = index;
    result.ordinal = ordinal;
    if (record != nullptr) result.cls = class_name(record->cls);
    result.reason = std::move(reason);
    result.expected = std::move(expected);
    result.actual = std::move(actual);
}

void cannot_tell(CheckResult& result, std::string reason) {
    if (result.verdict != Verdict::kHolds) return;
    result.verdict = Verdict::kCannotTell;
    result.reason = std::move(reason);
}

// END's counters, if it is of the right shape.
std::optional<Counters> applied_of(const Record& end) {
    Counters counters;
    if (end.blob.size() != sizeof(counters)) return std::nullopt;
    std::memcpy(counters.data(), end.blob.data(), sizeof(counters));
    return counters;
}

// Classes that the hypervisor counts where the effect takes place. END cannot count itself.
bool is_counted(std::uint8_t cls) {
    return kLayouts[cls].logged && cls != CASM_CLS_END;
}

CheckResult check_completeness(const Counters& logged, const std::optional<Counters>& applied,
                               const std::optional<std::uint64_t>& end_record, const std::string& unread) {
    CheckResult result = held("completeness", "C3", "");
    if (!unread.empty()) {
        cannot_tell(result, unread);
        return result;
    }
    if (!applied) {
        cannot_tell(result, "the log has no END, which counts the effects applied");
        return result;
    }
    std::string wrong;
    for (const ClassInfo& info : kClasses) {
        const std::uint64_t expected = (*applied)[info.id], actual = logged[info.id];
        if (!is_counted(info.id) || expected == actual) continue;
        const std::string line = "class " + std::string(info.name) + ": " + std::to_string(expected) +
                                 " applied, " + std::to_string(actual) + " logged";
        if (wrong.empty()) {
            result.cls = info.name;
            result.expected = std::to_string(expected);
            result.actual = std::to_string(actual);
        }
        wrong += (wrong.empty() ? "" : "; ") + line;
    }
    for (std::uint8_t id = 0; id < CASM_CLASSES_MAX; ++id)
        if (!kLayouts[id].known && (*applied)[id] != 0)
            wrong += (wrong.empty() ? "" : "; ") + ("effects of the unknown class " + std::to_string(id));
    if (!wrong.empty()) {
        result.verdict = Verdict::kRefuted;
        result.record = end_record;
        result.reason = wrong;
    } else {
        result.reason = "every class has as many records as effects were applied";
    }
    return result;
}

// Does the summary say of the records what they are? Empty if so, else what is wrong.
std::string check_summary(const LogReader& reader, const Counters& logged, const Record& last) {
    const auto& summary = reader.summary();
    if (!summary) return {};
    for (const ClassInfo& info : kClasses)
        if (summary->class_records[info.id] != logged[info.id])
            return "the summary says " + std::to_string(summary->class_records[info.id]) +
                   " records of class " + std::string(info.name) + ", there are " +
                   std::to_string(logged[info.id]);
    if (last.cls == CASM_CLS_END && (summary->end_reason != last.kind || summary->end_code != last.aux))
        return "the summary says that the recording ended with reason " +
               std::to_string(summary->end_reason) + " and code " + std::to_string(summary->end_code) +
               ", END says " + std::to_string(last.kind) + " and " + std::to_string(last.aux);
    return {};
}

}  // namespace

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::kHolds:
            return "holds";
        case Verdict::kRefuted:
            return "refuted";
        case Verdict::kCannotTell:
            return "cannot be told";
    }
    std::abort();
}

LogReport check_log(LogReader& reader, const RecordObserver& observe) {
    LogReport report;
    report.log = reader.name();
    CheckResult integrity = held("integrity", "", "all checksums, counts and content digests are right");
    CheckResult fields = held("fields", "", "all values are in range");
    CheckResult order = held("order", "C5", "every record is where the hypervisor can produce it");

    OrderCheck order_check(reader.manifest().options);
    Counters logged{};
    std::optional<Counters> applied;
    std::optional<std::uint64_t> end_record;
    Record record;
    Status read = reader.seek({0});
    while (read.ok()) {
        const std::uint64_t index = reader.position().value, ordinal = reader.ordinal().value;
        const Result<bool> more = reader.next_unchecked(record);
        read = more.status();
        if (!read.ok() || !*more) break;
        ++logged[record.cls];
        if (observe) observe(record, {index}, {ordinal});
        if (const Status status = check_fields(record); !status.ok())
            refute(fields, &record, index, ordinal, status.message());
        if (order.verdict == Verdict::kHolds)
            if (const auto bad = order_check.next(record)) {
                refute(order, &record, index, ordinal, bad->reason, bad->expected, bad->actual);
                order.condition = name_of(bad->condition);
            }
        if (record.cls == CASM_CLS_END) {
            applied = applied_of(record);
            end_record = index;
        }
    }
    report.records = reader.position().value;
    report.ordinals = reader.ordinal().value;

    std::string unread;  // why the end of the log is not known
    if (!read.ok()) {
        refute(integrity, nullptr, report.records, report.ordinals, read.message());
        unread = "the log is damaged before its end";
    } else if (const auto& torn = reader.torn_tail()) {
        unread = torn->dropped_bytes != 0
                     ? "the log was cut behind record " + std::to_string(report.records) + ": " +
                           std::to_string(torn->dropped_bytes) + " bytes dropped from offset " +
                           std::to_string(torn->offset) + " of 'events' on (" + torn->reason + ")"
                     : "the recording was not closed";
        cannot_tell(integrity, unread);
    } else if (const std::string wrong = check_summary(reader, logged, record); !wrong.empty()) {
        refute(integrity, nullptr, report.records, report.ordinals, wrong);
    }
    if (!unread.empty()) {
        cannot_tell(fields, unread);
        cannot_tell(order, unread);
    } else if (order.verdict == Verdict::kHolds) {
        if (const auto bad = order_check.finish()) {
            refute(order, nullptr, report.records, report.ordinals, bad->reason, bad->expected, bad->actual);
            order.condition = name_of(bad->condition);
        }
    }

    for (std::size_t cls = 0; cls < logged.size(); ++cls) {
        report.classes[cls].logged = logged[cls];
        if (applied && is_counted(static_cast<std::uint8_t>(cls)))
            report.classes[cls].applied = (*applied)[cls];
    }
    CheckResult completeness = check_completeness(logged, applied, end_record, unread);
    report.checks = {std::move(integrity), std::move(fields), std::move(order), std::move(completeness)};
    return report;
}

Status LogReport::verdict() const {
    const CheckResult* refuted = nullptr;
    const CheckResult* unknown = nullptr;
    for (const CheckResult& result : checks) {
        if (result.verdict == Verdict::kHolds) continue;
        if (result.check == "integrity") return log_invalid("log '" + log + "': " + result.reason);
        const CheckResult*& first = result.verdict == Verdict::kRefuted ? refuted : unknown;
        if (first == nullptr) first = &result;
    }
    if (refuted != nullptr) {
        std::string where = refuted->record ? " at record " + std::to_string(*refuted->record) : "";
        std::string cls = refuted->cls.empty() ? "" : " (" + refuted->cls + ")";
        std::string values = refuted->expected.empty() && refuted->actual.empty()
                                 ? ""
                                 : ": expected " + refuted->expected + ", actual " + refuted->actual;
        if (refuted->check == "completeness") values.clear();  // the reason has them already
        return {Category::kRefuted, "log '" + log + "': " + refuted->check + " refuted" + where + cls + ": " +
                                        refuted->reason + values};
    }
    if (unknown != nullptr)
        return {Category::kInconclusive,
                "log '" + log + "': " + unknown->check + " cannot be told: " + unknown->reason};
    return {};
}

std::string to_text(const LogReport& report) {
    std::string text;
    char line[160];
    for (const CheckResult& result : report.checks) {
        std::snprintf(line, sizeof(line), "%-13s %-15s ", result.check.c_str(),
                      std::string(name_of(result.verdict)).c_str());
        text += line;
        if (result.record && result.verdict == Verdict::kRefuted) {
            text += "record " + std::to_string(*result.record);
            if (result.ordinal) text += " @" + std::to_string(*result.ordinal);
            if (!result.cls.empty()) text += " (" + result.cls + ")";
            text += ": ";
        }
        text += result.reason;
        if (result.check != "completeness" && (!result.expected.empty() || !result.actual.empty()))
            text += ": expected " + result.expected + ", actual " + result.actual;
        text += '\n';
    }
    std::snprintf(line, sizeof(line), "%-13s %12s %12s\n", "class", "applied", "logged");
    text += line;
    for (const ClassInfo& info : kClasses) {
        if (!kLayouts[info.id].logged) continue;
        const ClassCount& count = report.classes[info.id];
        const std::string applied = count.applied ? std::to_string(*count.applied) : "-";
        std::snprintf(line, sizeof(line), "%-13s %12s %12" PRIu64 "\n", std::string(info.name).c_str(),
                      applied.c_str(), count.logged);
        text += line;
    }
    const Status verdict = report.verdict();
    text += verdict.ok() ? "all checks hold\n" : verdict.message() + "\n";
    return text;
}

std::string to_json(const LogReport& report) {
    using nlohmann::ordered_json;
    ordered_json out;
    out["log"] = report.log;
    const Status verdict = report.verdict();
    out["verdict"] = verdict.ok() ? "holds" : std::string(name_of(verdict.category()));
    out["exit_code"] = verdict.exit_code();
    if (!verdict.ok()) out["message"] = verdict.message();
    out["records"] = report.records;
    out["ordinals"] = report.ordinals;
    for (const CheckResult& result : report.checks) {
        ordered_json row;
        row["check"] = result.check;
        if (!result.condition.empty()) row["condition"] = result.condition;
        row["verdict"] = name_of(result.verdict);
        if (result.record) row["record"] = *result.record;
        if (result.ordinal) row["ordinal"] = *result.ordinal;
        if (!result.cls.empty()) row["class"] = result.cls;
        row["reason"] = result.reason;
        if (!result.expected.empty()) row["expected"] = result.expected;
        if (!result.actual.empty()) row["actual"] = result.actual;
        out["checks"].push_back(std::move(row));
    }
    for (const ClassInfo& info : kClasses) {
        if (!kLayouts[info.id].logged) continue;
        ordered_json row;
        row["class"] = info.name;
        row["logged"] = report.classes[info.id].logged;
        if (report.classes[info.id].applied) row["applied"] = *report.classes[info.id].applied;
        out["classes"].push_back(std::move(row));
    }
    // Paths may hold any bytes; JSON may not.
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace casmotion
