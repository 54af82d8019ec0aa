// SPDX-License-Identifier: GPL-2.0-or-later
//
// CRC-32C (Castagnoli, RFC 3720 appendix B.4): reflected polynomial 0x82f63b78, initial value and final xor
// ~0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace casmotion {

// Uses the SSE4.2 instruction where the CPU has it.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes);

// The same by table, on any CPU; for the test that both agree.
[[nodiscard]] std::uint32_t crc32c_by_table(std::span<const std::byte> bytes);

}  // namespace casmotion
