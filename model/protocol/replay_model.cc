// SPDX-License-Identifier: GPL-2.0-or-later
#include "replay_model.h"

#include <array>
#include <cstring>

namespace casmotion::protocol {
namespace {

using State = ReplayModel::State;

// Records of a log. ENTRY comes first; signals of one injection point are in ascending order; a log ends in
// the entry that shuts the guest down, or at the exit at which dom0's stop was granted, before any signal.
enum Kind : std::uint8_t { kEntry, kSignal0, kSignal1, kShutdown, kStop };
enum Mode : std::uint8_t { kReplaying, kEnded };

enum Vcpu : std::uint8_t {
    kNotStarted,
    kRun,
    kExit,
    kRoomEof,
    kPause,
    kFlag,
    kStallPublish,
    kLook,
    kLookEof,
    kClear,
    kInject,
    kLateCopy,  // kConsumeBeforeCopy only
    kPublish,
    kDone,
};
constexpr std::array kVcpuNames = {"not started",     "runs",        "exit",         "reads eof",
                                   "must pause",      "must flag",   "must publish", "looks again",
                                   "reads eof again", "clears flag", "injects",      "copies late",
                                   "publishes",       "done"};

enum Feeder : std::uint8_t {
    kReadCons,
    kWrite,
    kWriteLate,
    kPublishProd,
    kSetEof,
    kLatePublish,
    kKick,
    kFinished,
    kDead
};
constexpr std::array kFeederNames = {"reads cons",     "writes", "writes late", "publishes", "sets eof",
                                     "publishes late", "kicks",  "finished",    "dead"};

constexpr std::uint8_t kEmpty = 0xff;
constexpr int kNothing = -1;  // head(): no record

constexpr std::array<const char*, 6> kRules = {
    nullptr,
    "the replay took the log to be cut, although it is not",
    "the replay read a record that is not the next one of the log (lost, twice, out of order or torn)",
    "a logged effect was applied outside an injection point",
    "an effect was applied that the log does not have",
    "the replay called a divergence where there is none",
};

enum Step : unsigned {
    kStepInterrupt,
    kStepEntry,
    kStepSkip,
    kStepRoom,
    kStepRoomEof,
    kStepPause,
    kStepFlag,
    kStepStallPublish,
    kStepLook,
    kStepLookEof,
    kStepClear,
    kStepInject,
    kStepEnd,
    kStepPublish,
    kStepOutside,
    kStepReadCons,
    kStepWrite,
    kStepWriteLate,
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
    {"vcpu", "an interrupt hits the guest", "", ""},
    {"vcpu", "the guest enters Xen: takes ENTRY, and END if it shuts down", CASM "stream.c", "casm_take"},
    {"vcpu", "uncounted exit: nothing is applied", CASM "entry.c", "casm_exit_work"},
    {"vcpu", "looks for a trip's records", CASM "stream.c", "feed_room"},
    {"vcpu", "reads eof", CASM "stream.c", "feed_room"},
    {"vcpu", "pauses itself", CASM "stream.c", "casm_room"},
    {"vcpu", "sets the stall flag", CASM "stream.c", "casm_room"},
    {"vcpu", "publishes what it took", CASM "stream.c", "casm_publish"},
    {"vcpu", "looks a second time", CASM "stream.c", "both_room"},
    {"vcpu", "reads eof a second time", CASM "stream.c", "both_room"},
    {"vcpu", "clears the stall flag, unpauses", CASM "stream.c", "casm_room"},
    {"vcpu", "takes a signal, applies it", CASM "queue.c", "casm_inject_logged"},
    {"vcpu", "nothing to apply here", CASM "point.c", "replay_here"},
    {"vcpu", "publishes, returns to the guest", CASM "stream.c", "casm_publish"},
    {"sender", "sends a signal", CASM "queue.c", "casm_queue_event"},
    {"daemon", "reads cons", DAEMON "rings/ring_writer.cc", "RingWriter::free_bytes"},
    {"daemon", "writes a record", DAEMON "rings/ring_writer.cc", "RingWriter::write"},
    {"daemon", "writes the record that is public already", DAEMON "rings/ring_writer.cc",
     "RingWriter::write"},
    {"daemon", "moves prod", DAEMON "rings/ring_writer.cc", "RingWriter::write"},
    {"daemon", "sets eof", DAEMON "rings/ring_writer.cc", "RingWriter::set_eof"},
    {"daemon", "has filled the ring, starts the guest", DAEMON "session/replayer.cc", "Replayer::start"},
    {"daemon", "kicks", CASM "control.c", "kick"},
    {"daemon", "is killed", "", ""},
}};
#undef CASM
#undef DAEMON

constexpr std::array kBugs = {
    ReplayBugName{ReplayBug::kEofRace, "replay-eof-race",
                  "eof is believed, and prod not read again after it"},
    ReplayBugName{ReplayBug::kEofBeforeLastRecord, "replay-eof-before-last-record",
                  "eof is set before the last records are public"},
    ReplayBugName{ReplayBug::kPublishBeforeData, "replay-publish-before-data",
                  "the daemon moves prod, then writes the record"},
    ReplayBugName{ReplayBug::kConsumeBeforeCopy, "replay-consume-before-copy",
                  "the vCPU moves cons, then reads the record"},
    ReplayBugName{ReplayBug::kNoSecondLook, "replay-no-second-look",
                  "no look at the ring after the stall flag was set"},
    ReplayBugName{ReplayBug::kNoKickAtEof, "replay-no-kick-at-eof",
                  "the daemon does not kick after it set eof"},
    ReplayBugName{ReplayBug::kNoStarvation, "replay-no-starvation",
                  "the vCPU runs on with less than one trip's records"},
    ReplayBugName{ReplayBug::kOneSignalPerExit, "replay-one-signal-per-exit",
                  "an exit applies one logged effect at most"},
    ReplayBugName{ReplayBug::kOutsideSignal, "replay-outside-signal",
                  "a signal from outside reaches the guest"},
};

}  // namespace

