// SPDX-License-Identifier: GPL-2.0-or-later
//
// What several commands share: option values that are checked once, and the host as one object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "casmotion/status.h"
#include "cli/command.h"
#include "hypervisor/hypervisor.h"
#include "session/record_session.h"
#include "toolstack/toolstack.h"

namespace casmotion {

/// The real host, for commands that need Xen. Owns everything that SessionHost refers to.
class XenHost {
  public:
    /// Opens hypervisor and toolstack; checks the hypervisor first, so that a host without Xen, or with a
    /// stock one, gets that message and not libxl's.
    static Result<std::unique_ptr<XenHost>> open(const GlobalOptions& global);
    SessionHost session() { return {*hypervisor_, *toolstack_, clock_, stop_, progress_}; }

  private:
    explicit XenHost(const GlobalOptions& global) : progress_(clock_, global.quiet) {}

    SteadyClock clock_;
    ProcessStopSignal stop_;
    TerminalProgress progress_;
    std::unique_ptr<Hypervisor> hypervisor_;
    std::unique_ptr<Toolstack> toolstack_;
};

/// Size given as an option; usage error (2) naming the option if it is none.
Result<uint64_t> size_option(const std::string& option, const std::string& text);

/// Count given as an option, 0 to `max`; usage error (2) naming the option if it is none. (The parser's own
/// conversion would take "-1" as a huge number.)
Result<uint64_t> count_option(const std::string& option, const std::string& text,
                              uint64_t max = ~uint64_t{0});

/// Seconds with an optional fraction, as nanoseconds; usage error (2) naming the option if it is none or too
/// long.
Result<uint64_t> seconds_option(const std::string& option, const std::string& text);

/// Guest addresses, both inclusive.
struct AddressRange {
    uint64_t first = 0, last = 0;
};

/// "FIRST-LAST" in hexadecimal, with or without 0x; usage error (2) naming the option if it is none.
Result<AddressRange> address_range_option(const std::string& option, const std::string& text);

/// Class names as a set of bits; usage error (2) with the known names.
Result<uint32_t> classes_option(const std::vector<std::string>& names);

}  // namespace casmotion
