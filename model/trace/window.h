// SPDX-License-Identifier: GPL-2.0-or-later
//
// Cuts a log into windows: trips of the guest through Xen, each an ENTRY with its outputs and the effects
// behind it. Windows that differ only in values have the same shape; what is shown of a shape for all values
// holds for each.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "casmotion/record.h"

namespace casmotion::trace {

// One record without its values: class, and what decides how it is treated.
struct Symbol {
    std::uint8_t cls = 0;
    std::uint8_t kind = 0;     // ENTRY, RING, DIGEST, APOINT: the field; RESULT: the hypercall
    std::uint16_t detail = 0;  // ENTRY: what decides its outputs, see symbol_of()

    bool operator==(const Symbol&) const = default;
};

[[nodiscard]] Symbol symbol_of(const Record& record);

// "tsc, entry privop 0xf31, evtchn": for messages.
[[nodiscard]] std::string to_text(const std::vector<Symbol>& shape);

// A shape and where it occurs.
struct ShapeUse {
    std::vector<Symbol> shape;
    std::uint64_t first_record = 0;   // of its first window
    std::uint64_t first_ordinal = 0;  // ENTRY records before that
    std::uint64_t windows = 0;
};

class WindowCollector {
  public:
    // At most `shapes_max` shapes are kept; complete() says whether those were all.
    explicit WindowCollector(std::uint64_t shapes_max) : shapes_max_(shapes_max) {}

    // The records of a log in order. Constant time.
    void add(const Record& record, std::uint64_t index, std::uint64_t ordinal);
    // After the last record.
    void finish() { close(); }

    [[nodiscard]] const std::vector<ShapeUse>& shapes() const { return shapes_; }  // in order of first use
    [[nodiscard]] std::uint64_t windows() const { return windows_; }
    [[nodiscard]] bool complete() const { return complete_; }

  private:
    void close();

    std::uint64_t shapes_max_;
    std::string key_;  // the window so far: four bytes per symbol
    std::uint64_t first_record_ = 0, first_ordinal_ = 0, windows_ = 0;
    unsigned points_ = 0;      // APOINT records in the window
    bool entered_ = false;     // the window has the ENTRY to which its outputs belong
    bool call_open_ = false;   // it has outputs of a hypercall whose ENTRY is still to come
    bool value_open_ = false;  // ... of an emulated instruction
    bool complete_ = true;
    std::unordered_map<std::string, std::size_t> known_;
    std::vector<ShapeUse> shapes_;
};

}  // namespace casmotion::trace
