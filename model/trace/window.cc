// SPDX-License-Identifier: GPL-2.0-or-later
#include "window.h"

#include <cstdio>
#include <cstring>

#include "casmotion/entry_outputs.h"
#include "casmotion/taxonomy.h"

namespace casmotion::trace {

namespace {

// A trip of more records is cut into several windows: every place between two records is a state too.
constexpr std::size_t kWindowRecordsMax = 64;
// Each point in a window is a question about all those before it: minutes for 64 of them, milliseconds for a
// few.
constexpr unsigned kWindowPointsMax = 4;
constexpr std::uint32_t kDebugVector = 1;
constexpr std::uint16_t kOtherDetail = 0xffff;  // any detail that is treated like all those without outputs

static_assert(sizeof(Symbol) == 4 && std::has_unique_object_representations_v<Symbol>);

std::uint16_t detail_of(std::uint8_t kind, std::uint32_t detail) {
    if (kind != CASM_ENTRY_HYPERCALL && kind != CASM_ENTRY_PRIVOP) return 0;
    const EntryOutputs outputs = outputs_of_entry(kind, detail);
    return outputs == EntryOutputs{} || detail >= kOtherDetail ? kOtherDetail
                                                               : static_cast<std::uint16_t>(detail);
}

}  // namespace

Symbol symbol_of(const Record& record) {
    Symbol symbol{.cls = record.cls};
    switch (static_cast<casm_class>(record.cls)) {
        case CASM_CLS_ENTRY:
            symbol.kind = record.kind;
            symbol.detail = detail_of(record.kind, record.aux);
            break;
        case CASM_CLS_RESULT:
        case CASM_CLS_RING:
        case CASM_CLS_DIGEST:
        case CASM_CLS_APOINT:
            symbol.kind = record.kind;
            break;
        case CASM_CLS_TSC:
        case CASM_CLS_MSR:
        case CASM_CLS_CPUID:
        case CASM_CLS_OUTMEM:
        case CASM_CLS_EVTCHN:
        case CASM_CLS_INIT:
        case CASM_CLS_END:
        case CASM_CLS_BRANCHES:
        case CASM_CLS_CONSOLE:
            break;
    }
    return symbol;
}

std::string to_text(const std::vector<Symbol>& shape) {
    std::string text;
    for (const Symbol& symbol : shape) {
        text += (text.empty() ? "" : ", ") + std::string(class_name(symbol.cls));
        char detail[16] = "";
        if (symbol.cls == CASM_CLS_ENTRY) {
            text += " " + std::string(entry_kind_name(symbol.kind));
            if (symbol.detail != 0 && symbol.detail != kOtherDetail)
                std::snprintf(detail, sizeof(detail), symbol.kind == CASM_ENTRY_HYPERCALL ? " %u" : " 0x%x",
                              symbol.detail);
        } else if (symbol.cls == CASM_CLS_RESULT) {
            std::snprintf(detail, sizeof(detail), " %u", symbol.kind);
        } else if (symbol.cls == CASM_CLS_APOINT) {
            text += " " + std::string(apoint_kind_name(symbol.kind));
        }
        text += detail;
    }
    return text;
}

void WindowCollector::add(const Record& record, std::uint64_t index, std::uint64_t ordinal) {
    const ClassInfo* info = find_class(record.cls);
    if (info == nullptr || info->timing == Timing::kReport) return;
    const bool begins =
        info->timing == Timing::kSync || record.cls == CASM_CLS_ENTRY || info->timing == Timing::kMeta;
    const bool full = key_.size() >= kWindowRecordsMax * sizeof(Symbol) ||
                      (record.cls == CASM_CLS_APOINT && points_ >= kWindowPointsMax);
    if ((begins && entered_) || full) close();
    if (info->timing == Timing::kMeta) return;  // INIT and END change no state between two entries
    if (key_.empty()) {
        first_record_ = index;
        first_ordinal_ = ordinal;
    }
    if (record.cls == CASM_CLS_APOINT) ++points_;
    const Symbol symbol = symbol_of(record);
    key_.append(reinterpret_cast<const char*>(&symbol), sizeof(symbol));
    if (record.cls == CASM_CLS_RESULT || record.cls == CASM_CLS_OUTMEM) call_open_ = true;
    if (record.cls == CASM_CLS_TSC || record.cls == CASM_CLS_MSR || record.cls == CASM_CLS_CPUID)
        value_open_ = true;
    if (record.cls == CASM_CLS_ENTRY) {
        // An exception or a mode switch inside a multicall is part of the multicall's trip, the trap of a
        // guest that steps itself through an emulated instruction part of that one's.
        const bool step =
            value_open_ && record.kind == CASM_ENTRY_EXCEPTION && (record.aux & 0xff) == kDebugVector;
        entered_ = !step && (!call_open_ || record.kind == CASM_ENTRY_HYPERCALL ||
                             record.kind == CASM_ENTRY_PRIVOP || record.kind == CASM_ENTRY_FORCED_CPUID);
        if (entered_) call_open_ = value_open_ = false;
    }
}

void WindowCollector::close() {
    entered_ = false;
    points_ = 0;
    if (key_.empty()) return;
    ++windows_;
    const auto known = known_.find(key_);
    if (known != known_.end()) {
        ++shapes_[known->second].windows;
    } else if (shapes_.size() >= shapes_max_) {
        complete_ = false;
    } else {
        ShapeUse use{.shape = std::vector<Symbol>(key_.size() / sizeof(Symbol)),
                     .first_record = first_record_,
                     .first_ordinal = first_ordinal_,
                     .windows = 1};
        std::memcpy(use.shape.data(), key_.data(), key_.size());
        known_.emplace(key_, shapes_.size());
        shapes_.push_back(std::move(use));
    }
    key_.clear();
}

}  // namespace casmotion::trace
