// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <nlohmann/json.hpp>

#include "casmotion/trace/trace_report.h"

namespace casmotion {

namespace {

std::string place_of(const ConditionResult& result) {
    if (!result.record) return "";
    std::string text = "record " + std::to_string(*result.record);
    if (result.ordinal) text += " @" + std::to_string(*result.ordinal);
    if (!result.cls.empty()) text += " (" + result.cls + ")";
    return text;
}

std::string values_of(const ConditionResult& result) {
    if (result.verdict != Verdict::kRefuted || (result.expected.empty() && result.actual.empty())) return "";
    return ": expected " + result.expected + ", actual " + result.actual;
}

}  // namespace

Status TraceReport::verdict() const {
    const Status of_log = log.verdict();
    if (of_log.category() == Category::kLogInvalid) return of_log;
    const ConditionResult* refuted = nullptr;
    const ConditionResult* unknown = nullptr;
    for (const ConditionResult& result : conditions) {
        if (result.verdict == Verdict::kRefuted && refuted == nullptr) refuted = &result;
        if (result.verdict == Verdict::kCannotTell && unknown == nullptr) unknown = &result;
    }
    const auto line = [this](const ConditionResult& result) {
        const std::string place = place_of(result);
        return "log '" + log.log + "': " + std::string(name_of(result.condition)) + " (" +
               std::string(title_of(result.condition)) + ") " + std::string(name_of(result.verdict)) +
               (place.empty() ? "" : " at " + place) + ": " + result.reason + values_of(result);
    };
    if (refuted != nullptr) return {Category::kRefuted, line(*refuted)};
    if (!of_log.ok()) return of_log;
    if (unknown != nullptr) return {Category::kInconclusive, line(*unknown)};
    return {};
}

std::string to_text(const TraceReport& report) {
    std::string text;
    char head[64];
    for (const ConditionResult& result : report.conditions) {
        std::snprintf(head, sizeof(head), "%s %-22s %-15s ", std::string(name_of(result.condition)).c_str(),
                      std::string(title_of(result.condition)).c_str(),
                      std::string(name_of(result.verdict)).c_str());
        const std::string place = result.verdict == Verdict::kRefuted ? place_of(result) : "";
        text += head + (place.empty() ? "" : place + ": ") + result.reason + values_of(result) + "\n";
        for (const std::string& line : result.explanation) text += "     " + line + "\n";
    }
    if (report.queries.windows != 0)
        text += "trace queries: " + std::to_string(report.queries.windows) + " trips through Xen of " +
                std::to_string(report.queries.shapes) + " shapes, " + std::to_string(report.queries.queries) +
                " queries, " + std::to_string(report.queries.steps) + " solver steps\n";
    return text;
}

std::string to_json(const TraceReport& report) {
    using nlohmann::ordered_json;
    ordered_json out;
    out["conditions"] = ordered_json::array();
    for (const ConditionResult& result : report.conditions) {
        ordered_json row;
        row["condition"] = name_of(result.condition);
        row["title"] = title_of(result.condition);
        row["verdict"] = name_of(result.verdict);
        row["reason"] = result.reason;
        if (result.record) row["record"] = *result.record;
        if (result.ordinal) row["ordinal"] = *result.ordinal;
        if (!result.cls.empty()) row["class"] = result.cls;
        if (!result.expected.empty()) row["expected"] = result.expected;
        if (!result.actual.empty()) row["actual"] = result.actual;
        if (!result.explanation.empty()) row["explanation"] = result.explanation;
        out["conditions"].push_back(std::move(row));
    }
    out["time_points"] = {{"entries", report.log.ordinals},
                          {"between_entries", report.apoints},
                          {"named_by_state", report.apoints_by_state}};
    out["processor"] = {{"cpu", report.physical.cpu},
                        {"apic_id", report.physical.apic_id},
                        {"signature", report.physical.signature},
                        {"cpuid_trapped", (report.isolation & CASM_ISOLATE_CPUID) != 0},
                        {"descriptors_constant", (report.isolation & CASM_ISOLATE_DESCRIPTORS) != 0},
                        {"descriptors_trapped", (report.isolation & CASM_ISOLATE_UMIP) != 0},
                        {"hidden_inputs", report.hidden_inputs}};
    out["queries"] = {{"windows", report.queries.windows},
                      {"shapes", report.queries.shapes},
                      {"queries", report.queries.queries},
                      {"steps", report.queries.steps}};
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace casmotion
