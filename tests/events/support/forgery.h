// SPDX-License-Identifier: GPL-2.0-or-later
//
// Records that no recording makes, in the middle of a recording that is right: what somebody might send who
// wants a replay to hurt the host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/record.h"
#include "casmotion/status.h"

namespace casmotion::test {

// One forged record, and where it goes. Fields that are not set are those of the record at its place if that
// is of the same class, else 0.
struct Forgery {
    enum class How { kReplace, kInsert };            // the record at the place, or before it
    enum class Nth { kFirst, kMiddle, kLast, kAt };  // of the records of class `anchor`

    std::uint8_t cls = 0;  // any number, also of no class
    std::optional<std::uint8_t> kind;
    std::optional<std::uint16_t> check;  // of a class with a blob: what the header claims, whatever follows
    std::optional<std::uint32_t> aux;
    std::array<std::optional<std::uint64_t>, 3> w;
    std::optional<std::size_t> blob_bytes;  // other bytes behind the words; the header says so too
    std::uint8_t fill = 0x41;               // what these bytes are

    How how = How::kReplace;
    std::uint8_t anchor = 0;  // 0: any class
    Nth nth = Nth::kFirst;
    std::size_t at = 0;  // kAt: which

    bool operator==(const Forgery&) const = default;
};

// "end,at=end:last,how=replace,kind=4,bytes=4096": the class by name or number, then fields by name (numbers
// as in C): kind, check, aux, w0, w1, w2, bytes, fill; at=CLASS[:first|middle|last|N], how=replace|insert.
[[nodiscard]] Result<Forgery> parse_forgery(std::string_view text);
// The inverse, for messages.
[[nodiscard]] std::string to_text(const Forgery& forgery);

// Index of the record in `records` that the forgery goes to; none if there is no record of its anchor.
[[nodiscard]] std::optional<std::size_t> place_of(const Forgery& forgery, const std::vector<Record>& records);

// The log with the forgery in it. Usage error for what the log format cannot hold: fields that the class does
// not have, a header that claims another length, more than CASM_BLOB_MAX_BYTES or no byte at all.
[[nodiscard]] Result<std::vector<Record>> forged_log(const Forgery& forgery, std::vector<Record> records);

// The same as the bytes of a feed ring, where nothing is impossible. `forged_at`, if not null: where the
// forged record starts.
[[nodiscard]] Result<std::vector<std::byte>> forged_feed(const Forgery& forgery,
                                                         const std::vector<Record>& records,
                                                         std::size_t* forged_at = nullptr);

// Lengths at which something could go wrong: none, around words, fixed buffers and pages, beyond the format.
[[nodiscard]] std::vector<std::size_t> edge_lengths();

// Forgeries for the log `records`: every class number up to CASM_CLASSES_MAX and 255, in place of the first,
// middle and last record of its class, and before the first and the last record and effect of the log; each
// with every length of `lengths`, in full and in the header alone, and with hostile values in every field of
// the header and every word. Then `random` combinations that follow from `seed`.
[[nodiscard]] std::vector<Forgery> forgeries(const std::vector<Record>& records,
                                             const std::vector<std::size_t>& lengths, std::uint64_t seed,
                                             std::size_t random);

}  // namespace casmotion::test
