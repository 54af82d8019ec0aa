// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/point_divergence.h"

#include <algorithm>

#include "base/host_text.h"
#include "casmotion/record_fields.h"
#include "casmotion/taxonomy.h"

namespace casmotion {
namespace {

// Places in casm_divergence.regs.
constexpr size_t kRegRcx = 2, kRegRsp = 7;

/// The counts begin anew at the last BRANCHES record (a total), or at the last entry (an APOINT's count).
struct Since {
    uint64_t record = 0;
    uint64_t total = 0;
};

Since find_since(LogReader& reader, uint64_t index, uint8_t cls) {
    // 64 entries with all that they log are far less; a search that finds nothing counts from the log's
    // start.
    constexpr uint64_t kSearch = 100'000;
    Since out;
    const uint64_t begin = index - std::min(index, kSearch);
    if (!reader.seek(RecordIndex{begin}).ok()) return out;
    Record record;
    for (uint64_t i = begin; i < index; ++i) {
        const Result<bool> got = reader.next(record);
        if (!got.ok() || !*got) break;
        if (record.cls == cls) out = {i, cls == CASM_CLS_BRANCHES ? record.w[0] : 0};
    }
    return out;
}

}  // namespace

std::string place_text(const casm_divergence& divergence) {
    if (divergence.actual.cls != CASM_CLS_APOINT) return {};
    return " rcx=" + hex_text(divergence.regs[kRegRcx]) + " rsp=" + hex_text(divergence.regs[kRegRsp]);
}

bool is_counter_fault(const casm_divergence& divergence) {
    if (divergence.expected.cls != divergence.actual.cls ||
        divergence.expected_w[0] == divergence.actual_w[0])
        return false;
    if (divergence.expected.cls == CASM_CLS_BRANCHES) return true;
    return divergence.expected.cls == CASM_CLS_APOINT && divergence.expected_w[1] == divergence.actual_w[1] &&
           divergence.expected_w[2] == divergence.actual_w[2];
}

std::string counter_fault_text(LogReader& reader, const DivergenceReport& report) {
    const bool totals = report.expected->cls == CASM_CLS_BRANCHES;
    const Since since = find_since(reader, report.record, totals ? CASM_CLS_BRANCHES : CASM_CLS_ENTRY);
    const uint64_t expected = report.expected->w[0], actual = report.actual->w[0];
    // A counter that went back below the last total: say the totals.
    const uint64_t from = std::min({since.total, expected, actual}) == since.total ? since.total : 0;
    return "counter fault: the branch counter of this host (or of the recording host) is not exact: " +
           with_thousands(expected - from) + " branches expected, " + with_thousands(actual - from) +
           " counted since " +
           (from == 0 && totals ? std::string("the start") : "record " + with_thousands(since.record));
}

std::string field_text(uint8_t cls, Place place, uint64_t value) {
    if (cls == CASM_CLS_APOINT) {
        const std::string_view kind = apoint_kind_name(static_cast<uint32_t>(value));
        if (place == Place::kKind && !kind.empty()) return std::string(kind);
        if (place == Place::kW1 || place == Place::kW2) return hex_text(value);
    }
    return value < 10 ? std::to_string(value) : std::to_string(value) + " (" + hex_text(value) + ")";
}

std::vector<FieldDifference> apoint_differences(const Record& expected, const Record& actual,
                                                const casm_divergence& divergence) {
    std::vector<FieldDifference> out;
    for (const FieldInfo& field : fields_of(CASM_CLS_APOINT)) {
        const auto left = value_at(expected, field.place);
        const auto right = value_at(actual, field.place);
        if (field.place == Place::kKind && actual.kind == 0) continue;  // a replay that gave up knows no kind
        if (left && right && *left != *right)
            out.push_back({std::string(field.name), field_text(CASM_CLS_APOINT, field.place, *left),
                           field_text(CASM_CLS_APOINT, field.place, *right)});
    }
    const auto state = apoint_state(expected);
    if (!state) return out;
    if (state->rcx != divergence.regs[kRegRcx])
        out.push_back({"rcx", hex_text(state->rcx), hex_text(divergence.regs[kRegRcx])});
    if (state->rsp != divergence.regs[kRegRsp])
        out.push_back({"rsp", hex_text(state->rsp), hex_text(divergence.regs[kRegRsp])});
    // Xen says where the blobs differ; the branch that the replay came from is in its first eight bytes.
    if (divergence.blob_offset < sizeof(uint64_t))
        out.push_back({"from", hex_text(state->from), "another branch"});
    return out;
}

void explain_point(DivergenceReport& report) {
    if (!report.expected || report.expected->cls != CASM_CLS_APOINT || report.counter_fault) return;
    const std::string point =
        "the point " + with_thousands(report.expected->w[0]) + " branches after the entry before it";
    if (!report.actual) {
        report.hints.push_back("the replay was at an entry's exit where the log has " + point);
        return;
    }
    if (report.actual->cls == CASM_CLS_ENTRY) {
        report.hints.push_back(
            "the guest entered Xen before it came to " + point +
            ": it did something else than when it was recorded, or the counter is not exact");
        return;
    }
    if (report.actual->cls != CASM_CLS_APOINT) return;
    const uint64_t expected = report.expected->w[0], actual = report.actual->w[0];
    const bool same_place = report.actual->w[1] == report.expected->w[1];
    const bool same_registers = same_place && report.actual->w[2] == report.expected->w[2];
    if (actual > expected || (actual == expected && same_registers)) {
        report.hints.push_back(
            "the replay was " + with_thousands(actual - expected) + " branches past " + point +
            " when it could first be stopped: the counter's overflow interrupt came later than the margin "
            "(a larger --margin helps), or the guest did not pass there");
    } else if (actual < expected) {
        report.hints.push_back("the replay gave up " + with_thousands(expected - actual) +
                               " branches before " + point +
                               ": what the guest executed there is not what the log describes");
    } else {
        report.hints.push_back(
            (same_place
                 ? "the guest came to the instruction of " + point +
                       " with other registers than recorded (the replay's there are above): the overflow "
                       "interrupt came later than the margin (a larger --margin helps), or "
                 : std::string("after the same number of branches the guest was in another state than "
                               "recorded: ")) +
            "the guest did something else before, or the counter is not exact ('casmotion doctor' tests it; "
            "a branch that only this replay counted wrongly is not met again when the log is replayed "
            "again)");
    }
}

}  // namespace casmotion
