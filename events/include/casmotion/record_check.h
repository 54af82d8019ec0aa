// SPDX-License-Identifier: GPL-2.0-or-later
//
// The check that stands between the records of a log, or of a ring, and whoever uses them: a log may come
// from somebody else. It asks what must hold so that no record can do harm, whatever the guest does; whether
// a record is the right one at its place is for OrderCheck, and in the end for the replay, to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "casmotion/record.h"
#include "casmotion/status.h"

namespace casmotion {

// Sees records one after the other. For each:
//   - check_fields(): kinds, ports, offsets, lengths, addresses;
//   - the frame of a log: it begins with INIT and the first digest, and neither comes again; nothing follows
//     END;
//   - between two other records at most CASM_TRIP_BYTES of effects: Xen applies them all before the guest
//     runs on.
class RecordCheck {
  public:
    // `disabled_classes`: as in the recording's options; those classes need not be there. `records`: how many
    // there are, if that is known (reading a log); END must be the last then.
    explicit RecordCheck(std::uint32_t disabled_classes = 0,
                         std::optional<std::uint64_t> records = std::nullopt);

    // The next record is number `index`.
    void move_to(std::uint64_t index);

    // Checks the next record. kLogInvalid with its number, class and what is wrong.
    [[nodiscard]] Status next(const RecordView& record);

    // Checks the ring records at the start of `bytes`, up to the first that is wrong or not whole, and
    // returns their size. `status`: as of next() for the one that is wrong; also kLogInvalid for bytes that
    // are no ring record.
    [[nodiscard]] std::size_t all_ring(std::span<const std::byte> bytes, Status& status);

  private:
    std::size_t plain_ring(std::span<const std::byte> bytes);
    Status frame(const RecordView& record) const;
    Status effects(const RecordView& record);

    std::optional<std::uint64_t> records_;
    std::uint64_t init_records_,
        start_records_;  // INIT, and with it the first digest: 1 and 2 if both are logged
    std::uint64_t index_ = 0;
    std::uint64_t effect_bytes_ = 0;  // at this injection point
    bool ended_ = false;
};

}  // namespace casmotion
