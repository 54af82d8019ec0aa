// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/session_report.h"

#include "base/host_text.h"
#include "casmotion/taxonomy.h"
#include "report/point_divergence.h"
#include "report/status_report.h"

namespace casmotion {

std::string_view name_of(ReplayEnd end) {
    switch (end) {
        case ReplayEnd::kEqual:
            return "equal";
        case ReplayEnd::kDiverged:
            return "diverged";
        case ReplayEnd::kLogRanOut:
            return "log-ran-out";
        case ReplayEnd::kInterrupted:
            return "interrupted";
        case ReplayEnd::kStalled:
            return "stalled";
        case ReplayEnd::kVanished:
            return "vanished";
    }
    return "unknown";
}

std::string_view name_of(RecordEnd end) {
    switch (end) {
        case RecordEnd::kGuest:
            return "guest";
        case RecordEnd::kInterrupt:
            return "interrupt";
        case RecordEnd::kDuration:
            return "duration";
        case RecordEnd::kLogSize:
            return "log-size";
        case RecordEnd::kVanished:
            return "vanished";
    }
    return "unknown";
}

std::string to_text(const RecordReport& report) {
    const std::string who = "guest '" + printable(report.guest_name) + "' ";
    std::string what;
    if (report.closed) {
        what = who + end_text(report.summary.end_reason, report.summary.end_code);
    } else if (report.outcome.end == RecordEnd::kVanished) {
        what = who + "was destroyed before its recording could be ended";
    } else {
        what = who + "did not come to a point where its recording could be ended";
    }
    return "record: " + what + ": " + with_thousands(report.summary.ordinals) + " entries, " +
           with_thousands(report.summary.records) + " records, " + seconds_text(report.outcome.duration_ns) +
           ", log " + report.log_path + " (" + size_text(report.summary.events_bytes) + " of events)" +
           (report.outcome.longest_wait_ns != 0
                ? ", events waited " + seconds_text(report.outcome.longest_wait_ns) +
                      " or more for the guest to enter Xen"
                : "") +
           (report.domain_left && report.outcome.end != RecordEnd::kVanished
                ? ", domain " + std::to_string(report.domain.value) + " left"
                : "");
}

std::vector<std::string> measured_lines(const char* command, const casm_status& status) {
    std::vector<std::string> out;
    const std::string head = std::string(command) + ": ";
    if (const std::string delays = delays_text(status); !delays.empty())
        out.push_back(head + "effects waited for their point: " + delays);
    if (const std::string points = apoints_text(status.apoints); !points.empty())
        out.push_back(head + "points between entries: " + points);
    return out;
}

Status verdict_of(const RecordReport& report) {
    if (report.closed) return {};
    return log_invalid("the log " + report.log_path + " is incomplete: it holds " +
                       with_thousands(report.summary.records) +
                       " records and no end (it can be replayed as far as it goes)");
}

Json to_json(const RecordReport& report) {
    Json out;
    out["log"] = report.log_path;
    out["closed"] = report.closed;
    out["guest"] = report.guest_name;
    out["domid"] = report.domain.value;
    out["domain_left"] = report.domain_left;
    out["ended_by"] = std::string(name_of(report.outcome.end));
    out["end_reason"] = std::string(end_reason_name(report.summary.end_reason));
    out["end_code"] = report.summary.end_code;
    out["entries"] = report.summary.ordinals;
    out["records"] = report.summary.records;
    Json classes = Json::object();
    for (const ClassInfo& info : kClasses) {
        if (info.timing == Timing::kReport) continue;
        classes[std::string(info.name)] = report.summary.class_records[info.id];
    }
    out["class_records"] = classes;
    out["events_bytes"] = report.summary.events_bytes;
    out["ring_bytes"] = report.summary.ring_bytes;
    out["duration_ns"] = report.outcome.duration_ns;
    out["daemon_drains"] = report.outcome.drains;
    out["daemon_kicks"] = report.outcome.kicks;
    out["longest_wait_ns"] = report.outcome.longest_wait_ns;
    out["xen"] = report.outcome.status_known ? to_json(report.outcome.status) : Json();
    return out;
}

std::string to_line(const ReplayReport& report, const LogReader& reader) {
    const casm_status& status = report.outcome.status;
    const std::string counts = with_thousands(status.ordinal) + " entries, " +
                               with_thousands(status.records) + " records, " +
                               with_thousands(status.logged[CASM_CLS_DIGEST]) + " digests compared";
    switch (report.outcome.end) {
        case ReplayEnd::kEqual:
            return "replay: equal: " + counts;
        case ReplayEnd::kDiverged:
            return "replay: diverged: " + counts;
        case ReplayEnd::kLogRanOut:
            return "replay: equal as far as the log goes: " + counts +
                   (reader.torn_tail() ? "; the log was cut: " + reader.torn_tail()->reason : "");
        case ReplayEnd::kInterrupted:
            return "replay: interrupted, equal so far: " + counts;
        case ReplayEnd::kStalled:
            return "replay: no progress any more, equal so far: " + counts + " of " +
                   with_thousands(reader.records()) + " records";
        case ReplayEnd::kVanished:
            return "replay: the domain was destroyed, equal so far: " + counts;
    }
    return "replay: " + counts;
}

Status verdict_of(const ReplayReport& report, const LogReader& reader) {
    switch (report.outcome.end) {
        case ReplayEnd::kEqual:
            return {};
        case ReplayEnd::kDiverged:
            return {Category::kRefuted, "the replay of " + reader.name() +
                                            (is_counter_fault(report.outcome.status.divergence)
                                                 ? " met a counter fault at record "
                                                 : " diverged at record ") +
                                            with_thousands(report.outcome.status.divergence.record)};
        case ReplayEnd::kLogRanOut:
            return log_invalid(reader.name() +
                               " is incomplete: the replay is equal to its last record, which is no end");
        case ReplayEnd::kInterrupted:
            return {Category::kInconclusive, "the replay was interrupted"};
        case ReplayEnd::kStalled:
            return {Category::kInconclusive, "the replay made no progress at record " +
                                                 with_thousands(report.outcome.status.records) +
                                                 " (--stall-timeout sets how long to wait)"};
        case ReplayEnd::kVanished:
            return {Category::kInconclusive, "somebody destroyed the replay's domain"};
    }
    return {};
}

Json to_json(const ReplayReport& report, const LogReader& reader,
             const std::optional<DivergenceReport>& divergence) {
    const casm_status& status = report.outcome.status;
    Json out;
    out["log"] = reader.name();
    out["result"] = std::string(name_of(report.outcome.end));
    out["entries"] = status.ordinal;
    out["records"] = status.records;
    out["digests_compared"] = status.logged[CASM_CLS_DIGEST];
    out["divergences"] = report.outcome.end == ReplayEnd::kDiverged ? 1 : 0;
    out["duration_ns"] = report.outcome.duration_ns;
    out["console_bytes"] = report.outcome.console_bytes;
    out["domid"] = report.domain.value;
    out["domain_left"] = report.domain_left;
    out["host_differences"] = report.host_differences;
    out["divergence"] = divergence ? to_json(*divergence) : Json();
    out["xen"] = to_json(status);
    return out;
}

}  // namespace casmotion
