// SPDX-License-Identifier: GPL-2.0-or-later
//
// The last result of the counter's self-test, kept for this boot of the host.
#pragma once

#include <optional>
#include <string>

#include "casm_abi.h"
#include "casmotion/status.h"
#include "selftest/counter_selftest.h"
#include "toolstack/toolstack.h"

namespace casmotion {

/// What a result holds for; another of any of these makes it worthless.
struct CounterKey {
    std::string boot_id;  ///< of dom0, which boots with Xen; empty: unknown, nothing is kept then
    std::string xen_build_id;
    std::string tool_version;
    casm_counter counter = CASM_COUNTER_ABSENT;

    bool operator==(const CounterKey&) const = default;
};

class CounterMemory {
  public:
    /// `path`: the file, whose folder is made when needed.
    explicit CounterMemory(std::string path = "/run/casmotion/counter") : path_(std::move(path)) {}

    /// nullopt: nothing is known for `key`. A file that makes no sense counts as none.
    std::optional<CounterVerdict> recall(const CounterKey& key) const;

    /// Keeps kUsable or kNotExact. The file is replaced as a whole. Host lacks (69) if it cannot be written.
    Status remember(const CounterKey& key, const CounterVerdict& verdict) const;

  private:
    std::string path_;
};

/// The key of this host now.
CounterKey counter_key(Toolstack& toolstack, casm_counter counter);

}  // namespace casmotion
