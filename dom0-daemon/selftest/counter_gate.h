// SPDX-License-Identifier: GPL-2.0-or-later
//
// May a recording use the branch counter? The self-test's result, tested now or remembered.
#pragma once

#include "casmotion/status.h"
#include "selftest/counter_memory.h"
#include "selftest/counter_selftest.h"
#include "session/record_session.h"

namespace casmotion {

enum class WhenToTest {
    kAlways,     ///< doctor, setup
    kIfUnknown,  ///< record: only if this boot knows no result
};

/// What is known of the host's counter, after testing it where `when` says so and the pool is free. A fresh
/// result is remembered; a counter that was found wrong once stays kNotExact until the host boots. Fails as
/// run_counter_selftest() does; a pool that is in use gives the remembered result, or kUntested.
Result<CounterVerdict> examine_counter(const SessionHost& host, const HostInfo& info,
                                       const CounterMemory& memory, WhenToTest when);

/// Decides for a recording: true to use the counter. Notices say when the self-test runs, and what a
/// recording without a counter means. Host lacks (69) if there is a counter that is not exact, or that cannot
/// be tested now. `wanted` is false for --no-counter.
Result<bool> decide_counter(const SessionHost& host, const HostInfo& info, const CounterMemory& memory,
                            bool wanted);

}  // namespace casmotion
