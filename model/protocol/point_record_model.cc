// SPDX-License-Identifier: GPL-2.0-or-later
#include "point_record_model.h"

#include <array>

namespace casmotion::protocol {
namespace {

using State = PointRecordModel::State;

enum Vcpu : std::uint8_t {
    kRun,
    kBlock,
    kBlockTest,
    kExit,
    kStall,
    kLook,
    kFetch,
    kDecide,
    kDrain,
    kApply,
    kPublish,
    kLeave,
    kLeaveClear,
    kDone,
};
constexpr std::array kVcpuNames = {"runs",        "blocks",  "tests",      "exit",   "must stall",
                                   "looks again", "fetches", "decides",    "drains", "applies",
                                   "publishes",   "leaves",  "clears due", "done"};
enum Armed : std::uint8_t { kNothing, kStep, kBreak };
enum Why : std::uint8_t { kInterrupt, kStepped, kHit };
enum Daemon : std::uint8_t { kReads, kKicks, kDead };

constexpr std::array<const char*, 10> kRules = {
    nullptr,
    "a record found no room in the ring",
    "a record after END",
    "an effect was applied outside an injection point: where neither an entry nor the point before it in the "
    "log is",
    "a canonical point is not right behind a branch",
    "a point's record has another branch count than the guest",
    "two names in the log for one place: the guest did not move between them",
    "a signal was applied that nobody sent, or twice",
    "the guest goes on unrecorded, and something of ours is armed",
    nullptr,
};

enum Step : unsigned {
    kStepPlain,
    kStepBranch,
    kStepInterrupt,
    kStepEntry,
    kStepEntryBlock,
    kStepShutdown,
    kStepBlock,
    kStepBlockTest,
    kStepSkip,
    kStepRoom,
    kStepStall,
    kStepLook,
    kStepFetch,
    kStepArm,
    kStepBreak,
    kStepCanonical,
    kStepByState,
    kStepFail,
    kStepStopEnd,
    kStepTake,
    kStepApply,
    kStepPublish,
    kStepLeave,
    kStepTimer,
    kStepQueue,
    kStepSignal,
    kStepWake,
    kStepStop,
    kStepStopKick,
    kStepRead,
    kStepKick,
    kStepKilled,
    kSteps,
};

#define CASM "xen-patches/files/xen/arch/x86/casm/"
constexpr std::array<Transition, kSteps> kTransitions = {{
    {"vcpu", "the guest runs an instruction that is no branch", "", ""},
    {"vcpu", "a conditional branch retires", "", ""},
    {"vcpu", "an interrupt hits the guest", "", ""},
    {"vcpu", "the guest enters Xen: a search ends, ENTRY is written", CASM "timepoint.c", "casm_tp_entry"},
    {"vcpu", "the guest enters Xen to sleep", CASM "timepoint.c", "casm_tp_entry"},
    {"vcpu", "the guest shuts down: ENTRY and END are written", CASM "control.c", "casm_domain_shutdown"},
    {"vcpu", "sets its blocked flag", "", ""},
    {"vcpu", "tests for queued signals", CASM "queue.c", "casm_must_not_block"},
    {"vcpu", "uncounted exit, no point is wanted", CASM "timepoint.c", "record_exit"},
    {"vcpu", "looks for room", CASM "stream.c", "casm_room"},
    {"vcpu", "pauses itself, sets the stall flag, publishes", CASM "stream.c", "casm_room"},
    {"vcpu", "looks for room a second time", CASM "stream.c", "casm_room"},
    {"vcpu", "fetches the instruction, interrupts on", CASM "timepoint.c", "fetch"},
    {"vcpu", "will trap behind the next instruction", CASM "timepoint.c", "arm"},
    {"vcpu", "sets a breakpoint behind the instruction", CASM "timepoint.c", "arm"},
    {"vcpu", "writes a canonical APOINT", CASM "timepoint.c", "record_point"},
    {"vcpu", "writes an APOINT by state", CASM "timepoint.c", "record_point"},
    {"vcpu", "finds no place that can be named", CASM "timepoint.c", "record_exit"},
    {"vcpu", "grants the stop: END", CASM "point.c", "record_here"},
    {"vcpu", "takes a port off the queue", CASM "queue.c", "take_ports"},
    {"vcpu", "writes a signal's record, applies it", CASM "queue.c", "casm_drain"},
    {"vcpu", "publishes", CASM "stream.c", "casm_publish"},
    {"vcpu", "returns to the guest", CASM "timepoint.c", "casm_tp_leave"},
    {"timer", "a signal waits too long", CASM "timepoint.c", "timer_fn"},
    {"sender", "queues a signal", CASM "queue.c", "casm_queue_event"},
    {"sender", "sets the timer", CASM "timepoint.c", "casm_tp_signal"},
    {"sender", "wakes the vCPU", CASM "queue.c", "casm_queue_event"},
    {"dom0", "asks for a stop", CASM "control.c", "stop_run"},
    {"dom0", "kicks the vCPU for it", CASM "control.c", "stop_run"},
    {"daemon", "drains the ring", "dom0-daemon/rings/ring_reader.cc", "RingReader::consume"},
    {"daemon", "kicks", CASM "control.c", "kick"},
    {"daemon", "is killed", "", ""},
}};
#undef CASM

constexpr std::array kBugs = {
    PointRecordBugName{PointRecordBug::kEntryKeepsSearch, "point-entry-keeps-search",
                       "an entry does not cancel the search for a point"},
    PointRecordBugName{PointRecordBug::kEntryKeepsTrap, "point-entry-keeps-trap",
                       "an entry cancels the search and leaves the trap flag or breakpoint"},
    PointRecordBugName{PointRecordBug::kDeliverBetween, "point-deliver-between",
                       "a point is called canonical wherever a step ended"},
    PointRecordBugName{PointRecordBug::kOldCount, "point-old-count",
                       "an entry that cancels a search does not count anew"},
    PointRecordBugName{PointRecordBug::kDeliverAtOnce, "point-deliver-at-once",
                       "a point by state before the guest moved on"},
    PointRecordBugName{PointRecordBug::kNoShadow, "point-no-shadow",
                       "a step that an interrupt forestalled counts as one"},
    PointRecordBugName{PointRecordBug::kEffectsFirst, "point-effects-first",
                       "the effects are applied before the point is written"},
    PointRecordBugName{PointRecordBug::kNoRoomForPoint, "point-no-room",
                       "no look for room in the ring before a point"},
    PointRecordBugName{PointRecordBug::kRestNotTimed, "point-rest-not-timed",
                       "what one exit leaves in the queue starts no timer"},
    PointRecordBugName{PointRecordBug::kTimerElsewhere, "point-timer-elsewhere",
                       "the timer runs on another processor, beside an exit"},
    PointRecordBugName{PointRecordBug::kFailForgets, "point-fail-forgets",
                       "a search that finds no place is not begun again"},
};

// Ports that each sender signals, in order.
constexpr unsigned kSignals[PointRecordModel::kSenders][2] = {{0, 1}, {1, 1}};
constexpr unsigned kSignalsOf[PointRecordModel::kSenders] = {2, 1};
constexpr unsigned kStepsOfSignal = 3;

void disarm(State& s) {
    s.armed = kNothing;
    s.why = kInterrupt;
    s.fetched = 0;
}

}  // namespace

std::span<const PointRecordBugName> point_record_bugs() {
    return kBugs;
}

std::span<const Transition> PointRecordModel::transitions() const {
    return kTransitions;
}

void PointRecordModel::put(State& s) const {
    if (s.ended) s.broken = 2;
    if (s.pos + 1u - s.other > kSlots) s.broken = 1;
    ++s.pos;
}

void PointRecordModel::end(State& s) const {
    put(s);
    s.ended = 1;
    s.prod = s.pos;
}

void PointRecordModel::run(State& s, bool branch) const {
    const std::uint8_t breakpoint = s.insn + 1;
    if (s.insn < kLength) ++s.insn;
    if (branch) ++s.branches;
    s.at_branch = branch;
    s.moved = 1;
    if (s.armed == kStep) {
        s.armed = kNothing;
        s.why = kStepped;
        s.vcpu = kExit;
    } else if (s.armed == kBreak && s.insn == breakpoint) {
        s.why = kHit;
        s.vcpu = kExit;
    }
}

void PointRecordModel::enter(State& s) const {
    ++s.trips;
    s.old_count = bug_ == PointRecordBug::kOldCount && s.active ? s.branches : 0;
    if (s.active && bug_ != PointRecordBug::kEntryKeepsSearch) {
        if (bug_ != PointRecordBug::kEntryKeepsTrap) disarm(s);
        s.active = 0;
    }
    s.insn = s.branches = s.at_branch = s.moved = 0;
    s.sync = 1;
    put(s);
}

void PointRecordModel::guest_steps(const State& state, Out& out) const {
    switch (static_cast<Vcpu>(state.vcpu)) {
        case kRun: {
            out.step(kStepInterrupt, [](State& s) { s.vcpu = kExit; });
            out.step(kStepPlain, [&](State& s) { run(s, false); });
            if (state.trips > 0 && state.insn < kLength)
                out.step(kStepBranch, [&](State& s) { run(s, true); });
            // In its last stretch it waits for all signals without entering.
            if (state.trips + 1u == bounds_.trips) {
                bool waits = state.pending != 0 || state.taken != 0;
                for (unsigned i = 0; i < kSenders; ++i)
                    waits = waits || state.sender[i] < kSignalsOf[i] * kStepsOfSignal;
                if (waits) return;
                out.step(kStepShutdown, [&](State& s) {
                    enter(s);
                    if (s.armed) s.broken = 8;
                    end(s);
                    s.vcpu = kDone;
                });
                return;
            }
            out.step(kStepEntry, [&](State& s) {
                enter(s);
                s.vcpu = kExit;
            });
            out.step(kStepEntryBlock, [&](State& s) {
                enter(s);
                s.vcpu = kBlock;
            });
            return;
        }
        case kBlock:
            out.step(kStepBlock, [](State& s) {
                s.blocked = 1;
                s.vcpu = kBlockTest;
            });
            return;
        case kBlockTest:
            out.step(kStepBlockTest, [](State& s) {
                if (s.pending || s.stop) s.blocked = 0;
                s.vcpu = kExit;
            });
            return;
        default:
            return;
    }
}

// record_point(): the record, then the stop or the effects.
void PointRecordModel::deliver(State& s, bool canonical) const {
    if (canonical && !s.at_branch) s.broken = 4;
    if (s.old_count) s.broken = 5;
    if (!s.moved) s.broken = 6;
    if (bug_ == PointRecordBug::kEffectsFirst && s.pending) {
        s.broken = 3;
        return;
    }
    put(s);
    s.moved = 0;
    s.active = s.due = 0;
    disarm(s);
    if (s.stop) {
        s.stop = 0;
        end(s);
        s.vcpu = kExit;
    } else {
        s.vcpu = kDrain;
    }
}

// record_exit() with a search under way and room for what it may write.
void PointRecordModel::look_for_point(const State& state, Out& out) const {
    const bool named = state.why == kStepped && (state.at_branch || bug_ == PointRecordBug::kDeliverBetween);
    const auto arm = [](State& s, Armed armed) {
        s.armed = armed;
        s.seen = s.seen || s.why != kInterrupt;
        s.why = kInterrupt;
        s.fetched = 0;
        ++s.steps;
        s.vcpu = kRun;
    };
    if (named) {
        out.step(kStepCanonical, [&](State& s) { deliver(s, true); });
    } else if (state.steps >= kMaxSteps || bug_ == PointRecordBug::kDeliverAtOnce) {
        // Interrupts may have come before each of the steps.
        if (state.seen || state.why != kInterrupt || bug_ == PointRecordBug::kDeliverAtOnce ||
            bug_ == PointRecordBug::kNoShadow)
            out.step(kStepByState, [&](State& s) { deliver(s, false); });
        out.step(kStepFail, [&](State& s) {
            s.active = 0;
            disarm(s);
            if (bug_ == PointRecordBug::kFailForgets) s.due = 0;
            s.vcpu = kRun;
        });
    } else {
        out.step(kStepArm, [&](State& s) { arm(s, kStep); });
        if (state.insn < kLength) out.step(kStepBreak, [&](State& s) { arm(s, kBreak); });
    }
}

void PointRecordModel::exit_steps(const State& state, Out& out) const {
    switch (static_cast<Vcpu>(state.vcpu)) {
        case kExit: {
            if (state.paused || state.blocked) return;
            if (state.ended) {  // casm_tp_drop(), casm_drain() without a record; the guest goes on by itself
                out.step(kStepSkip, [](State& s) {
                    if (s.active) disarm(s);
                    if (s.armed) s.broken = 8;
                    s.active = s.sync = s.pending = s.owed[0] = s.owed[1] = 0;
                    s.vcpu = kDone;
                });
                return;
            }
            const bool wanted = state.sync || state.active || (state.due && state.pending) || state.stop;
            if (!wanted || (!state.sync && state.trips == 0)) {
                out.step(kStepSkip, [](State& s) { s.vcpu = kRun; });
                return;
            }
            out.step(kStepRoom, [&](State& s) {
                if (!has_room(s)) s.other = s.cons;
                if (!has_room(s) && (s.sync || bug_ != PointRecordBug::kNoRoomForPoint)) {
                    s.vcpu = kStall;
                } else if (!s.sync) {
                    if (!s.active) {
                        s.active = 1;
                        s.steps = s.seen = 0;
                        s.asked = s.trips;
                    }
                    if (s.armed == kStep) s.armed = kNothing;  // step_off()
                    s.vcpu = s.fetched ? kDecide : kFetch;
                } else if (s.stop) {
                    s.stop = 0;
                    end(s);
                } else {
                    s.vcpu = kDrain;
                }
            });
            return;
        }
        case kStall:
            out.step(kStepStall, [](State& s) {
                s.paused = s.stalled = 1;
                s.prod = s.pos;
                s.vcpu = kLook;
            });
            return;
        case kLook:
            out.step(kStepLook, [&](State& s) {
                s.other = s.cons;
                if (has_room(s) && s.stalled) s.stalled = s.paused = 0;
                s.vcpu = kExit;
            });
            return;
        case kFetch:
            out.step(kStepFetch, [](State& s) {
                s.fetched = 1;
                s.vcpu = kExit;
            });
            return;
        case kDecide:
            look_for_point(state, out);
            return;
        case kDrain:  // one port at an exit
            out.step(kStepTake, [&](State& s) {
                if (s.pending == 0) {
                    s.vcpu = kPublish;
                    return;
                }
                s.taken = s.pending & 1 ? 1 : 2;
                s.pending = static_cast<std::uint8_t>(s.pending & ~s.taken);
                if (s.pending && bug_ != PointRecordBug::kRestNotTimed) s.timer = 1;
                s.vcpu = kApply;
            });
            return;
        case kApply:
            out.step(kStepApply, [&](State& s) {
                const unsigned port = s.taken & 1 ? 0 : 1;
                s.taken = 0;
                put(s);
                if (s.moved) s.broken = 3;
                if (!s.owed[port])
                    s.broken = 7;
                else
                    --s.owed[port];
                s.vcpu = kPublish;
            });
            return;
        case kPublish:
            out.step(kStepPublish, [](State& s) {
                s.prod = s.pos;
                s.vcpu = s.sync ? kLeave : kRun;
                s.sync = 0;
            });
            return;
        case kLeave:
            out.step(kStepLeave, [](State& s) { s.vcpu = s.pending ? kRun : kLeaveClear; });
            return;
        case kLeaveClear:
            out.step(kStepLeave, [](State& s) {
                s.due = 0;
                s.vcpu = kRun;
            });
            return;
        default:
            return;
    }
}

void PointRecordModel::outside_steps(const State& state, Out& out) const {
    // Its processor is the vCPU's: it runs where that has interrupts on.
    const bool on = state.vcpu == kRun || state.vcpu == kExit || state.vcpu == kFetch ||
                    state.vcpu == kBlock || state.vcpu == kBlockTest || state.vcpu == kDone;
    if (state.timer && (on || bug_ == PointRecordBug::kTimerElsewhere)) {
        State s = state;
        s.timer = 0;
        if (s.pending) {
            s.due = 1;
            s.blocked = 0;
            if (s.vcpu == kRun) s.vcpu = kExit;
        }
        out.add(kStepTimer, s);
    }
    for (unsigned i = 0; i < kSenders; ++i) {
        const unsigned sent = state.sender[i] / kStepsOfSignal;
        if (sent == kSignalsOf[i]) continue;
        State s = state;
        ++s.sender[i];
        const auto mine = static_cast<std::uint8_t>(1u << i);
        switch (state.sender[i] % kStepsOfSignal) {
            case 0: {
                const unsigned port = kSignals[i][sent];
                s.first = static_cast<std::uint8_t>(s.pending ? s.first & ~mine : s.first | mine);
                if (!(s.pending >> port & 1)) ++s.owed[port];
                s.pending = static_cast<std::uint8_t>(s.pending | 1u << port);
                out.add(kStepQueue, s);
                break;
            }
            case 1:
                if ((s.first & mine) && !s.ended && !s.blocked) s.timer = 1;
                s.first = static_cast<std::uint8_t>(s.first & ~mine);
                out.add(kStepSignal, s);
                break;
            default:
                s.blocked = 0;
                out.add(kStepWake, s);
                break;
        }
    }
    if (bounds_.may_stop && state.stopper < 2) {
        State s = state;
        ++s.stopper;
        if (state.stopper == 0) {
            s.stop = !s.ended;
            out.add(kStepStop, s);
        } else {
            s.blocked = 0;
            if (s.vcpu == kRun) s.vcpu = kExit;
            out.add(kStepStopKick, s);
        }
    }
}

void PointRecordModel::daemon_steps(const State& state, Out& out) const {
    State s = state;
    if (state.daemon == kReads && state.prod != state.cons) {
        s.pressed = static_cast<unsigned>(s.prod - s.cons) > kSlots / 4;
        s.file = static_cast<std::uint8_t>(s.file + (s.prod - s.cons));
        s.cons = s.prod;
        s.daemon = s.pressed ? kKicks : kReads;
        s.pressed = 0;
        out.add(kStepRead, s);
    } else if (state.daemon == kKicks) {
        if (s.stalled) s.stalled = s.paused = 0;
        s.daemon = kReads;
        out.add(kStepKick, s);
    }
    if (bounds_.daemon_may_die && state.daemon != kDead) {
        s = state;
        s.daemon = kDead;
        s.pressed = 0;
        out.add(kStepKilled, s);
    }
}

const char* PointRecordModel::broken(const State& s) const {
    if (s.broken) return kRules[s.broken];
    if (s.active && s.asked != s.trips) return "a search for a point outlived its entry";
    if (s.vcpu == kRun && s.armed && !s.active)
        return "the guest runs with a trap flag or breakpoint of ours, and no point is looked for";
    for (unsigned p = 0; p < kPorts; ++p)
        if (s.owed[p] > (s.pending >> p & 1u) + (s.taken >> p & 1u)) return "a signal was lost";
    if (s.daemon != kDead && s.pos - s.cons > static_cast<int>(kSlots))
        return "a record was written over one that was not read yet";
    return nullptr;
}

bool PointRecordModel::good(const State& s) const {
    // Nobody will ever read the ring: the guest ends, or waits for it, or sleeps.
    if (s.daemon == kDead && (s.paused || (s.vcpu == kExit && s.blocked && !s.pending && !s.stop)))
        return true;
    if (s.vcpu == kExit && s.blocked && !s.pending && !s.stop) return s.file == s.prod;
    return s.vcpu == kDone && (s.daemon == kDead || s.file == s.pos);
}

std::string PointRecordModel::text(const State& s) const {
    constexpr std::array kArmed = {"", " TF", " breakpoint"};
    std::string line = "(entries " + std::to_string(s.trips) + " insn " + std::to_string(s.insn) +
                       " branches " + std::to_string(s.branches) + ", pos " + std::to_string(s.pos) +
                       " cons " + std::to_string(s.cons) + ", queue " + (s.pending & 1 ? "0" : "-") +
                       (s.pending & 2 ? "1" : "-") + ", vcpu " + kVcpuNames[s.vcpu] + kArmed[s.armed];
    if (s.active) line += " searching";
    if (s.due) line += " due";
    if (s.timer) line += " timer";
    if (s.blocked) line += " blocked";
    if (s.paused) line += " paused";
    if (s.stop) line += " stop";
    return line + (s.daemon == kDead ? ", daemon dead)" : ")");
}

}  // namespace casmotion::protocol
