// SPDX-License-Identifier: GPL-2.0-or-later
//
// The fuzzer's bytes as values. Words are often small or near a chosen one: random 64-bit words meet no
// condition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace casmotion::timematch {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    [[nodiscard]] bool empty() const { return size_ == 0; }
    std::uint8_t byte() {
        if (size_ == 0) return 0;
        --size_;
        return *data_++;
    }
    std::uint64_t word() {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < 8; ++i) value = value << 8 | byte();
        return value;
    }
    // Mostly `near` plus or minus a little; sometimes anything.
    std::uint64_t word_near(std::uint64_t near) {
        const std::uint8_t how = byte();
        return how == 0xff ? word() : near + (how & 0x7f) / 4 - 4;
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
};

}  // namespace casmotion::timematch
