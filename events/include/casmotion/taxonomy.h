// SPDX-License-Identifier: GPL-2.0-or-later
//
// The taxonomy as constexpr tables, generated from events/abi/casm_taxonomy.def: what classes of records
// there are, which fields each has and where they lie. Codec, columnar format, printing, documentation and
// tests follow from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "casm_abi.h"

namespace casmotion {

enum class Timing : std::uint8_t { kSync, kAsync, kCheck, kPoint, kMeta, kReport };
enum class Place : std::uint8_t { kKind, kCheck, kAux, kW0, kW1, kW2, kBlob };
enum class Role : std::uint8_t { kValue, kKey, kCompare };
enum class Encoding : std::uint8_t { kPlain, kDelta, kFixed16, kBytes };

struct ClassInfo {
    casm_class id;
    std::string_view symbol;  // as in CASM_CLS_<symbol>
    std::string_view name;    // as users see it and type it
    Timing timing;
    std::string_view where, recorded, replayed, obligation;
};

struct FieldInfo {
    casm_class cls;
    std::string_view name;  // unique in its class
    Place place;
    Role role;
    Encoding encoding;
    std::string_view meaning;
};

namespace taxonomy_detail {
// The words that the table uses in its timing, place, role and encoding columns.
template <typename T>
struct Words;
template <>
struct Words<Timing> {
    static constexpr Timing SYNC = Timing::kSync, ASYNC = Timing::kAsync, CHECK = Timing::kCheck,
                            POINT = Timing::kPoint, META = Timing::kMeta, REPORT = Timing::kReport;
};
template <>
struct Words<Place> {
    static constexpr Place KIND = Place::kKind, CHECK = Place::kCheck, AUX = Place::kAux, W0 = Place::kW0,
                           W1 = Place::kW1, W2 = Place::kW2, BLOB = Place::kBlob;
};
template <>
struct Words<Role> {
    static constexpr Role VALUE = Role::kValue, KEY = Role::kKey, COMPARE = Role::kCompare;
};
template <>
struct Words<Encoding> {
    static constexpr Encoding PLAIN = Encoding::kPlain, DELTA = Encoding::kDelta,
                              FIXED16 = Encoding::kFixed16, BYTES = Encoding::kBytes;
};
}  // namespace taxonomy_detail

// All classes, in the order of the table. Their ids are below CASM_CLASSES_MAX, distinct, and not 0.
inline constexpr auto kClasses = std::to_array<ClassInfo>({
#define CASM_CLASS(id, SYMBOL, name, timing, where, recorded, replayed, obligation)         \
    {CASM_CLS_##SYMBOL, #SYMBOL,  name,      taxonomy_detail::Words<Timing>::timing, where, \
     recorded,          replayed, obligation},
#include "casm_taxonomy.def"
});

// All fields, in the order of the table: those of one class are adjacent and in the order in which they are
// printed.
inline constexpr auto kFields = std::to_array<FieldInfo>({
#define CASM_FIELD(SYMBOL, name, place, role, encoding, meaning) \
    {CASM_CLS_##SYMBOL,                                          \
     name,                                                       \
     taxonomy_detail::Words<Place>::place,                       \
     taxonomy_detail::Words<Role>::role,                         \
     taxonomy_detail::Words<Encoding>::encoding,                 \
     meaning},
#include "casm_taxonomy.def"
});

// The class with number `id`, or nullptr if there is none.
[[nodiscard]] constexpr const ClassInfo* find_class(std::uint8_t id) {
    for (const ClassInfo& info : kClasses)
        if (info.id == id) return &info;
    return nullptr;
}

// The class that users call `name` ("tsc"), or nullptr. Case matters.
[[nodiscard]] constexpr const ClassInfo* find_class(std::string_view name) {
    for (const ClassInfo& info : kClasses)
        if (info.name == name) return &info;
    return nullptr;
}

// The fields of class `id`; empty for a number that is no class.
[[nodiscard]] constexpr std::span<const FieldInfo> fields_of(std::uint8_t id) {
    std::size_t first = 0;
    while (first < kFields.size() && kFields[first].cls != id) ++first;
    std::size_t last = first;
    while (last < kFields.size() && kFields[last].cls == id) ++last;
    return std::span(kFields).subspan(first, last - first);
}

// The field of class `id` at `place`, or nullptr.
[[nodiscard]] constexpr const FieldInfo* find_field(std::uint8_t id, Place place) {
    for (const FieldInfo& field : fields_of(id))
        if (field.place == place) return &field;
    return nullptr;
}

// Width in bits of a field at `place`, in ring records: 8 (KIND) to 64 (W0 to W2). 0 for BLOB, whose length
// is in the record.
[[nodiscard]] constexpr unsigned place_bits(Place place) {
    switch (place) {
        case Place::kKind:
            return 8;
        case Place::kCheck:
            return 16;
        case Place::kAux:
            return 32;
        case Place::kW0:
        case Place::kW1:
        case Place::kW2:
            return 64;
        case Place::kBlob:
            return 0;
    }
    return 0;
}

// How a ring record of one class is laid out; derived from its fields.
struct RecordLayout {
    bool known = false;   // there is such a class
    bool logged = false;  // it may be in a log (its timing is not REPORT)
    bool has_kind = false, has_check = false, has_aux = false;
    bool has_blob = false;   // then `check` is the blob's length
    std::uint8_t words = 0;  // payload words, 0 to 3
};

[[nodiscard]] constexpr RecordLayout make_layout(std::uint8_t id) {
    RecordLayout layout;
    for (const ClassInfo& info :
         kClasses) {  // not find_class(): GCC 12 with -fsanitize cannot compare its pointer here
        if (info.id != id) continue;
        layout.known = true;
        layout.logged = info.timing != Timing::kReport;
    }
    for (const FieldInfo& field : fields_of(id)) {
        switch (field.place) {
            case Place::kKind:
                layout.has_kind = true;
                break;
            case Place::kCheck:
                layout.has_check = true;
                break;
            case Place::kAux:
                layout.has_aux = true;
                break;
            case Place::kW0:
                layout.words = layout.words < 1 ? 1 : layout.words;
                break;
            case Place::kW1:
                layout.words = layout.words < 2 ? 2 : layout.words;
                break;
            case Place::kW2:
                layout.words = 3;
                break;
            case Place::kBlob:
                layout.has_blob = true;
                break;
        }
    }
    return layout;
}

// Layouts by class number; kLayouts[n].known is false for numbers that are no class. Index with n < 256.
inline constexpr auto kLayouts = [] {
    std::array<RecordLayout, 256> layouts{};
    for (std::size_t id = 0; id < layouts.size(); ++id)
        layouts[id] = make_layout(static_cast<std::uint8_t>(id));
    return layouts;
}();

// The name of class `id` for messages: "tsc"; "unknown" for a number that is no class.
[[nodiscard]] std::string_view class_name(std::uint8_t id);

[[nodiscard]] std::string_view name_of(Timing timing);  // "sync", "async", "check", "meta", "report"
[[nodiscard]] std::string_view name_of(Place place);    // "kind", "check", "aux", "w0", "w1", "w2", "blob"
[[nodiscard]] std::string_view name_of(Role role);      // "value", "key", "compare"
[[nodiscard]] std::string_view name_of(Encoding encoding);  // "plain", "delta", "fixed16", "bytes"

// Names of the values of the small enumerations that records carry; empty for a value that has none.
[[nodiscard]] std::string_view entry_kind_name(std::uint32_t kind);    // "hypercall", "exception", ...
[[nodiscard]] std::string_view bridge_page_name(std::uint32_t page);   // "console", "xenstore"
[[nodiscard]] std::string_view apoint_kind_name(std::uint32_t kind);   // "canonical", "by state"
[[nodiscard]] std::string_view counter_name(std::uint32_t counter);    // "none", "AMD", "AMD core", "Intel"
[[nodiscard]] std::string_view digest_when_name(std::uint32_t when);   // "start", "periodic", "end", "stop"
[[nodiscard]] std::string_view end_reason_name(std::uint32_t reason);  // "shutdown", "crashed", ...
[[nodiscard]] std::string_view shutdown_code_name(
    std::uint32_t code);  // "poweroff", "reboot", ... (xen/sched.h)
[[nodiscard]] std::string_view hypercall_name(std::uint32_t number);  // "mmu_update", ... (xen/xen.h)
[[nodiscard]] std::string_view exception_name(std::uint32_t vector);  // "#PF", ...

namespace taxonomy_detail {
constexpr bool table_is_sound() {
    for (std::size_t i = 0; i < kClasses.size(); ++i) {
        if (kClasses[i].id == 0 || static_cast<unsigned>(kClasses[i].id) >= CASM_CLASSES_MAX) return false;
        if (fields_of(kClasses[i].id).empty()) return false;
        for (std::size_t j = 0; j < i; ++j)
            if (kClasses[i].id == kClasses[j].id || kClasses[i].name == kClasses[j].name) return false;
    }
    std::size_t covered = 0;
    for (const ClassInfo& info : kClasses) {
        const auto fields = fields_of(info.id);
        covered += fields.size();
        for (std::size_t i = 0; i < fields.size(); ++i) {
            const bool bytes = fields[i].encoding == Encoding::kBytes;
            if (bytes != (fields[i].place == Place::kBlob)) return false;
            if (fields[i].encoding == Encoding::kFixed16 && fields[i].place != Place::kCheck) return false;
            for (std::size_t j = 0; j < i; ++j)
                if (fields[i].place == fields[j].place || fields[i].name == fields[j].name) return false;
        }
        // The blob's length lives in the check word, so a class has one or the other; words are used without
        // gaps.
        const RecordLayout layout = make_layout(info.id);
        if (layout.has_blob && layout.has_check) return false;
        for (int word = 0; word < layout.words; ++word)
            if (std::none_of(fields.begin(), fields.end(), [word](const FieldInfo& field) {
                    return static_cast<int>(field.place) == static_cast<int>(Place::kW0) + word;
                }))
                return false;
    }
    return covered == kFields.size();  // the fields of each class are adjacent
}
static_assert(table_is_sound(), "casm_taxonomy.def breaks a rule of the log format");
}  // namespace taxonomy_detail

}  // namespace casmotion
