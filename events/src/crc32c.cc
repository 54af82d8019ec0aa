// SPDX-License-Identifier: GPL-2.0-or-later
#include "crc32c.h"

#include <array>
#include <cstring>

namespace casmotion {

namespace {

// kTables[k][b]: contribution of byte b when k more bytes follow in the same step ("slicing by 8").
constexpr auto kTables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
        tables[0][byte] = crc;
    }
    for (std::size_t k = 1; k < tables.size(); ++k)
        for (std::size_t byte = 0; byte < 256; ++byte)
            tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
    return tables;
}();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::span<const std::byte> bytes) {
    std::uint64_t crc = ~0u;
    while (bytes.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), sizeof(word));
        crc = __builtin_ia32_crc32di(crc, word);
        bytes = bytes.subspan(8);
    }
    auto crc32 = static_cast<std::uint32_t>(crc);
    for (const std::byte byte : bytes)
        crc32 = __builtin_ia32_crc32qi(crc32, static_cast<unsigned char>(byte));
    return ~crc32;
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::span<const std::byte> bytes) {
    std::uint32_t crc = ~0u;
    while (bytes.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), sizeof(word));
        word ^= crc;
        crc = 0;
        for (std::size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
        bytes = bytes.subspan(8);
    }
    for (const std::byte byte : bytes)
        crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
    return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> bytes) {
#if defined(__x86_64__)
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
    if (has_sse42) return crc32c_sse42(bytes);
#endif
    return crc32c_by_table(bytes);
}

}  // namespace casmotion
