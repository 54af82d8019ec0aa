// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/seed.h"

#include <cstdlib>

namespace casmotion::test {

std::uint64_t base_seed() {
    static const std::uint64_t seed = [] {
        const char* given = std::getenv("CASMOTION_TEST_SEED");
        return given != nullptr ? std::strtoull(given, nullptr, 0) : std::uint64_t{std::random_device{}()};
    }();
    return seed;
}

}  // namespace casmotion::test
