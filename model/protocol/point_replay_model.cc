// SPDX-License-Identifier: GPL-2.0-or-later
#include "point_replay_model.h"

#include <array>
#include <cstring>

namespace casmotion::protocol {
namespace {

using State = PointReplayModel::State;

// Records. A point is named by kCanonical + i or kByState + i: the boundary behind instruction i, 0 to 3.
// kLie: canonical, with one branch more than the guest makes before its next entry.
enum Kind : std::uint8_t {
    kEntry,
    kSignal,
    kShutdown,
    kLie,
    kCanonical,
    kByState = kCanonical + 4,
    kKinds = kByState + 4
};
static_assert(kKinds <= 16);
enum Mode : std::uint8_t { kReplaying, kEnded, kDiverged };
enum Vcpu : std::uint8_t { kNotStarted, kRun, kExit, kInject, kPublish, kMatch, kDone };
constexpr std::array kVcpuNames = {"not started", "runs", "exit", "injects", "publishes", "matches", "done"};
enum Feeder : std::uint8_t { kWrite, kPublishProd, kSetEof, kKick, kFinished, kDead };
constexpr std::array kFeederNames = {"writes", "publishes", "sets eof", "kicks", "finished", "dead"};
enum Armed : std::uint8_t { kNothing, kOverflow, kBreak, kStep };
constexpr std::array kArmedNames = {"", " overflow", " breakpoint", " TF"};
enum Why : std::uint8_t { kInterrupt, kBegin, kHit, kStepped };

constexpr std::uint8_t kEmpty = 0xff;
constexpr int kNothingThere = -1;

constexpr std::array<const char*, 9> kRules = {
    nullptr,
    "the replay took the log to be cut, although it is not",
    "the replay read a record that is not the next one of the log",
    "a logged effect was applied outside an injection point",
    "the replay called a divergence where there is none",
    "a point was delivered at another place than the one it names",
    "a point that the guest never passed was delivered",
    "two points by state were delivered without a step of the guest between them",
    "the guest entered Xen past a point of the log, and nobody noticed",
};

enum Transitions : unsigned {
    kStepPlain,
    kStepBranch,
    kStepInterrupt,
    kStepOverflow,
    kStepEntry,
    kStepRoom,
    kStepStarve,
    kStepInject,
    kStepPublish,
    kStepNoPoint,
    kStepBegin,
    kStepPass,
    kStepArmOverflow,
    kStepArmBreak,
    kStepArmStep,
    kStepDeliver,
    kStepLost,
    kStepWrite,
    kStepPublishProd,
    kStepSetEof,
    kStepStart,
    kStepKick,
    kStepKilled,
    kSteps,
};

#define CASM "xen-patches/files/xen/arch/x86/casm/"
#define DAEMON "dom0-daemon/"
constexpr std::array<Transition, kSteps> kTransitions = {{
    {"vcpu", "the guest runs an instruction that is no branch", "", ""},
    {"vcpu", "a conditional branch retires", "", ""},
    {"vcpu", "an interrupt hits the guest", "", ""},
    {"vcpu", "the overflow interrupt comes", CASM "counter.c", "casm_counter_arm"},
    {"vcpu", "the guest enters Xen: a search ends, ENTRY is taken", CASM "timepoint.c", "casm_tp_entry"},
    {"vcpu", "looks for a trip's records", CASM "stream.c", "casm_room"},
    {"vcpu", "finds too few, pauses itself", CASM "stream.c", "casm_room"},
    {"vcpu", "applies what the log has here", CASM "queue.c", "casm_inject_logged"},
    {"vcpu", "publishes", CASM "stream.c", "casm_publish"},
    {"vcpu", "the next record is no point", CASM "timepoint.c", "match_begin"},
    {"vcpu", "looks for a point from here on", CASM "timepoint.c", "match_begin"},
    {"vcpu", "passes the boundary it is at", CASM "timepoint.c", "replay_exit"},
    {"vcpu", "arms the overflow", CASM "timepoint.c", "arm"},
    {"vcpu", "sets a breakpoint", CASM "timepoint.c", "arm"},
    {"vcpu", "will trap behind the next instruction", CASM "timepoint.c", "arm"},
    {"vcpu", "is at the point, takes its record", CASM "timepoint.c", "replay_point"},
    {"vcpu", "is past the point: diverged", CASM "timepoint.c", "lost"},
    {"daemon", "writes a record", DAEMON "rings/ring_writer.cc", "RingWriter::write"},
    {"daemon", "moves prod", DAEMON "rings/ring_writer.cc", "RingWriter::write"},
    {"daemon", "sets eof", DAEMON "rings/ring_writer.cc", "RingWriter::set_eof"},
    {"daemon", "has filled the ring, starts the guest", DAEMON "session/replayer.cc", "Replayer::start"},
    {"daemon", "kicks", CASM "control.c", "kick"},
    {"daemon", "is killed", "", ""},
}};
#undef CASM
#undef DAEMON

constexpr std::array kBugs = {
    PointReplayBugName{PointReplayBug::kEntryKeepsTrap, "point-replay-entry-keeps-trap",
                       "an entry leaves what was armed for a point"},
    PointReplayBugName{PointReplayBug::kNoLookBehindPoint, "point-replay-no-look-behind-point",
                       "the guest runs on from a point without a look at the next record"},
    PointReplayBugName{PointReplayBug::kNoLookBehindEntry, "point-replay-no-look-behind-entry",
                       "the guest runs on from an entry without a look at the next record"},
    PointReplayBugName{PointReplayBug::kNoRoomAtPoint, "point-replay-no-room",
                       "a point is looked for with less than a trip's records"},
    PointReplayBugName{PointReplayBug::kOvershotDelivers, "point-replay-overshot-delivers",
                       "a count beyond the point's is good enough"},
    PointReplayBugName{PointReplayBug::kNoPass, "point-replay-no-pass",
                       "a point by state is looked for where the guest is already"},
    PointReplayBugName{PointReplayBug::kSkipsLatePoint, "point-replay-skips-late-point",
                       "a point that was missed is left out"},
};

bool is_point(int kind) {
    return kind >= kLie;
}
bool is_canonical(unsigned kind) {
    return kind >= kLie && kind < kByState;
}

std::uint8_t program_of(const State& s, unsigned stretch) {
    return stretch == 0 ? 0 : s.program[stretch - 1];
}
bool is_branch(const State& s, unsigned stretch, unsigned insn) {
    return (program_of(s, stretch) >> insn & 1) != 0;
}
unsigned count_before(const State& s, unsigned stretch, unsigned insn) {
    unsigned count = 0;
    for (unsigned i = 0; i < insn; ++i) count += is_branch(s, stretch, i) ? 1 : 0;
    return count;
}
// The boundary before instruction `insn`, as the registers show it. Plain instructions in a row are laps of
// "jmp .": from the first to the last boundary they show the same.
unsigned shown(const State& s, unsigned stretch, unsigned insn) {
    while (insn > 1 && !is_branch(s, stretch, insn - 1) && !is_branch(s, stretch, insn - 2)) --insn;
    return insn;
}
// Where a point is, in the guest's present stretch.
unsigned place_of(unsigned kind) {
    return kind >= kByState ? kind - kByState + 1 : kind - kCanonical + 1;
}

// What was taken need not be told apart any more.
void give_back(State& s) {
    for (; s.cons != s.pos; ++s.cons) s.slot[s.cons % PointReplayModel::kSlots] = kEmpty;
}

void disarm(State& s) {
    s.armed = kNothing;
    s.programmed = 0;
    s.why = kInterrupt;
    s.resume = 0;
}

}  // namespace

std::span<const PointReplayBugName> point_replay_bugs() {
    return kBugs;
}

std::span<const Transition> PointReplayModel::transitions() const {
    return kTransitions;
}

std::vector<State> PointReplayModel::initial() const {
    std::vector<State> all;
    for (unsigned first = 0; first < 1u << kLength[1]; ++first)
        for (unsigned second = 0; second < 1u << kLength[2]; ++second) {
            State s{};
            std::memset(s.slot, kEmpty, sizeof(s.slot));
            s.program[0] = static_cast<std::uint8_t>(first);
            s.program[1] = static_cast<std::uint8_t>(second);
            s.last_kind = kShutdown;  // nothing was fed
            all.push_back(s);
        }
    return all;
}

// casm_peek()
int PointReplayModel::head(State& s) const {
    if (static_cast<unsigned>(s.other - s.pos) < kReserve) s.other = s.prod;
    if (s.other == s.pos) return kNothingThere;
    const std::uint8_t record = s.slot[s.pos % kSlots];
    if (record == kEmpty || record / 16 != s.pos) {
        s.broken = 2;
        return kNothingThere;
    }
    return record % 16;
}

void PointReplayModel::diverge(State& s) const {
    s.mode = kDiverged;
    s.vcpu = kDone;
    if (!s.lies && !bounds_.too_late) s.broken = 4;
}

void PointReplayModel::take_entry(State& s) const {
    if (s.active) {
        if (bug_ != PointReplayBug::kEntryKeepsTrap) disarm(s);
        s.active = 0;
    }
    int kind = head(s);
    while (bug_ == PointReplayBug::kSkipsLatePoint && (is_point(kind) || kind == kSignal)) {
        ++s.pos;
        if (is_point(kind)) s.broken = 8;
        kind = head(s);
    }
    if (s.broken) return;
    if (kind == kNothingThere) {
        s.broken = 1;
        return;
    }
    if (kind != kEntry) {
        diverge(s);
        return;
    }
    ++s.pos;
    ++s.stretch;
    s.insn = s.branches = s.moved = 0;
    s.named = kEntry;
    s.sync = 1;
    s.vcpu = kExit;
    const int second = head(s);
    if (s.broken) return;
    if (second == kNothingThere) {
        s.broken = 1;
    } else if (second == kShutdown) {
        ++s.pos;
        s.mode = kEnded;
        s.vcpu = kDone;
    }
}

void PointReplayModel::guest_steps(const State& state, Out& out) const {
    if (state.vcpu != kRun) return;
    out.step(kStepInterrupt, [](State& s) { s.vcpu = kExit; });
    // Late by less than the margin, or by that much.
    const unsigned latest = state.programmed + kMargin - (bounds_.too_late ? 0 : 1);
    const bool overflowed = state.armed == kOverflow && state.branches >= state.programmed;
    if (overflowed) out.step(kStepOverflow, [](State& s) { s.vcpu = kExit; });
    if (state.insn == kLength[state.stretch]) {
        out.step(kStepEntry, [&](State& s) { take_entry(s); });
        return;
    }
    const bool branch = is_branch(state, state.stretch, state.insn);
    if (overflowed && branch && state.branches + 1u > latest) return;  // the interrupt comes first
    out.step(branch ? kStepBranch : kStepPlain, [&](State& s) {
        ++s.insn;
        s.branches = static_cast<std::uint8_t>(s.branches + (branch ? 1 : 0));
        s.moved = 1;
        s.resume = 0;
        if (s.armed == kStep) {
            s.armed = kNothing;
            s.why = kStepped;
            s.vcpu = kExit;
        } else if (s.armed == kBreak) {
            const bool from = is_canonical(s.target);
            // Canonical: at the branch before the point; by state: at the point.
            const unsigned place = s.target == kLie ? 0xff
                                   : from           ? place_of(s.target) - 1u
                                                    : place_of(s.target);
            const bool there =
                from ? s.insn == place : shown(s, s.stretch, s.insn) == shown(s, s.stretch, place);
            if (there) {
                s.why = kHit;
                s.vcpu = kExit;
            }
        }
    });
}

// replay_point(): what was looked for is what the log still says.
void PointReplayModel::deliver(State& s) const {
    const int kind = head(s);
    if (s.broken) return;
    if (kind != s.target) {
        s.broken = kind == kNothingThere ? 1 : 2;
        return;
    }
    if (kind == kLie) s.broken = 6;
    if (is_canonical(s.target) && kind != kLie && s.insn != place_of(s.target)) s.broken = 5;
    if (!is_canonical(s.target)) {
        if (shown(s, s.stretch, s.insn) != shown(s, s.stretch, place_of(s.target))) s.broken = 5;
        if (!s.moved) s.broken = 7;
    }
    ++s.pos;
    s.named = s.target;
    s.moved = 0;
    s.active = 0;
    s.target = 0;
    disarm(s);
    s.vcpu = kInject;
}

// replay_exit() with a search under way: casm_match_next().
void PointReplayModel::match(State& s, unsigned& transition) const {
    if (s.armed == kStep) s.armed = kNothing;  // step_off()
    const bool canonical = is_canonical(s.target);
    const unsigned all = count_before(s, s.stretch, kLength[s.stretch]);
    const unsigned wanted = s.target == kLie ? all + 1 : count_before(s, s.stretch, place_of(s.target));
    const unsigned place = s.target == kLie ? 0xff : place_of(s.target);
    const auto arm = [&](Armed armed, unsigned how) {
        s.armed = armed;
        s.programmed = 0;
        s.why = kInterrupt;
        s.vcpu = kRun;
        transition = how;
    };
    const bool same = !canonical && shown(s, s.stretch, s.insn) == shown(s, s.stretch, place);
    if (!canonical && bug_ != PointReplayBug::kNoPass &&
        ((s.why == kBegin && same) || (s.passed && s.why == kInterrupt && same && s.resume))) {
        arm(kBreak, kStepPass);
        s.passed = s.resume = 1;
        return;
    }
    s.passed = 0;
    transition = kStepLost;
    const bool over =
        canonical ? s.branches >= wanted && !(s.why == kStepped && s.branches == wanted && s.insn == place)
                  : s.branches > wanted;
    if (over && bug_ != PointReplayBug::kOvershotDelivers) {
        s.active = 0;
        disarm(s);
        diverge(s);
        return;
    }
    if (over || (canonical ? s.why == kStepped && s.branches == wanted : s.branches == wanted && same)) {
        transition = kStepDeliver;
        deliver(s);
        return;
    }
    const unsigned missing = wanted - s.branches;
    if (canonical && missing == 1 && s.insn + 1u == place) {
        arm(kStep, kStepArmStep);
    } else if (missing > kMargin) {
        arm(kOverflow, kStepArmOverflow);
        s.programmed = static_cast<std::uint8_t>(wanted - kMargin);
    } else {
        arm(kBreak, kStepArmBreak);
    }
}

void PointReplayModel::exit_steps(const State& state, Out& out) const {
    const auto step = [&](unsigned transition, auto change) {
        State s = state;
        unsigned how = transition;
        change(s, how);
        out.add(how, s);
    };
    const auto room = [&](State& s, unsigned& how, Vcpu then, bool look) {
        if (static_cast<unsigned>(s.other - s.pos) < kReserve) s.other = s.prod;
        if (!look || static_cast<unsigned>(s.other - s.pos) >= kReserve || s.eof) {
            s.vcpu = then;
            return;
        }
        how = kStepStarve;
        give_back(s);
        s.paused = s.stalled = 1;
        s.vcpu = kExit;
    };
    switch (static_cast<Vcpu>(state.vcpu)) {
        case kExit:
            if (state.paused) return;
            if (state.sync)
                step(kStepRoom, [&](State& s, unsigned& how) { room(s, how, kInject, true); });
            else
                step(kStepRoom, [&](State& s, unsigned& how) {
                    room(s, how, kMatch, bug_ != PointReplayBug::kNoRoomAtPoint);
                });
            return;
        case kInject:
            step(kStepInject, [&](State& s, unsigned&) {
                const int kind = head(s);
                if (s.broken) return;
                if (kind != kSignal) {
                    if (kind == kNothingThere && s.eof) s.broken = 1;
                    s.vcpu = kPublish;
                    return;
                }
                ++s.pos;
                if (s.moved) s.broken = 3;
                s.named = kSignal;
            });
            return;
        case kPublish:
            step(kStepPublish, [&](State& s, unsigned&) {
                const bool looks = s.sync ? bug_ != PointReplayBug::kNoLookBehindEntry
                                          : bug_ != PointReplayBug::kNoLookBehindPoint;
                give_back(s);
                s.sync = 0;
                s.vcpu = looks ? kExit : kRun;
            });
            return;
        case kMatch:
            if (state.active) {
                step(kStepBegin, [&](State& s, unsigned& how) { match(s, how); });
                return;
            }
            step(kStepNoPoint, [&](State& s, unsigned& how) {
                const int kind = head(s);
                if (s.broken) return;
                if (!is_point(kind)) {
                    s.vcpu = kRun;
                    return;
                }
                how = kStepBegin;
                s.active = 1;
                s.target = static_cast<std::uint8_t>(kind);
                s.passed = s.resume = 0;
                s.why = kBegin;
            });
            return;
        default:
            return;
    }
}

void PointReplayModel::feeder_steps(const State& state, Out& out) const {
    State s = state;
    switch (static_cast<Feeder>(state.feeder)) {
        case kWrite: {
            const unsigned room = kSlots - static_cast<unsigned>(s.fed - s.cons);
            if (room == 0) break;
            const bool first = s.last_kind == kShutdown;
            const bool last_stretch = s.log_stretch == kStretches + 1u;  // what shuts the guest down
            for (unsigned kind = 0; kind < kKinds; ++kind) {
                bool allowed = false;
                State n = s;
                if (first) {
                    allowed = kind == kEntry;
                } else if (last_stretch) {
                    allowed = kind == kShutdown;
                } else if (kind == kEntry) {
                    allowed = true;
                } else if (kind == kSignal) {  // one behind each name at most
                    allowed = s.last_kind != kSignal;
                } else if (kind == kShutdown) {
                    allowed = false;
                } else if (kind == kLie) {
                    allowed = bounds_.false_logs && !s.lies;
                } else {
                    const unsigned insn = place_of(kind);
                    allowed = insn > s.log_insn && insn <= kLength[s.log_stretch];
                    if (allowed && is_canonical(kind)) allowed = is_branch(s, s.log_stretch, insn - 1);
                    if (allowed && !is_canonical(kind)) allowed = !is_branch(s, s.log_stretch, insn - 1);
                    n.log_insn = static_cast<std::uint8_t>(insn);
                }
                // What is left of the log must fit.
                const unsigned needed = kStretches + 2u - s.log_stretch;
                if (allowed && kind != kEntry && kind != kShutdown && s.fed + 1u + needed > bounds_.records)
                    allowed = false;
                if (!allowed) continue;
                if (kind == kLie) n.lies = 1;
                if (kind == kEntry) {
                    ++n.log_stretch;
                    n.log_insn = 0;
                }
                n.last_kind = static_cast<std::uint8_t>(kind);
                n.slot[n.fed % kSlots] = static_cast<std::uint8_t>(n.fed * 16u + kind);
                ++n.fed;
                n.feeder = kPublishProd;
                if (kind == kShutdown) n.feeder = kSetEof;
                out.add(kStepWrite, n);
            }
            break;
        }
        case kPublishProd:
            s.prod = s.fed;
            s.feeder =
                s.vcpu != kNotStarted || static_cast<unsigned>(s.fed - s.cons) >= kSlots ? kKick : kWrite;
            out.add(kStepPublishProd, s);
            break;
        case kSetEof:
            s.prod = s.fed;
            s.eof = 1;
            s.feeder = kKick;
            out.add(kStepSetEof, s);
            break;
        case kKick:
            if (s.stalled) s.stalled = s.paused = 0;
            s.feeder = s.eof ? kFinished : kWrite;
            if (s.vcpu == kNotStarted) s.vcpu = kRun;
            out.add(state.vcpu == kNotStarted ? kStepStart : kStepKick, s);
            break;
        case kFinished:
        case kDead:
            return;
    }
    if (bounds_.daemon_may_die) {
        s = state;
        s.feeder = kDead;
        out.add(kStepKilled, s);
    }
}

const char* PointReplayModel::broken(const State& s) const {
    if (s.broken) return kRules[s.broken];
    if (s.vcpu == kRun && s.armed && !s.active)
        return "the guest runs with something armed, and no point is looked for";
    if (s.mode == kDiverged && s.armed) return "the replay stopped, and something is armed in its guest";
    if (s.active && s.target != kLie && place_of(s.target) > kLength[s.stretch])
        return "a search for a point outlived its entry";
    if (s.fed - s.cons > static_cast<int>(kSlots))
        return "a record was written over one that was not taken yet";
    if (s.mode == kEnded && s.lies) return kRules[8];
    return nullptr;
}

// Every record taken, END last; or a divergence where there is one; or a replay that waits for a daemon that
// is dead.
bool PointReplayModel::good(const State& s) const {
    if (s.mode == kEnded) return s.pos == s.fed;
    if (s.mode == kDiverged) return s.lies || bounds_.too_late;
    return s.feeder == kDead && (s.paused || s.vcpu == kNotStarted);
}

std::string PointReplayModel::text(const State& s) const {
    std::string line = "(entries " + std::to_string(s.stretch) + " insn " + std::to_string(s.insn) +
                       " branches " + std::to_string(s.branches) + ", fed " + std::to_string(s.fed) +
                       " pos " + std::to_string(s.pos) + ", vcpu " + kVcpuNames[s.vcpu] +
                       kArmedNames[s.armed];
    if (s.active)
        line += " searching " + std::string(is_canonical(s.target) ? "canonical " : "by state ") +
                std::to_string(place_of(s.target));
    if (s.paused) line += " paused";
    if (s.mode == kDiverged) line += " diverged";
    return line + ", daemon " + kFeederNames[s.feeder] + ")";
}

}  // namespace casmotion::protocol
