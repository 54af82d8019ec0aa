// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/record_text.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "casmotion/record_fields.h"
#include "casmotion/taxonomy.h"

namespace casmotion {

namespace {

constexpr std::size_t kBlobTextMaxBytes = 32;  // longer blobs are shortened in text output

// The first word of an APOINT's blob: the branch that the point is behind, or where to look for it.
std::string origin_name(const Record& apoint) {
    return apoint.kind == CASM_APOINT_BY_STATE ? "transfers" : "from";
}

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return text;
}

std::string hex(std::span<const std::uint8_t> bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

// Bytes as printable ASCII with C escapes: no control character of a guest reaches the user's terminal.
std::string printable(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        if (byte == '\n') {
            text += "\\n";
        } else if (byte == '\r') {
            text += "\\r";
        } else if (byte == '\t') {
            text += "\\t";
        } else if (byte == '\\' || byte == '"') {
            text += '\\';
            text += static_cast<char>(byte);
        } else if (byte >= 0x20 && byte < 0x7f) {
            text += static_cast<char>(byte);
        } else {
            char escape[8];
            std::snprintf(escape, sizeof(escape), "\\x%02x", byte);
            text += escape;
        }
    }
    return text;
}

// Is the field an address, hash or register, better read in hexadecimal?
bool is_hex(const FieldInfo& field) {
    for (const std::string_view name :
         {"check", "index", "value", "leaf", "eax_ebx", "ecx_edx", "va", "digest", "hash", "rip"})
        if (field.name == name) return true;
    return false;
}

// The name that a number has in this field of this record, if any.
std::string_view value_name(const Record& record, const FieldInfo& field) {
    const std::uint64_t value = value_at(record, field.place).value_or(0);
    const auto number = static_cast<std::uint32_t>(value);
    switch (static_cast<casm_class>(record.cls)) {
        case CASM_CLS_ENTRY:
            if (field.place == Place::kKind) return entry_kind_name(number);
            if (field.place == Place::kAux && record.kind == CASM_ENTRY_HYPERCALL)
                return hypercall_name(number);
            if (field.place == Place::kAux && record.kind == CASM_ENTRY_EXCEPTION)
                return exception_name(number & 0xff);
            return {};
        case CASM_CLS_RESULT:
            return field.place == Place::kKind ? hypercall_name(number) : std::string_view();
        case CASM_CLS_RING:
            return field.place == Place::kKind ? bridge_page_name(number) : std::string_view();
        case CASM_CLS_DIGEST:
            return field.place == Place::kKind ? digest_when_name(number) : std::string_view();
        case CASM_CLS_END:
            if (field.place == Place::kKind) return end_reason_name(number);
            if (field.place == Place::kAux && record.kind == CASM_END_SHUTDOWN)
                return shutdown_code_name(number);
            return {};
        case CASM_CLS_APOINT:
            return field.place == Place::kKind ? apoint_kind_name(number) : std::string_view();
        case CASM_CLS_TSC:
        case CASM_CLS_MSR:
        case CASM_CLS_CPUID:
        case CASM_CLS_OUTMEM:
        case CASM_CLS_EVTCHN:
        case CASM_CLS_INIT:
        case CASM_CLS_CONSOLE:
        case CASM_CLS_BRANCHES:
            return {};
    }
    return {};
}

// Is the number of this field an enumeration, so that its name alone says all?
bool is_enumeration(const Record& record, const FieldInfo& field) {
    return field.place == Place::kKind && record.cls != CASM_CLS_RESULT;
}

// Is the blob text to a person?
bool is_text(const Record& record) {
    return record.cls == CASM_CLS_CONSOLE || record.cls == CASM_CLS_RING;
}

// The counters of an END record that are not zero, by class name; empty if the blob is not of that shape.
nlohmann::ordered_json applied_counters(const Record& record) {
    nlohmann::ordered_json counters = nlohmann::ordered_json::object();
    for (std::size_t cls = 0; (cls + 1) * 8 <= record.blob.size(); ++cls) {
        std::uint64_t count;
        std::memcpy(&count, record.blob.data() + 8 * cls, sizeof(count));
        if (count == 0) continue;
        const ClassInfo* info = find_class(static_cast<std::uint8_t>(cls));
        counters[info != nullptr ? std::string(info->name) : std::to_string(cls)] = count;
    }
    return counters;
}

std::string origin_text(const Record& apoint, std::uint64_t origin) {
    return apoint.kind == CASM_APOINT_BY_STATE ? std::to_string(origin & ~CASM_APOINT_TRANSFERS)
                                               : hex(origin);
}

}  // namespace

