// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which CPU policy a guest that is recorded gets: what no log can hold is hidden from it, and, if it is to be
// replayed on processors of another vendor too, what they do not have in common.
#pragma once

#include <string>
#include <vector>

#include "casmotion/cpu_policy.h"
#include "casmotion/status.h"

namespace casmotion {

/// What a recording shows of the processor.
struct GuestCpuChoice {
    bool portable = false;             ///< only what AMD and Intel have in common
    std::vector<std::string> allowed;  ///< names of hidden inputs that stay visible all the same
};

/// Vendor that a portable guest is told: with the name of a real one it would look for what only that one
/// has.
inline constexpr const char* kPortableVendor = "CASMPortable";

/// Are these names of hidden inputs? Usage error (2) naming the first that is not, and those that are.
Status check_allowed(const std::vector<std::string>& names);

/// The policy to give to a guest that has `current`, which its configuration gave it.
CpuPolicy recording_policy(const CpuPolicy& current, const GuestCpuChoice& choice);

/// Features that `before` shows and `after` does not, by name.
std::vector<std::string> hidden_features(const CpuPolicy& before, const CpuPolicy& after);

/// Instructions that `policy` shows and whose results no log holds, by name.
std::vector<std::string> visible_hidden_inputs(const CpuPolicy& policy);

}  // namespace casmotion
