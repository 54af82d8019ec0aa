// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a domain's configuration says about the end of its guest (xl.cfg(5): on_poweroff and so on).
#pragma once

#include <optional>
#include <string_view>

namespace casmotion {

enum class EndAction {
    kDestroy,
    kRestart,
    kRenameRestart,
    kPreserve,
    kCoredumpDestroy,
    kCoredumpRestart,
    kSoftReset,
};

/// The word of xl.cfg, and of libxl, for it: "destroy", "coredump-restart", ...
std::string_view name_of(EndAction action);

/// nullopt: no action that this version knows.
std::optional<EndAction> end_action_of(std::string_view word);

struct EndActions {
    EndAction poweroff = EndAction::kDestroy;
    EndAction reboot = EndAction::kRestart;
    EndAction watchdog = EndAction::kDestroy;
    EndAction crash = EndAction::kDestroy;
    EndAction soft_reset = EndAction::kSoftReset;
};

}  // namespace casmotion
