// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/selftest_trace.h"

#include <array>
#include <cstring>

#include "casm_abi.h"

namespace casmotion::test {
namespace {

struct Piece {
    std::string symbol;
    uint64_t branches;
};

const std::vector<Piece>& pieces() {
    static const std::vector<Piece> kAll = {
#define SELFTEST_PIECE(symbol, name, branches) {#symbol, branches},
#include "selftest/kernel/pieces.def"
#undef SELFTEST_PIECE
    };
    return kAll;
}

class Builder {
  public:
    explicit Builder(const SelftestTraceOptions& options) : options_(options) {}

    std::vector<Record> build() {
        put({.cls = CASM_CLS_INIT, .blob = std::vector<uint8_t>(64, 1)});
        put({.cls = CASM_CLS_DIGEST, .kind = CASM_DIGEST_START, .w = {0, 4096, 1}});
        for (unsigned i = 0; i < options_.first_entries; ++i) hypercall(14);
        measure();
        for (const Piece& piece : pieces()) {
            hypercall(5);
            run(piece);
            const auto off = options_.off_by.find(piece.symbol);
            branches_ +=
                piece.branches + (off == options_.off_by.end() ? 0 : static_cast<uint64_t>(off->second));
            measure();
        }
        put({.cls = CASM_CLS_DIGEST, .kind = CASM_DIGEST_END, .w = {ordinal_, 4096, 2}});
        Record end{.cls = CASM_CLS_END, .kind = CASM_END_SHUTDOWN, .w = {ordinal_, 3, 0}};
        end.blob.resize(sizeof(applied_));
        std::memcpy(end.blob.data(), applied_.data(), sizeof(applied_));
        put(std::move(end));
        return std::move(log_);
    }

  private:
    void put(Record record) {
        if (!record.blob.empty()) record.check = static_cast<uint16_t>(record.blob.size());
        if (record.cls != CASM_CLS_END) ++applied_[record.cls];
        log_.push_back(std::move(record));
    }

    void hypercall(uint32_t number) {
        put({.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_HYPERCALL, .aux = number});
        if (++ordinal_ % CASM_BRANCHES_INTERVAL == 0) put({.cls = CASM_CLS_BRANCHES, .w = {branches_, 0, 0}});
    }

    void measure() {
        for (unsigned i = 0; i < CASM_BRANCHES_INTERVAL; ++i) hypercall(9);
    }

    void run(const Piece& piece) {
        if (piece.symbol == "hypercalls")
            for (int i = 0; i < 100; ++i) hypercall(17);
        if (piece.symbol != "long_loop") return;
        hypercall(24);
        for (uint64_t i = 1; i <= 5; ++i) {
            const uint64_t at = i * 1'000'000;
            Record point{.cls = CASM_CLS_APOINT,
                         .kind = CASM_APOINT_CANONICAL,
                         .w = {at + (i == 3 ? static_cast<uint64_t>(options_.point_off_by) : 0), 0x101000, i},
                         .blob = std::vector<uint8_t>(24)};
            const uint64_t state[3] = {0x101008, piece.branches - at, 0x110000};
            std::memcpy(point.blob.data(), state, sizeof(state));
            put(std::move(point));
            put({.cls = CASM_CLS_EVTCHN, .aux = 3});
        }
    }

    SelftestTraceOptions options_;
    std::vector<Record> log_;
    std::array<uint64_t, CASM_CLASSES_MAX> applied_{};
    uint64_t ordinal_ = 0, branches_ = 0;
};

}  // namespace

std::vector<Record> selftest_trace(const SelftestTraceOptions& options) {
    return Builder(options).build();
}

}  // namespace casmotion::test
