// SPDX-License-Identifier: GPL-2.0-or-later
#include "hypervisor/op_text.h"

#include <cerrno>

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {

Status op_failure(std::string_view what, DomId domain, OpResult result) {
    const std::string prefix =
        "cannot " + std::string(what) + " domain " + std::to_string(domain.value) + ": ";
    switch (result.error) {
        case ESRCH:
            return usage_error(prefix + "it does not exist any more");
        case EBUSY:
            return usage_error(prefix +
                               "it ran already, or is being recorded or replayed, or a profiler "
                               "has the branch counter");
        case EPERM:
        case EACCES:
            return host_lacks(prefix + "not permitted (run as root in dom0)");
        case ENOMEM:
            return host_lacks(prefix + "Xen is out of memory (a smaller --ring needs less)");
        case ENODEV:
            return host_lacks(prefix +
                              "the branch counter cannot be used any more, or the domain is not in the pool");
        case EADDRINUSE:
            return host_lacks(
                prefix +
                "a program in dom0 has memory of it mapped (xenctx, xl dump-core, a debugger); end that "
                "and try again");
        case EISCONN:
            return usage_error(prefix +
                               "it has ports, interrupts or memory of a device, a debugger is attached, or "
                               "its page tables are shadowed: none of that can be in a log");
        case ENXIO:
            return host_lacks(prefix + "the physical CPU it is to run on is not in its cpupool, or offline");
        case ENOSYS:
        case EOPNOTSUPP:
            return host_lacks(prefix +
                              "this Xen does not have CASMotion's patches, or the domain is not in its pool");
        default:
            return internal_error(prefix + error_text(result.error));
    }
}

}  // namespace casmotion