std::string to_text(const Record& record, RecordIndex index, SyncOrdinal ordinal) {
    char head[80];
    std::snprintf(head, sizeof(head), "%8" PRIu64 " @%-8" PRIu64 " %-7s", index.value, ordinal.value,
                  std::string(class_name(record.cls)).c_str());
    std::string line = head;
    for (const FieldInfo& field : fields_of(record.cls)) {
        line += ' ';
        if (const auto state = apoint_state(record); state && field.place == Place::kBlob) {
            line += origin_name(record) + "=" + origin_text(record, state->from) + " rcx=" + hex(state->rcx) +
                    " rsp=" + hex(state->rsp);
            continue;
        }
        line += field.name;
        line += '=';
        if (field.place == Place::kBlob) {
            if (record.cls == CASM_CLS_END) {
                line += applied_counters(record).dump();
                continue;
            }
            const auto shown = std::span(record.blob).first(std::min(record.blob.size(), kBlobTextMaxBytes));
            line += std::to_string(record.blob.size()) + ":" + hex(shown);
            if (shown.size() < record.blob.size()) line += "...";
            if (is_text(record)) line += " \"" + printable(shown) + "\"";
            continue;
        }
        const std::uint64_t value = value_at(record, field.place).value_or(0);
        const std::string_view name = value_name(record, field);
        if (record.cls == CASM_CLS_ENTRY && field.place == Place::kAux &&
            record.kind == CASM_ENTRY_EXCEPTION) {
            line += std::to_string(value & 0xff);
            if (!name.empty()) line += "(" + std::string(name) + ")";
            line += " error_code=" + hex(value >> 8);
        } else if (!name.empty() && is_enumeration(record, field)) {
            line += name;
        } else {
            line += is_hex(field) || (record.cls == CASM_CLS_ENTRY && record.kind == CASM_ENTRY_PRIVOP)
                        ? hex(value)
                        : std::to_string(value);
            if (!name.empty()) line += "(" + std::string(name) + ")";
        }
    }
    return line;
}

std::string to_json(const Record& record, RecordIndex index, SyncOrdinal ordinal) {
    nlohmann::ordered_json out;
    out["record"] = index.value;
    out["at"] = ordinal.value;
    out["class"] = class_name(record.cls);
    for (const FieldInfo& field : fields_of(record.cls)) {
        const std::string key(field.name);
        if (field.place == Place::kBlob) {
            if (record.cls == CASM_CLS_END) {
                out[key] = applied_counters(record);
            } else if (const auto state = apoint_state(record)) {
                out[key] = {{origin_name(record), origin_text(record, state->from)},
                            {"rcx", hex(state->rcx)},
                            {"rsp", hex(state->rsp)}};
            } else {
                out[key] = hex(record.blob);
                if (is_text(record)) out["text"] = printable(record.blob);
            }
            continue;
        }
        const std::uint64_t value = value_at(record, field.place).value_or(0);
        const std::string_view name = value_name(record, field);
        if (!name.empty() && is_enumeration(record, field)) {
            out[key] = name;
            continue;
        }
        if (is_hex(field))
            out[key] = hex(value);
        else
            out[key] = value;
        if (!name.empty()) out[key + "_name"] = name;
    }
    return out.dump();
}

}  // namespace casmotion
