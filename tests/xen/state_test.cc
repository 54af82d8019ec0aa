// SPDX-License-Identifier: GPL-2.0-or-later
//
// The states of a recordable domain (casm/state.c): the transitions that there are, and what comes too late.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/world.h"

namespace casmotion::test {
namespace {

using To = std::set<unsigned>;

// What may follow on what, written down a second time.
const std::map<unsigned, To>& legal() {
    static const std::map<unsigned, To> table = {
        {CASM_STATE_IDLE, {CASM_STATE_STARTING}},
        {CASM_STATE_STARTING, {CASM_STATE_IDLE, CASM_STATE_RECORD, CASM_STATE_REPLAY}},
        {CASM_STATE_RECORD, {CASM_STATE_STOPPING, CASM_STATE_CRASHING, CASM_STATE_FREE}},
        {CASM_STATE_STOPPING, {CASM_STATE_CRASHING, CASM_STATE_FREE}},
        {CASM_STATE_CRASHING, {CASM_STATE_FREE}},
        {CASM_STATE_FREE, {}},
        {CASM_STATE_REPLAY, {CASM_STATE_CRASHING, CASM_STATE_REPLAYED, CASM_STATE_DIVERGED}},
        {CASM_STATE_REPLAYED, {}},
        {CASM_STATE_DIVERGED, {}},
    };
    return table;
}

TEST(State, HasTheTransitionsOfTheTableAndNoOther) {
    World world;
    casm_domain& c = world.casm();
    for (unsigned from = 0; from < CASM_STATES + 3; ++from)
        for (unsigned to = 0; to < CASM_STATES + 3; ++to) {
            const bool is_one = from < CASM_STATES && legal().at(from).contains(to);
            c.state = from;
            EXPECT_EQ(casm_set_state(&c, static_cast<casm_state>(to)), is_one) << from << " to " << to;
            EXPECT_EQ(c.state, is_one ? to : from);
        }
    c.state = CASM_STATE_IDLE;
}

// Nothing that is over begins again, and what was to be recorded is never replayed, or the other way round.
TEST(State, HasNoWayBack) {
    std::map<unsigned, To> reached;
    for (unsigned from = 0; from < CASM_STATES; ++from) {
        To all = legal().at(from);
        for (std::size_t before = 0; before != all.size();) {
            before = all.size();
            for (const unsigned at : To(all)) all.insert(legal().at(at).begin(), legal().at(at).end());
        }
        if (from != CASM_STATE_IDLE && from != CASM_STATE_STARTING) {  // a start may fail
            EXPECT_FALSE(all.contains(from)) << from;
        }
        reached[from] = all;
    }
    EXPECT_FALSE(reached[CASM_STATE_RECORD].contains(CASM_STATE_REPLAY));
    EXPECT_FALSE(reached[CASM_STATE_REPLAY].contains(CASM_STATE_RECORD));
    for (unsigned from = 0; from < CASM_STATES; ++from)
        if (from != CASM_STATE_RECORD && from != CASM_STATE_IDLE && from != CASM_STATE_STARTING) {
            EXPECT_FALSE(reached[from].contains(CASM_STATE_STOPPING)) << "a stop for nobody, from " << from;
        }
}

TEST(State, IsToldToDom0AsOneOfTheModes) {
    World world;
    casm_domain& c = world.casm();
    const std::map<unsigned, unsigned> told = {
        {CASM_STATE_IDLE, CASM_MODE_IDLE},        {CASM_STATE_RECORD, CASM_MODE_RECORD},
        {CASM_STATE_STARTING, CASM_MODE_IDLE},    {CASM_STATE_STOPPING, CASM_MODE_RECORD},
        {CASM_STATE_CRASHING, CASM_MODE_ENDED},   {CASM_STATE_FREE, CASM_MODE_ENDED},
        {CASM_STATE_REPLAY, CASM_MODE_REPLAY},    {CASM_STATE_REPLAYED, CASM_MODE_ENDED},
        {CASM_STATE_DIVERGED, CASM_MODE_DIVERGED}};
    for (unsigned state = 0; state < CASM_STATES; ++state) {
        c.state = state;
        EXPECT_EQ(world.status().mode, told.at(state)) << state;
        EXPECT_EQ(casm_logging(&c), told.at(state) == CASM_MODE_RECORD || told.at(state) == CASM_MODE_REPLAY);
        EXPECT_EQ(casm_must_not_block(&world.cpu()), state == CASM_STATE_STOPPING);
    }
    c.state = CASM_STATE_IDLE;
}

class Recorded : public testing::Test {
  protected:
    Recorded() {
        EXPECT_EQ(world.attach(), 0);
        EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
        world.dom().creation_finished = true;
    }
    void leave() {
        shim.irqs_on = false;
        for (int i = 0; i < 10 && casm_exit_work() == CASM_EXIT_AGAIN && world.cpu().paused == 0; ++i) {
        }
        shim.irqs_on = true;
    }

    World world;
    casm_domain& c = world.casm();
};

// The recorder asks, and does not wait for the answer (its second ^C).
TEST_F(Recorded, AStopDoesNotOutliveADetach) {
    ASSERT_EQ(world.stop(), 0);
    EXPECT_TRUE(casm_must_not_block(&world.cpu()));
    casm_domctl op{.op = CASM_OP_detach, .abi = CASM_ABI_VERSION, .u = {}};
    ASSERT_EQ(world.domctl(op), 0);
    EXPECT_FALSE(casm_must_not_block(&world.cpu())) << "it would never sleep again";
    EXPECT_EQ(world.stop(), -EINVAL);
}

TEST_F(Recorded, AStopThatComesBehindTheEndIsRefused) {
    world.guest();
    shim_domain_shutdown(&world.dom(), 0);
    world.dom0();
    EXPECT_EQ(world.stop(), -EINVAL);
    EXPECT_FALSE(casm_must_not_block(&world.cpu()));
}

TEST_F(Recorded, AStopThatIsAskedForTwiceIsOne) {
    ASSERT_EQ(world.stop(), 0);
    ASSERT_EQ(world.stop(), 0);
    world.guest();
    casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
    leave();
    EXPECT_EQ(c.state, CASM_STATE_FREE);
    EXPECT_EQ(c.end_reason, CASM_END_STOPPED);
}

// What has no room crashes the domain, whatever else was asked for meanwhile.
TEST_F(Recorded, ACrashIsNotTurnedIntoAnEnd) {
    ASSERT_EQ(world.stop(), 0);
    world.guest();
    c.log.limit = c.log.pos;
    casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
    EXPECT_EQ(c.state, CASM_STATE_CRASHING);
    leave();
    EXPECT_EQ(shim.crashes, 1u);
    EXPECT_EQ(c.state, CASM_STATE_FREE);
    world.dom0();
    EXPECT_EQ(world.stop(), -EINVAL);
}

TEST_F(Recorded, AnEndWithoutRoomCrashesTheDomain) {
    world.guest();
    casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
    c.log.limit = c.log.pos + 32;  // its digest fits
    casm_end(&c, CASM_END_STOPPED, 0);
    EXPECT_EQ(c.state, CASM_STATE_CRASHING);
    leave();
    EXPECT_EQ(shim.crashes, 1u);
}

}  // namespace
}  // namespace casmotion::test
