// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs `xl create`. The mapping from an xl.cfg file to a domain lives in the xl program (libxlutil reads the
// syntax only), so the real xl does it.
#pragma once

#include <cstdint>
#include <string>

#include "casmotion/status.h"

namespace casmotion {

/// Stands by a domain that was created and does not run yet: if this process is killed before the guard is
/// gone, the domain is destroyed. A small process of its own, so that SIGKILL does not stop it. (A
/// parent-death signal would reach xl only, and leave what it has built.)
class CreationGuard {
  public:
    CreationGuard(int pid, int words) : pid_(pid), words_(words) {}
    CreationGuard(CreationGuard&& other) noexcept;
    CreationGuard& operator=(CreationGuard&&) = delete;
    /// From here on the domain is the caller's responsibility.
    ~CreationGuard();

  private:
    int pid_;    // of the guarding process, -1: moved away
    int words_;  // its standard input
};

/// Runs `xl create -p -q -e CFG pool="POOL"` and waits for it: the domain exists afterwards, paused, and no
/// xl process watches it. `domain_name` is the one that CFG gives. Usage error (2) with xl's own last words
/// when it fails; host lacks (69) when there is no xl.
Result<CreationGuard> xl_create_paused(const std::string& cfg_path, const std::string& pool_name,
                                       const std::string& domain_name);

/// Runs `xl create -q CFG pool="POOL"` and waits for it: the domain runs afterwards, and an xl process of its
/// own watches it. Usage error (2) with xl's own last words when it fails; host lacks (69) when there is no
/// xl.
Status xl_create_running(const std::string& cfg_path, const std::string& pool_name);

/// What an xl.cfg file says that we want to know before a domain exists.
struct CfgFacts {
    std::string name;
    uint64_t memory_bytes = 0;  ///< maxmem= or memory=, whichever is more; 0: not stated
    uint32_t vcpus = 1;         ///< maxvcpus= or vcpus=, whichever is more
};

/// Reads a file with libxlutil, which knows the syntax. Usage error (2): unreadable, bad syntax, no name.
Result<CfgFacts> read_cfg(const std::string& cfg_path);

}  // namespace casmotion
