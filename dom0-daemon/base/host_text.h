// SPDX-License-Identifier: GPL-2.0-or-later
//
// Small helpers for messages: errors of the host, sizes, counts, times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace casmotion {

/// Text of an errno value, such as "No such file or directory".
std::string error_text(int error);

/// "12,345,678".
std::string with_thousands(uint64_t value);

/// A size for people: "512 bytes", "1.5 KiB", "64.0 MiB".
std::string size_text(uint64_t bytes);

/// Seconds with two decimals, from nanoseconds: "3.20 s".
std::string seconds_text(uint64_t duration_ns);

/// "0x1234".
std::string hex_text(uint64_t value);

/// Reads a size: a decimal number with an optional K, M or G (powers of 1024; "KiB", "KB" and lower case are
/// taken too). nullopt: not a size, or it does not fit in 64 bits.
std::optional<uint64_t> parse_size(std::string_view text);

/// Reads an unsigned decimal number that fills the whole text. nullopt: it does not, or it is too large.
std::optional<uint64_t> parse_u64(std::string_view text);

/// Reads a hexadecimal number, "0x" before it or not, that fills the whole text. nullopt as above.
std::optional<uint64_t> parse_hex(std::string_view text);

/// Text of untrusted origin (a guest's name, bytes of a log) with control characters made harmless: "\x1b"
/// and so on. Newlines are escaped as well: the result is one line.
std::string printable(std::string_view text);

/// A message with control characters escaped and everything else, UTF-8 included, as it is: for printing
/// lines that quote paths and names.
std::string without_controls(std::string_view text);

}  // namespace casmotion