std::span<const ReplayBugName> replay_bugs() {
    return kBugs;
}

std::span<const Transition> ReplayModel::transitions() const {
    return kTransitions;
}

std::vector<State> ReplayModel::initial() const {
    State s{};
    std::memset(s.slot, kEmpty, sizeof(s.slot));
    s.last_kind = kSignal1;  // only an ENTRY may follow
    return {s};
}

// available(): reads prod again unless a whole trip is known to be there.
void ReplayModel::look(State& s, bool room_test) const {
    if (bug_ == ReplayBug::kEofRace && !room_test) return;
    if (static_cast<unsigned>(s.other - s.pos) < kReserve) s.other = s.prod;
}

// casm_peek(): the kind of the next record, or kNothing.
int ReplayModel::head(State& s) const {
    look(s, false);
    if (s.other == s.pos) return kNothing;
    const std::uint8_t record = s.slot[s.pos % kSlots];
    if (record == kEmpty || record / 8 != s.pos) {
        s.broken = 2;
        return kNothing;
    }
    return record % 8;
}

void ReplayModel::take_entry(State& s) const {
    const int first = head(s);
    if (s.broken) return;
    if (first != kEntry) {
        s.broken = first == kNothing ? 1 : 5;
        return;
    }
    ++s.pos;
    s.sync = 1;
    s.vcpu = kExit;
    // A guest that shuts down here takes END in the same trip. Which guest this is, the log says.
    const int second = head(s);
    if (s.broken) return;
    if (second == kNothing) {
        s.broken = 1;
    } else if (second == kShutdown) {
        ++s.pos;
        s.mode = kEnded;
        s.vcpu = kDone;
    }
}

