// SPDX-License-Identifier: GPL-2.0-or-later
//
// Random programs, larger than the exhaustive test's: whole sessions of many points with an effect at each,
// under interrupts at random moments; and single points under every setting. A failure prints its seed;
// CASMOTION_SEED=N repeats it.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "support/check.h"
#include "support/seed.h"

namespace casmotion::timematch {
namespace {

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    std::vector<std::uint64_t> times(std::uint64_t begin, std::uint64_t length, std::size_t count) {
        std::vector<std::uint64_t> times(count);
        for (std::uint64_t& time : times) time = begin + below(length);
        std::sort(times.begin(), times.end());
        return times;
    }

  private:
    std::mt19937_64 engine_;
};

Program random_program(Random& random) {
    // Entries are rare, so that the stretches between them are long.
    constexpr std::array often{Op::Add, Op::Add,  Op::MemInc, Op::SetRcx, Op::Jcc,
                               Op::Jcc, Op::Loop, Op::Jmp,    Op::RepStos};
    constexpr std::array seldom{Op::JmpRax, Op::Call, Op::Ret,       Op::Pushf, Op::Popf,
                                Op::MovSs,  Op::Iret, Op::Hypercall, Op::Fault};
    const std::size_t size = 3 + random.below(28);
    std::vector<Insn> insns;
    for (std::size_t i = 0; i < size; ++i) {
        const Op op =
            random.one_in(4) ? seldom[random.below(seldom.size())] : often[random.below(often.size())];
        insns.push_back({op, static_cast<std::uint8_t>(random.below(size))});
    }
    if (random.one_in(2)) insns.back() = {Op::Jmp, 0};  // does not fall out at the end
    return Program(std::move(insns));
}

Hardware random_hardware(Random& random) {
    return {.trap_after_ss = random.one_in(2), .second_ss_inhibits = random.one_in(2)};
}

// An asynchronous effect: changes registers (as an upcall does) and memory.
void apply(State& state, std::uint8_t effect) {
    state.rax = (state.rax ^ effect) & 3;
    state.flag ^= effect >> 2 & 1;
    state.memory[0] = static_cast<std::uint16_t>(state.memory[0] + effect);
}

struct Logged {
    State at;  // before the effect
    bool a_point = false;
    casm_tm_point point{};
    std::uint64_t looked_for = 0;  // instructions
    std::uint8_t effect = 0;
};

std::vector<Logged> record_session(const Program& program, const Hardware& hardware, Random& random,
                                   std::string& bad) {
    std::vector<Logged> log;
    Machine machine(program, State{}, hardware);
    const casm_canon_limits limits{static_cast<std::uint32_t>(1 + random.below(40))};
    std::uint64_t demand = random.below(60);
    while (log.size() < 20 && machine.state().now < 6000) {
        machine.set_interrupts({std::max(demand, machine.state().now)});
        Exit exit = machine.resume({}, false);
        Logged logged;
        if (exit == Exit::Interrupt) {
            machine.set_interrupts(random.times(machine.state().now, 30, random.below(4)));
            const std::uint64_t from = machine.state().now;
            const Recorded recorded = record_point(machine, limits);
            if (recorded.canon.suspects) bad = "a good counter is suspected";
            logged.a_point = recorded.outcome == Outcome::Delivered;
            logged.point = recorded.canon.point;
            logged.looked_for = machine.state().now - from + 4;  // and the interrupts
            if (recorded.outcome == Outcome::Failed) {
                if (recorded.last.why != CASM_TM_WHY_NO_POINT) bad = text(recorded.last);
                demand = machine.state().now + 1 + random.below(30);
                continue;
            }
        } else if (machine.state().now < demand) {
            continue;
        }
        logged.at = machine.state();
        logged.effect = static_cast<std::uint8_t>(random.below(8));
        apply(machine.state(), logged.effect);
        log.push_back(logged);
        demand = machine.state().now + random.below(random.one_in(3) ? 400 : 40);
    }
    return log;
}

struct Seen {
    std::uint64_t sessions = 0, s_points = 0, canonical = 0, by_state = 0, elsewhere = 0, other_memory = 0,
                  hits = 0, interrupts = 0;
};

// Empty, or what went wrong.
std::string replay_session(const Program& program, Hardware hardware, const std::vector<Logged>& log,
                           Random& random, Seen& seen) {
    const casm_match_limits limits{
        .margin_branches = static_cast<std::uint32_t>(1 + random.below(12)),
        .rearm_min = static_cast<std::uint32_t>(random.below(6)),
        .overflow_max = random.one_in(3) ? static_cast<std::uint32_t>(1 + random.below(20)) : 0x7fffffff,
        .max_hits = CASM_MATCH_MAX_HITS_DEFAULT,
        .slack_shift = static_cast<std::uint32_t>(random.below(12))};
    hardware.lateness = static_cast<std::uint32_t>(random.below(limits.margin_branches));
    hardware.skid_instructions =
        static_cast<std::uint32_t>(random.below(limits.margin_branches - hardware.lateness));
    hardware.varying = random.below(~0ull) | 1;
    const bool obeys_rf = random.one_in(2);
    Machine machine(program, State{}, hardware);
    for (const Logged& logged : log) {
        const std::string where = ", wanted " + logged.at.text() + ", is at ";
        machine.set_limit(logged.at.now + 2000);
        machine.set_interrupts(
            random.times(machine.state().now, logged.at.now - machine.state().now + 1, random.below(6)));
        while (machine.state().entries < logged.at.entries)
            if (machine.resume({}, false) == Exit::TooLong)
                return "the entry is not reached" + where + machine.state().text();
        if (!logged.a_point) {
            ++seen.s_points;
        } else {
            const Replayed replayed = replay_point(machine, logged.point, limits, obeys_rf);
            if (replayed.outcome != Outcome::Delivered)
                return "not delivered, " + text(replayed.last) + " for " + text(logged.point) + where +
                       machine.state().text();
            // (a program without entries between two points begins the second one later than the entry)
            if (std::string over = over_the_bound(replayed, obeys_rf, logged.looked_for); !over.empty())
                return over + " for " + text(logged.point) + ", margin " +
                       std::to_string(limits.margin_branches) + ", rearm " +
                       std::to_string(limits.rearm_min) + ", shift " + std::to_string(limits.slack_shift) +
                       ", looked for " + std::to_string(logged.looked_for) + " instructions" + where +
                       machine.state().text();
            seen.hits += replayed.match.hits;
            seen.interrupts += replayed.match.interrupts;
            ++(logged.point.kind == CASM_TM_CANONICAL ? seen.canonical : seen.by_state);
            if (logged.point.kind == CASM_TM_BY_STATE && machine.state().now < logged.at.now) {
                ++seen.elsewhere;
                if (!machine.state().same_registers(logged.at))
                    return "other registers" + where + machine.state().text();
                if (machine.state().memory != logged.at.memory) {
                    ++seen.other_memory;  // known, and the rest is another execution
                    return {};
                }
                machine.state().now = logged.at.now;
            }
        }
        if (machine.state() != logged.at) return "other place" + where + machine.state().text();
        apply(machine.state(), logged.effect);
    }
    return {};
}

// Recorded, and replayed three times.
void expect_repeated(std::uint64_t seed, Seen& seen) {
    Random random(seed);
    const Program program = random_program(random);
    const Hardware hardware = random_hardware(random);
    std::string bad;
    const std::vector<Logged> log = record_session(program, hardware, random, bad);
    ASSERT_EQ(bad, "") << program.text() << "seed " << seed;
    for (unsigned again = 0; again < 3; ++again)
        ASSERT_EQ(replay_session(program, hardware, log, random, seen), "")
            << program.text() << "seed " << seed;
    ++seen.sessions;
}

// The counter's own interrupts, on a long way in short pieces, count as branches of any kind.
TEST(Random, SessionsThatOnceTookMoreHitsThanTheBoundAreRepeated) {
    Seen seen;
    for (const std::uint64_t seed : {1618153374u + 243u, 3600874358u + 2120u}) expect_repeated(seed, seen);
}

TEST(Random, WholeSessionsAreRepeated) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    Seen seen;
    for (std::uint64_t session = 0; session < 4000; ++session) {
        expect_repeated(seed + session, seen);
        if (HasFatalFailure()) return;
    }
    std::cout << "[          ] " << seen.sessions << " sessions, " << seen.s_points << " S-points, "
              << seen.canonical << " canonical points, " << seen.by_state << " by state (" << seen.elsewhere
              << " found earlier, " << seen.other_memory << " of them with other memory), " << seen.hits
              << " hits, " << seen.interrupts << " interrupts\n";
    EXPECT_GT(seen.canonical, 1000u);
    EXPECT_GT(seen.by_state, 1000u);
}

