// SPDX-License-Identifier: GPL-2.0-or-later
//
// What becomes of a guest that goes on unrecorded, when it ends.
#include "session/attend.h"

#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

constexpr uint32_t kPoweroff = 0, kReboot = 1, kSuspend = 2, kCrash = 3, kWatchdog = 4;

class AttendTest : public SessionTest {
  protected:
    /// The guest ends with these codes, one after the other. What the attendant says.
    std::string attended(std::vector<uint32_t> ends) {
        const DomId domain = toolstack_.add_domain("guest", trace_);
        toolstack_.configs[domain.value].on_end = actions_;
        toolstack_.ends = std::move(ends);
        std::string said;
        const Status status = attend(
            toolstack_, domain, "/etc/xen/guest.cfg",
            [&] {
                destroyed_before_wait_ = toolstack_.destroyed;
                EXPECT_EQ(toolstack_.created_again, "");
                return Status{};
            },
            [&](const std::string& line) { said += line + "\n"; });
        EXPECT_TRUE(status.ok()) << status.message();
        return said;
    }

    EndActions actions_;
    int destroyed_before_wait_ = 0;
};

TEST_F(AttendTest, APoweredOffGuestIsDestroyed) {
    EXPECT_EQ(attended({kPoweroff}), "domain 5 'guest': destroyed (on_poweroff=\"destroy\")\n");
    EXPECT_EQ(toolstack_.destroyed, 1);
    EXPECT_EQ(toolstack_.created_again, "");
}

TEST_F(AttendTest, ARebootedGuestIsCreatedAgain) {
    EXPECT_TRUE(contains(attended({kReboot}), "created again"));
    EXPECT_EQ(toolstack_.destroyed, 1);
    EXPECT_EQ(toolstack_.created_again, "/etc/xen/guest.cfg in casmotion");
    EXPECT_EQ(destroyed_before_wait_, 1) << "the pool is waited for, once the old domain is destroyed";
}

TEST_F(AttendTest, EachEndHasItsOwnAction) {
    actions_.watchdog = EndAction::kPreserve;
    EXPECT_TRUE(contains(attended({kWatchdog}), "left (on_watchdog=\"preserve\")"));
    EXPECT_EQ(toolstack_.destroyed, 0);
    actions_.crash = EndAction::kCoredumpDestroy;
    EXPECT_TRUE(contains(attended({kCrash}), "its memory is in /var/lib/xen/dump/guest, destroyed"));
    EXPECT_EQ(toolstack_.dumped_to, "/var/lib/xen/dump/guest");
    EXPECT_EQ(toolstack_.destroyed, 1);
}

// A dump that fails must not leave the pool taken.
TEST_F(AttendTest, ADumpThatFailsIsSaidAndTheDomainDestroyed) {
    actions_.crash = EndAction::kCoredumpDestroy;
    toolstack_.core_dump_status = host_lacks("disk full");
    EXPECT_TRUE(contains(attended({kCrash}), "could not be dumped: disk full; destroyed"));
    EXPECT_EQ(toolstack_.destroyed, 1);
}

TEST_F(AttendTest, ASuspendedGuestIsLeftAndAttendedWhenItGoesOn) {
    attended({kSuspend, kPoweroff});
    EXPECT_EQ(toolstack_.resumed, 1);
    EXPECT_EQ(toolstack_.destroyed, 1);
}

TEST(EndActionTest, WordsAreThoseOfXlCfg) {
    for (const char* word : {"destroy", "restart", "rename-restart", "preserve", "coredump-destroy",
                             "coredump-restart", "soft-reset"}) {
        ASSERT_TRUE(end_action_of(word)) << word;
        EXPECT_EQ(name_of(*end_action_of(word)), word);
    }
    EXPECT_FALSE(end_action_of("explode"));
}

TEST_F(AttendTest, ADomainThatIsGoneNeedsNobody) {
    EXPECT_TRUE(contains(attended({}), "somebody else destroyed it"));
    EXPECT_EQ(toolstack_.destroyed, 0);
}

}  // namespace
}  // namespace casmotion::test