void ReplayModel::inject(State& s) const {
    if (s.pending) {
        s.broken = 4;
        return;
    }
    const int kind = head(s);
    if (s.broken) return;
    if (kind == kSignal0 || kind == kSignal1) {
        if (!s.sync) s.broken = 3;
        ++s.pos;
        if (bug_ == ReplayBug::kOneSignalPerExit) s.vcpu = kPublish;
        if (bug_ == ReplayBug::kConsumeBeforeCopy) {
            s.cons = s.pos;
            s.vcpu = kLateCopy;
        }
        return;
    }
    if (kind == kNothing) {  // an empty feed at its end: the log was cut
        s.broken = 1;
    } else if (kind == kStop) {
        ++s.pos;
        s.mode = kEnded;
        s.vcpu = kDone;
    } else {
        s.vcpu = kPublish;
    }
}

void ReplayModel::vcpu_steps(const State& state, Out& out) const {
    const auto enough = [](const State& s) { return static_cast<unsigned>(s.other - s.pos) >= kReserve; };
    if (!state.outside && state.mode == kReplaying) {
        out.step(kStepOutside, [&](State& s) {
            s.outside = 1;
            s.pending = bug_ == ReplayBug::kOutsideSignal;
        });
    }
    switch (static_cast<Vcpu>(state.vcpu)) {
        case kNotStarted:
            return;
        case kRun:
            out.step(kStepInterrupt, [](State& s) { s.vcpu = kExit; });
            out.step(kStepEntry, [&](State& s) { take_entry(s); });
            return;
        case kExit:
            if (state.paused) return;
            if (!state.sync) {
                out.step(kStepSkip, [](State& s) { s.vcpu = kRun; });
                return;
            }
            out.step(kStepRoom, [&](State& s) {
                look(s, true);
                s.vcpu = enough(s) || bug_ == ReplayBug::kNoStarvation ? kInject : kRoomEof;
            });
            return;
        case kRoomEof:
            out.step(kStepRoomEof, [](State& s) { s.vcpu = s.eof ? kInject : kPause; });
            return;
        case kPause:
            out.step(kStepPause, [](State& s) {
                s.paused = 1;
                s.vcpu = kFlag;
            });
            return;
        case kFlag:
            out.step(kStepFlag, [](State& s) {
                s.stalled = 1;
                s.vcpu = kStallPublish;
            });
            return;
        case kStallPublish:
            out.step(kStepStallPublish, [&](State& s) {
                s.cons = s.pos;
                s.vcpu = bug_ == ReplayBug::kNoSecondLook ? kExit : kLook;
            });
            return;
        case kLook:
            out.step(kStepLook, [&](State& s) {
                look(s, true);
                s.vcpu = enough(s) ? kClear : kLookEof;
            });
            return;
        case kLookEof:
            out.step(kStepLookEof, [](State& s) { s.vcpu = s.eof ? kClear : kExit; });
            return;
        case kClear:
            out.step(kStepClear, [](State& s) {
                if (s.stalled) s.stalled = s.paused = 0;
                s.vcpu = kExit;
            });
            return;
        case kInject: {
            State s = state;
            inject(s);
            out.add(s.mode == kReplaying && s.pos != state.pos ? kStepInject : kStepEnd, s);
            return;
        }
        case kLateCopy:
            out.step(kStepInject, [](State& s) {
                const std::uint8_t record = s.slot[(s.pos - 1u) % kSlots];
                if (record / 8 != s.pos - 1) s.broken = 2;
                s.vcpu = kInject;
            });
            return;
        case kPublish:
            out.step(kStepPublish, [](State& s) {
                s.cons = s.pos;
                s.sync = 0;
                s.vcpu = kRun;
            });
            return;
        case kDone:
            return;
    }
}

