// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/divergence_report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/host_text.h"
#include "casmotion/log_check.h"
#include "casmotion/record_fields.h"
#include "casmotion/record_text.h"
#include "casmotion/taxonomy.h"
#include "report/point_divergence.h"

namespace casmotion {
namespace {

constexpr uint64_t kRecordsBefore = 10;

Record to_record(const casm_rec& header, const uint64_t (&words)[3]) {
    Record out;
    out.cls = header.cls;
    out.kind = header.kind;
    out.check = header.check;
    out.aux = header.aux;
    const RecordLayout& layout = kLayouts[header.cls];
    for (size_t i = 0; i < layout.words && i < out.w.size(); ++i) out.w[i] = words[i];
    return out;
}

/// The fields of a record from the text form that `casmotion events` prints, without index and ordinal.
std::string record_text(const Record& record) {
    std::string out(class_name(record.cls));
    for (const FieldInfo& field : fields_of(record.cls)) {
        if (const auto value = value_at(record, field.place)) {
            out += " " + std::string(field.name) + "=" + field_text(record.cls, field.place, *value);
        } else if (const auto state = apoint_state(record)) {
            out += " from=" + hex_text(state->from) + " rcx=" + hex_text(state->rcx) +
                   " rsp=" + hex_text(state->rsp);
        } else if (record.cls == CASM_CLS_APOINT) {
            continue;  // what Xen reports of the replay's place: RCX and RSP are among the registers
        } else if (!record.blob.empty()) {
            out += " " + std::string(field.name) + "=" + std::to_string(record.blob.size()) + " bytes";
        } else {
            out += " " + std::string(field.name) + "=" + std::to_string(record.check) + " bytes";
        }
    }
    if (record.cls == CASM_CLS_ENTRY) {
        out += " [" + std::string(entry_kind_name(record.kind));
        if (record.kind == CASM_ENTRY_HYPERCALL) out += " " + std::string(hypercall_name(record.aux));
        if (record.kind == CASM_ENTRY_EXCEPTION) out += " " + std::string(exception_name(record.aux & 0xff));
        out += "]";
    }
    return out;
}

/// The log's own record at the divergence: Xen reports the header and the words, the log has the blob too.
std::optional<Record> read_record(LogReader& reader, uint64_t index) {
    if (index >= reader.records() || !reader.seek(RecordIndex{index}).ok()) return std::nullopt;
    Record record;
    const Result<bool> got = reader.next(record);
    if (!got.ok() || !*got) return std::nullopt;
    return record;
}

std::vector<std::string> read_before(LogReader& reader, uint64_t index) {
    std::vector<std::string> out;
    const uint64_t end = std::min(index, reader.records());
    const uint64_t begin = end - std::min(end, kRecordsBefore);
    if (!reader.seek(RecordIndex{begin}).ok()) return out;
    Record record;
    for (uint64_t i = begin; i < end; ++i) {
        const SyncOrdinal ordinal = reader.ordinal();
        const Result<bool> got = reader.next(record);
        if (!got.ok() || !*got) break;
        out.push_back(to_text(record, RecordIndex{i}, ordinal));
    }
    return out;
}

void add_once(std::vector<std::string>& list, const std::string& item) {
    if (!item.empty() && std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

bool is_initial_digest(const DivergenceReport& report) {
    return report.expected && report.expected->cls == CASM_CLS_DIGEST &&
           report.expected->kind == CASM_DIGEST_START;
}

void explain_initial(DivergenceReport& report, const std::vector<std::string>& host_differences) {
    if (!is_initial_digest(report)) return;
    if (report.actual && report.expected->w[1] != report.actual->w[1]) {
        report.hints.push_back(
            "the guest's memory has another size: " + with_thousands(report.expected->w[1]) +
            " frames recorded, " + with_thousands(report.actual->w[1]) + " here");
    } else {
        report.hints.push_back(
            "the rebuilt guest's memory differs before its first instruction: another kernel, ramdisk, "
            "configuration, "
            "Xen tools version or memory pool than the recording's");
    }
    for (const std::string& line : host_differences) report.hints.push_back(line);
}

void explain_classes(DivergenceReport& report) {
    const auto timing = [](const Record& record) {
        const ClassInfo* info = find_class(record.cls);
        return info != nullptr ? info->timing : Timing::kMeta;
    };
    if (report.expected && report.actual && report.expected->cls != report.actual->cls) {
        const std::string expected(class_name(report.expected->cls));
        const std::string actual(class_name(report.actual->cls));
        if (timing(*report.actual) == Timing::kSync) {
            report.hints.push_back("the guest needs a '" + actual + "' value here and the log holds none");
            add_once(report.suspects, actual);
        } else if (timing(*report.expected) == Timing::kSync) {
            report.hints.push_back("the log holds a '" + expected +
                                   "' value that the guest does not ask for");
            add_once(report.suspects, expected);
        }
    } else if (report.expected && !report.actual && timing(*report.expected) == Timing::kSync) {
        report.hints.push_back("the log holds a '" + std::string(class_name(report.expected->cls)) +
                               "' value that the guest did not ask for");
        add_once(report.suspects, std::string(class_name(report.expected->cls)));
    } else if (!report.expected && report.actual && timing(*report.actual) == Timing::kSync) {
        add_once(report.suspects, std::string(class_name(report.actual->cls)));
    }
}

void explain_log(DivergenceReport& report, LogReader& reader) {
    const uint32_t disabled = reader.manifest().options.disabled_classes;
    for (const ClassInfo& info : kClasses)
        if ((disabled & (1u << info.id)) != 0)
            report.hints.push_back("the log was recorded with class '" + std::string(info.name) +
                                   "' switched off");
    if (!reader.seek(RecordIndex{0}).ok()) return;
    const LogReport log = check_log(reader);
    std::vector<std::string> incomplete;
    for (const CheckResult& check : log.checks) {
        if (check.verdict != Verdict::kRefuted) continue;
        std::string line = "the log fails the check of " + check.check;
        if (check.record) line += " at record " + with_thousands(*check.record);
        report.hints.push_back(line + ": " + check.reason);
        add_once(check.check == "completeness" ? incomplete : report.suspects, check.cls);
    }
    // Xen counts effects where it applies them, apart from logging them: what these counts accuse is the
    // cause, everything else its consequence.
    if (!incomplete.empty()) report.suspects = std::move(incomplete);
}

}  // namespace

DivergenceReport make_divergence_report(LogReader& reader, const casm_divergence& divergence,
                                        const std::vector<std::string>& host_differences) {
    DivergenceReport report;
    report.record = divergence.record;
    report.ordinal = divergence.ordinal;
    if (divergence.expected.cls != 0) {
        report.expected = to_record(divergence.expected, divergence.expected_w);
        if (auto in_log = read_record(reader, divergence.record);
            in_log && in_log->cls == report.expected->cls)
            report.expected = std::move(in_log);
    }
    if (divergence.actual.cls != 0) report.actual = to_record(divergence.actual, divergence.actual_w);
    report.cls = class_name(report.expected ? report.expected->cls
                            : report.actual ? report.actual->cls
                                            : uint8_t{0});

    const bool same_class = report.expected && report.actual && report.expected->cls == report.actual->cls;
    if (same_class && report.expected->cls == CASM_CLS_APOINT) {
        report.differences = apoint_differences(*report.expected, *report.actual, divergence);
    } else if (same_class) {
        for (const FieldInfo& field : fields_of(report.expected->cls)) {
            const auto expected = value_at(*report.expected, field.place);
            const auto actual = value_at(*report.actual, field.place);
            if (expected && actual && *expected != *actual)
                report.differences.push_back({std::string(field.name),
                                              field_text(report.expected->cls, field.place, *expected),
                                              field_text(report.expected->cls, field.place, *actual)});
            if (!expected && divergence.blob_offset != ~uint64_t{0})
                report.differences.push_back({std::string(field.name), "the log's bytes",
                                              "others from byte " + std::to_string(divergence.blob_offset)});
        }
    }
    if (divergence.blob_offset != ~uint64_t{0}) report.blob_offset = divergence.blob_offset;

    static constexpr const char* kRegisters[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi",
                                                 "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                                 "r12", "r13", "r14", "r15", "rip", "rflags"};
    static_assert(std::size(kRegisters) == std::size(decltype(casm_divergence::regs){}));
    for (size_t i = 0; i < std::size(kRegisters); ++i)
        report.registers.emplace_back(kRegisters[i], divergence.regs[i]);

    report.actual_place = place_text(divergence);
    report.before = read_before(reader, divergence.record);
    if (is_counter_fault(divergence)) report.counter_fault = counter_fault_text(reader, report);
    explain_point(report);
    explain_initial(report, host_differences);
    explain_classes(report);
    explain_log(report, reader);
    if (!is_initial_digest(report))
        for (const std::string& line : host_differences) report.hints.push_back(line);
    return report;
}

std::string to_text(const DivergenceReport& report) {
    std::string out = "replay diverged from the log at record " + with_thousands(report.record) + ", class " +
                      report.cls + ", after " + with_thousands(report.ordinal) + " entries\n";
    if (report.counter_fault) out += "  " + *report.counter_fault + "\n";
    out += "  expected (log):   " +
           (report.expected ? record_text(*report.expected) : "nothing: the log has no record left") + "\n";
    out += "  actual (replay):  " +
           (report.actual ? record_text(*report.actual) + report.actual_place
                          : "nothing of that kind: the guest returned from its last entry") +
           "\n";
    for (const FieldDifference& field : report.differences)
        out += "  field " + field.field + ": expected " + field.expected + ", actual " + field.actual + "\n";
    out += "  registers of the replay:\n";
    for (size_t i = 0; i < report.registers.size(); ++i) {
        char text[48];
        std::snprintf(text, sizeof(text), "%s%6s %016llx", i % 3 == 0 ? "   " : " ",
                      report.registers[i].first.c_str(),
                      static_cast<unsigned long long>(report.registers[i].second));
        out += text;
        if (i % 3 == 2 || i + 1 == report.registers.size()) out += "\n";
    }
    if (!report.before.empty()) out += "  the records before it:\n";
    for (const std::string& line : report.before) out += "    " + line + "\n";
    if (!report.suspects.empty()) {
        out += "  the evidence points to class:";
        for (const std::string& cls : report.suspects) out += " " + cls;
        out += "\n";
    }
    for (const std::string& hint : report.hints) out += "  hint: " + hint + "\n";
    return out;
}

namespace {

Json record_json(const std::optional<Record>& record, uint64_t index, uint64_t ordinal) {
    if (!record) return nullptr;
    Record printed = *record;
    // A record that Xen reported has no blob, only its length; the JSON form prints what is there.
    return Json::parse(to_json(printed, RecordIndex{index}, SyncOrdinal{ordinal}), nullptr, false);
}

}  // namespace

Json to_json(const DivergenceReport& report) {
    Json out;
    out["record"] = report.record;
    out["ordinal"] = report.ordinal;
    out["class"] = report.cls;
    out["expected_class"] = report.expected ? Json(std::string(class_name(report.expected->cls))) : Json();
    out["actual_class"] = report.actual ? Json(std::string(class_name(report.actual->cls))) : Json();
    out["expected"] = record_json(report.expected, report.record, report.ordinal);
    out["actual"] = record_json(report.actual, report.record, report.ordinal);
    Json differences = Json::array();
    for (const FieldDifference& field : report.differences)
        differences.push_back(
            {{"field", field.field}, {"expected", field.expected}, {"actual", field.actual}});
    out["differences"] = differences;
    out["counter_fault"] = report.counter_fault ? Json(*report.counter_fault) : Json();
    out["blob_offset"] = report.blob_offset ? Json(*report.blob_offset) : Json();
    Json registers = Json::object();
    for (const auto& [name, value] : report.registers) registers[name] = hex_text(value);
    out["registers"] = registers;
    out["before"] = report.before;
    out["suspects"] = report.suspects;
    out["hints"] = report.hints;
    return out;
}

}  // namespace casmotion
