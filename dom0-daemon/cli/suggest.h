// SPDX-License-Identifier: GPL-2.0-or-later
//
// One line for wrong arguments, with the nearest match of what was meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace casmotion {

/// Number of insertions, deletions and replacements between two words.
size_t edit_distance(std::string_view a, std::string_view b);

/// The word of `known` that is nearest to `word`; empty if none is near (over a third of its length away).
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// What is wrong, what was probably meant, and where help is.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& arguments);

}  // namespace casmotion
