// SPDX-License-Identifier: GPL-2.0-or-later
#include "selftest/branch_readings.h"

#include <array>
#include <optional>
#include <string_view>

#include "base/host_text.h"
#include "casmotion/record_fields.h"

namespace casmotion {
namespace {

struct Piece {
    std::string_view symbol;
    std::string_view name;
    uint64_t branches;
};

constexpr auto kPieces = std::to_array<Piece>({
#define SELFTEST_PIECE(symbol, name, branches) {#symbol, name, branches},
#include "selftest/kernel/pieces.def"
#undef SELFTEST_PIECE
});

// The kernel's own marks (kernel/kernel.S): hypercalls that nothing else in it makes.
constexpr uint32_t kBeginsPiece = 5;  // fpu_taskswitch
constexpr uint32_t kMeasures = 9;     // get_debugreg

bool is_hypercall(const Record& record, uint32_t number) {
    return record.cls == CASM_CLS_ENTRY && record.kind == CASM_ENTRY_HYPERCALL && record.aux == number;
}

/// Follows the kernel through the log.
class Follower {
  public:
    void take(const Record& record) {
        if (record.cls == CASM_CLS_ENTRY) {
            if (is_hypercall(record, kBeginsPiece)) ++begun_;
            measuring_ = is_hypercall(record, kMeasures);
        } else if (record.cls == CASM_CLS_BRANCHES && measuring_ && begun_ < totals_.size()) {
            measured(record.w[0]);
        } else if (record.cls == CASM_CLS_APOINT && begun_ != 0 && begun_ <= kPieces.size() &&
                   kPieces[begun_ - 1].symbol == "long_loop") {
            point(record);
        }
    }

    std::optional<BranchReadings> finish() {
        for (const auto& total : totals_)
            if (!total) return std::nullopt;
        for (size_t i = 0; i < kPieces.size(); ++i)
            compare(kPieces[i].name, kPieces[i].branches, *totals_[i + 1] - *totals_[i]);
        out_.branches = *totals_.back() - *totals_.front();
        return std::move(out_);
    }

  private:
    void compare(std::string_view what, uint64_t expected, uint64_t counted) {
        if (expected != counted) out_.wrong.push_back({std::string(what), expected, counted});
    }

    void measured(uint64_t total) {
        std::optional<uint64_t>& place = totals_[begun_];
        if (place) compare("hypercalls in a row without a branch", *place, total);
        if (!place) place = total;
    }

    /// Right after a branch of the long loop, the branches since the entry before it and the loop's counter
    /// add up.
    void point(const Record& record) {
        const auto state = apoint_state(record);
        if (record.kind != CASM_APOINT_CANONICAL || !state || state->rcx > SELFTEST_LONG_LOOP) return;
        ++out_.points;
        compare("a point in the long loop", SELFTEST_LONG_LOOP - state->rcx, record.w[0]);
    }

    size_t begun_ = 0;  // pieces
    bool measuring_ = false;
    std::array<std::optional<uint64_t>, kPieces.size() + 1> totals_;  // before the first piece, after each
    BranchReadings out_;
};

}  // namespace

Result<BranchReadings> read_branches(LogReader& reader) {
    CASM_TRY(reader.seek(RecordIndex{0}));
    Follower follower;
    Record record;
    for (;;) {
        CASM_ASSIGN(const bool more, reader.next(record));
        if (!more) break;
        follower.take(record);
    }
    std::optional<BranchReadings> readings = follower.finish();
    if (!readings) return Status(Category::kInconclusive, "the self-test's guest did not run to its end");
    return *std::move(readings);
}

std::string to_text(const WrongCount& wrong) {
    return "'" + wrong.what + "' has " + with_thousands(wrong.expected_branches) + " branches, " +
           with_thousands(wrong.counted_branches) + " were counted";
}

}  // namespace casmotion
