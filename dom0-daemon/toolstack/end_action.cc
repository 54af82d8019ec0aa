// SPDX-License-Identifier: GPL-2.0-or-later
#include "toolstack/end_action.h"

#include <utility>

namespace casmotion {
namespace {

constexpr std::pair<EndAction, std::string_view> kWords[] = {
    {EndAction::kDestroy, "destroy"},
    {EndAction::kRestart, "restart"},
    {EndAction::kRenameRestart, "rename-restart"},
    {EndAction::kPreserve, "preserve"},
    {EndAction::kCoredumpDestroy, "coredump-destroy"},
    {EndAction::kCoredumpRestart, "coredump-restart"},
    {EndAction::kSoftReset, "soft-reset"},
};

}  // namespace

std::string_view name_of(EndAction action) {
    for (const auto& [known, word] : kWords)
        if (known == action) return word;
    return "?";
}

std::optional<EndAction> end_action_of(std::string_view word) {
    for (const auto& [action, known] : kWords)
        if (known == word) return action;
    return std::nullopt;
}

}  // namespace casmotion
