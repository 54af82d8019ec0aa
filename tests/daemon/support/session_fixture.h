// SPDX-License-Identifier: GPL-2.0-or-later
//
// A fake host with a guest that can be recorded, for tests of whole recordings and replays.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "session/record_session.h"
#include "support/fake_toolstack.h"
#include "support/fake_xen.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {

bool contains(const std::string& text, const std::string& part);

class SessionTest : public testing::Test {
  protected:
    SessionTest();

    SessionHost host() { return {xen_, toolstack_, clock_, stop_, progress_}; }

    /// Records the domain "guest" and expects that to work.
    RecordReport recorded();

    /// The host has a branch counter, and `request_` uses it.
    void has_counter();

    /// What was said on the way, a line each.
    std::string all_notices() const {
        std::string all;
        for (const std::string& line : progress_.notices) all += line + "\n";
        return all;
    }

    /// Xen holds nothing of a session any more; with `log_too` there is no log, whole or incomplete, either.
    void expect_nothing_left(bool log_too = true);

    /// Recording `request_` is refused with `category` and a line that contains `part`.
    void expect_refused(Category category, const std::string& part);

    TempFolder folder_;
    FakeClock clock_;
    FakeStop stop_;
    CollectedProgress progress_;
    FakeXen xen_{clock_};
    FakeToolstack toolstack_{xen_};
    std::vector<Record> trace_ = synthetic_log({.seed = 1, .entries = 3000});
    RecordRequest request_;
};

}  // namespace casmotion::test
