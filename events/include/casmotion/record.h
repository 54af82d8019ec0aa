// SPDX-License-Identifier: GPL-2.0-or-later
//
// One record of a log, as plain data. What the fields of each class mean is in taxonomy.h.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

namespace casmotion {

// Number of synchronous entries (ENTRY records) before a place in the log; names an S-point. 0 is the start.
struct SyncOrdinal {
    std::uint64_t value = 0;
    auto operator<=>(const SyncOrdinal&) const = default;
};

// Position of a record in its log, from 0.
struct RecordIndex {
    std::uint64_t value = 0;
    auto operator<=>(const RecordIndex&) const = default;
};

// The header words of struct casm_rec, the payload words of the class (the others are 0), and the blob of a
// class that has one (else empty). In a class with a blob, `check` is the blob's length; the codec sets it
// when it encodes.
struct Record {
    std::uint8_t cls = 0;  // enum casm_class
    std::uint8_t kind = 0;
    std::uint16_t check = 0;
    std::uint32_t aux = 0;
    std::array<std::uint64_t, 3> w{};
    std::vector<std::uint8_t> blob{};

    bool operator==(const Record&) const = default;
};

// The same without owning the blob: a Record, or a record where it lies in the bytes of a ring.
struct RecordView {
    std::uint8_t cls = 0, kind = 0;
    std::uint16_t check = 0;
    std::uint32_t aux = 0;
    std::array<std::uint64_t, 3> w{};
    std::span<const std::uint8_t> blob{};

    RecordView() = default;
    RecordView(const Record& record)  // a Record is one: implicit
        : cls(record.cls),
          kind(record.kind),
          check(record.check),
          aux(record.aux),
          w(record.w),
          blob(record.blob) {}
};

}  // namespace casmotion
