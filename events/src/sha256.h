// SPDX-License-Identifier: GPL-2.0-or-later
//
// SHA-256 (FIPS 180-4) of a stream, by OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "casmotion/manifest.h"

namespace casmotion {

// Feed with update(), then take finish() once.
class Sha256Stream {
  public:
    Sha256Stream();
    ~Sha256Stream();
    Sha256Stream(const Sha256Stream&) = delete;
    Sha256Stream& operator=(const Sha256Stream&) = delete;

    void update(std::span<const std::byte> bytes);
    [[nodiscard]] Sha256 finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace casmotion