void ReplayModel::feeder_steps(const State& state, Out& out) const {
    State s = state;
    const bool ended = s.last_kind == kShutdown || s.last_kind == kStop;
    switch (static_cast<Feeder>(state.feeder)) {
        case kReadCons:
            s.room = static_cast<std::uint8_t>(kSlots - static_cast<unsigned>(s.fed - s.cons));
            s.feeder = s.room ? kWrite : s.added ? kKick : kReadCons;
            out.add(kStepReadCons, s);
            break;
        case kWrite: {
            // The log is chosen here: each kind that the grammar allows next, and batches of any length.
            const bool last = s.fed + 2u >= bounds_.records;
            for (const Kind kind : {kEntry, kSignal0, kSignal1, kShutdown, kStop}) {
                bool allowed = false;
                switch (kind) {
                    case kEntry:
                        allowed = !(last && s.last_kind == kEntry);
                        break;
                    case kSignal0:
                        allowed = s.last_kind == kEntry && !last;
                        break;
                    case kSignal1:
                        allowed = (s.last_kind == kEntry || s.last_kind == kSignal0) && s.fed > 0 && !last;
                        break;
                    case kShutdown:
                    case kStop:
                        allowed = s.last_kind == kEntry && s.fed > 0;
                        break;
                }
                if (!allowed) continue;
                State n = s;
                n.last_kind = kind;
                n.added = 1;
                if (bug_ == ReplayBug::kPublishBeforeData) {
                    n.prod = static_cast<std::uint8_t>(n.fed + 1);
                    n.feeder = kWriteLate;
                    n.room = 0;
                    out.add(kStepPublishProd, n);
                    continue;
                }
                n.slot[n.fed % kSlots] = static_cast<std::uint8_t>(n.fed * 8u + kind);
                ++n.fed;
                --n.room;
                if (n.room && kind != kShutdown && kind != kStop)
                    out.add(kStepWrite, n);  // the batch goes on
                n.feeder = kPublishProd;
                n.room = 0;
                out.add(kStepWrite, n);
            }
            break;
        }
        case kWriteLate:
            s.slot[s.fed % kSlots] = static_cast<std::uint8_t>(s.fed * 8u + s.last_kind);
            ++s.fed;
            s.feeder = ended ? kSetEof : kReadCons;
            out.add(kStepWriteLate, s);
            break;
        case kPublishProd:
            if (ended && bug_ == ReplayBug::kEofBeforeLastRecord) {
                s.eof = 1;
                s.feeder = kLatePublish;
                out.add(kStepSetEof, s);
            } else {
                s.prod = s.fed;
                s.feeder = ended ? kSetEof : kReadCons;
                out.add(kStepPublishProd, s);
            }
            break;
        case kLatePublish:
            s.prod = s.fed;
            s.feeder = kKick;
            out.add(kStepPublishProd, s);
            break;
        case kSetEof:
            s.eof = 1;
            s.feeder = bug_ == ReplayBug::kNoKickAtEof && s.vcpu != kNotStarted ? kFinished : kKick;
            out.add(kStepSetEof, s);
            break;
        case kKick:
            if (s.stalled) s.stalled = s.paused = 0;
            s.added = 0;
            s.feeder = ended ? kFinished : kReadCons;
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
        s.room = s.added = 0;
        out.add(kStepKilled, s);
    }
}

const char* ReplayModel::broken(const State& s) const {
    if (s.broken) return kRules[s.broken];
    if (s.fed - s.cons > static_cast<int>(kSlots))
        return "a record was written over one that was not taken yet";
    return nullptr;
}

// The replay took every record, END last; or it waits for a daemon that is dead, at a place where the
// recording was too.
bool ReplayModel::good(const State& s) const {
    if (s.vcpu == kDone) return s.pos == s.fed;
    return s.feeder == kDead && (s.paused || s.vcpu == kNotStarted);
}

std::string ReplayModel::text(const State& s) const {
    std::string line = "(fed " + std::to_string(s.fed) + " prod " + std::to_string(s.prod) + " cons " +
                       std::to_string(s.cons) + " pos " + std::to_string(s.pos) + " of known " +
                       std::to_string(s.other) + ", vcpu " + kVcpuNames[s.vcpu];
    if (s.paused) line += " paused";
    if (s.stalled) line += " stalled";
    if (s.eof) line += " eof";
    return line + ", daemon " + kFeederNames[s.feeder] + ")";
}

}  // namespace casmotion::protocol
