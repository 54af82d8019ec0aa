// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the configuration of a recorded guest may hold, as an allow-list. A log may come from somebody else,
// and libxl does as root what a configuration says: it starts programs (device models, boot loaders, scripts
// of devices), gives away ports, interrupts and memory of the machine, writes into xenstore. So `replay`
// builds a domain from the fields of this list only, and `record` takes no guest that has others: the same
// list, so that what was recorded replays. Whatever is not on it, a field of a libxl to come too, is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "casmotion/status.h"

namespace casmotion {

/// A configuration that went through the list. There is no other way to make one, and a domain is built again
/// from nothing else.
class RecordableConfig {
  public:
    /// Reads a libxl_domain_config as JSON text. One that is not recordable fails with `category` and a line
    /// that begins with `whose` ("log guest.log", "domain 'guest'") and names the field.
    [[nodiscard]] static Result<RecordableConfig> read(std::string_view json, Category category,
                                                       const std::string& whose);

    /// The configuration for libxl, written anew: only fields that the guest can notice. What belongs to a
    /// host (name, pool, CPUs, scheduling, paths of kernel and ramdisk) is left out.
    [[nodiscard]] const std::string& json() const { return json_; }
    /// The guest's memory, in KiB.
    [[nodiscard]] uint64_t memory_kib() const { return memory_kib_; }

  private:
    RecordableConfig(std::string json, uint64_t memory_kib)
        : json_(std::move(json)), memory_kib_(memory_kib) {}

    std::string json_;
    uint64_t memory_kib_;
};

}  // namespace casmotion
