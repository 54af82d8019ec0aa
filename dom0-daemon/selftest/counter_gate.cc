// SPDX-License-Identifier: GPL-2.0-or-later
#include "selftest/counter_gate.h"

#include <string>
#include <string_view>

#include "base/failures.h"
#include "session/host_check.h"

namespace casmotion {
namespace {

constexpr const char* kWithout =
    "; --no-counter records without it: events then wait until the guest enters Xen";

constexpr std::string_view kEarlier =
    " (in an earlier test since the host booted; the last one found nothing)";

void say_what_it_means(const SessionHost& host, const std::string& why) {
    host.progress.notice("record: no branch counter is used (" + why +
                         "): events wait until the guest enters Xen;");
    host.progress.notice(
        "record: a guest that computes for long without entering Xen sees its timer late (290 ms and more "
        "were "
        "measured)");
}

}  // namespace

Result<CounterVerdict> examine_counter(const SessionHost& host, const HostInfo& info,
                                       const CounterMemory& memory, WhenToTest when) {
    CounterVerdict verdict;
    if (!info.counter_ready()) {
        verdict.health = CounterHealth::kAbsent;
        verdict.text = counter_reason_text(info);
        return verdict;
    }
    const CounterKey key = counter_key(host.toolstack, info.counter);
    const std::optional<CounterVerdict> known = memory.recall(key);
    if (when == WhenToTest::kIfUnknown && known) return *known;
    if (Status free = wait_for_pool(host.hypervisor, host.toolstack, host.clock, kPoolPatience); !free.ok()) {
        if (known) return *known;
        verdict.health = CounterHealth::kUntested;
        verdict.text = free.message();
        return verdict;
    }
    if (when == WhenToTest::kIfUnknown)
        host.progress.notice(
            "record: the branch counter was not tested since the host booted; testing it, which takes some "
            "seconds");
    CASM_ASSIGN(verdict, run_counter_selftest(host));
    // A counter that was wrong once is not exact, even if a later test does not meet what it was wrong at.
    if (known && known->health == CounterHealth::kNotExact && verdict.health == CounterHealth::kUsable) {
        verdict = *known;
        if (!verdict.text.ends_with(kEarlier)) verdict.text += kEarlier;
    }
    // Without a memory the next recording tests again, and nothing else is lost.
    memory.remember(key, verdict).ignore();
    return verdict;
}

Result<bool> decide_counter(const SessionHost& host, const HostInfo& info, const CounterMemory& memory,
                            bool wanted) {
    if (!wanted) {
        say_what_it_means(host, "--no-counter");
        return false;
    }
    const Result<CounterVerdict> verdict = examine_counter(host, info, memory, WhenToTest::kIfUnknown);
    if (!verdict.ok()) {
        if (host.stop.requests() > 0) return verdict.status();
        return host_lacks("the branch counter could not be tested: " + verdict.status().message() + kWithout);
    }
    switch (verdict->health) {
        case CounterHealth::kAbsent:
            say_what_it_means(host, verdict->text);
            return false;
        case CounterHealth::kUsable:
            return true;
        case CounterHealth::kNotExact:
            return host_lacks("the branch counter of this host is not exact: " + verdict->text + kWithout);
        case CounterHealth::kUntested:
            return host_lacks("the branch counter was not tested since the host booted, and cannot be now: " +
                              verdict->text + " (then run 'casmotion doctor')" + kWithout);
    }
    return internal_error("unknown verdict on the counter");
}

}  // namespace casmotion
