// SPDX-License-Identifier: GPL-2.0-or-later
//
// `casmotion doctor`: can this host record? One finding per thing that is needed, each with what to do about
// it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"
#include "selftest/counter_selftest.h"
#include "toolstack/toolstack.h"

namespace casmotion {

enum class Health {
    kGood,
    kNote,     ///< worth knowing, no obstacle
    kBad,      ///< recording is not possible
    kSkipped,  ///< could not be asked because something before it is bad
};

std::string_view name_of(Health health);  // "ok", "note", "bad", "skipped"

struct Finding {
    std::string check;  ///< short, stable name for scripts: "xen", "patches", "pool", ...
    Health health = Health::kGood;
    std::string text;  ///< one line
};

/// How the host is reached; functions, so that a test can pretend.
struct DoctorHost {
    std::function<Result<std::unique_ptr<Hypervisor>>()> open_hypervisor;
    std::function<Result<std::unique_ptr<Toolstack>>()> open_toolstack;
    std::function<bool(const std::string&)> process_runs;    ///< is a process of that name running?
    std::function<bool(const std::string&)> program_exists;  ///< is it in PATH?
    std::function<std::string()> cpuinfo;                    ///< text of /proc/cpuinfo
    /// Tests the branch counter; asked only if there is one, a recording cpupool, and a memory pool.
    std::function<Result<CounterVerdict>(Hypervisor&, Toolstack&, const HostInfo&)> examine_counter;
};

/// The real host.
DoctorHost real_host();

/// Asks everything; never fails. Takes some seconds if there is a branch counter to test.
std::vector<Finding> examine(const DoctorHost& host);

/// The finding "counter" for what a test came to, or failed with.
Finding counter_finding(const Result<CounterVerdict>& verdict);

/// ok, or host lacks (69) naming the first bad finding.
Status verdict_of(const std::vector<Finding>& findings);

}  // namespace casmotion