// Empty, or what went wrong.
std::string check_points(std::uint64_t seed, Totals& totals) {
    Random random(seed);
    const Program program = random_program(random);
    Plan plan{.canon = {static_cast<std::uint32_t>(1 + random.below(30))},
              .moments = random.times(0, 300, 8),
              .settings = {},
              .hardware = random_hardware(random),
              .obeys_rf = random.one_in(2),
              .forge = true};
    for (unsigned j = 0; j < 4; ++j) {
        const auto margin = static_cast<std::uint32_t>(1 + random.below(20));
        plan.settings.push_back({margin, static_cast<std::uint32_t>(random.below(8)),
                                 static_cast<std::uint32_t>(random.below(margin + 3)),
                                 static_cast<std::uint32_t>(random.below(4))});
    }
    return check_program(program, plan, totals);
}

// An overflow that is later than the margin lets the program pass the point, into a loop without conditional
// branches that runs the point's instruction for ever: its hits are no part of the bound.
TEST(Random, PointsThatWereOncePassedIntoALoopAreGivenUp) {
    Totals totals;
    for (const std::uint64_t seed : {3682768223u + 973u, 1996647708u + 287u})
        EXPECT_EQ(check_points(seed, totals), "");
    EXPECT_GT(totals.overshot, 0u);
}

TEST(Random, SinglePointsUnderEverySetting) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    Totals totals;
    for (std::uint64_t i = 0; i < 3000; ++i) ASSERT_EQ(check_points(seed + i, totals), "") << "program " << i;
    std::cout << "[          ] " << totals.text() << '\n';
}

}  // namespace
}  // namespace casmotion::timematch
