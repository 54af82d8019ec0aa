// SPDX-License-Identifier: GPL-2.0-or-later
//
// A recordable domain that is built by Xen's own libraries alone: no xl, no entries in xenstore, no console
// daemon. It takes some hundredths of a second where libxl takes one, and nobody checks what it is fed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.h"
#include "casmotion/status.h"

struct xc_interface_core;
struct xengntdev_handle;

namespace casmotion::test {

// One thread uses an object.
class DomainFactory {
  public:
    // Domains of `kernel`.
    static Result<std::unique_ptr<DomainFactory>> open(const std::string& kernel);
    ~DomainFactory();
    DomainFactory(const DomainFactory&) = delete;
    DomainFactory& operator=(const DomainFactory&) = delete;

    // A domain that is paused. For the recording cpupool, the memory pool must be free.
    Result<DomId> build(const std::string& cmdline, CpupoolId pool);
    Status move(DomId domain, CpupoolId pool);
    Status unpause(DomId domain);
    // The domain may keep the pool for a moment.
    Status destroy(DomId domain);

    // Puts text into the console's input ring, as its back end would (into what dom0 gets for grant 0).
    Status type(DomId domain, const std::string& text);

    // Pages that Xen has left to give to domains.
    Result<std::uint64_t> free_pages();

  private:
    DomainFactory() = default;

    std::string kernel_;
    xc_interface_core* xch_ = nullptr;
    xengntdev_handle* grants_ = nullptr;
};

}  // namespace casmotion::test
