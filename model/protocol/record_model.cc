// SPDX-License-Identifier: GPL-2.0-or-later
#include "record_model.h"

#include <array>
#include <cstring>

namespace casmotion::protocol {
namespace {

using State = RecordModel::State;

enum Kind : std::uint8_t { kOrdinary, kEnd };
enum Mode : std::uint8_t { kRecording, kEnded };

// Where the vCPU is.
enum Vcpu : std::uint8_t {
    kRun,
    kWriteLate,  // kPublishBeforeData only
    kBlock,
    kBlockTest,
    kExit,
    kRoomPause,
    kRoomFlag,
    kRoomPublish,
    kRoomLook,
    kRoomClear,
    kLongWork,
    kEndPublish,
    kEndEof,
    kDrain,
    kClearLate,  // kTakeWithoutLock only
    kApply,
    kPublish,
    kDone,
};
constexpr std::array kVcpuNames = {"runs",         "writes late", "blocks",      "tests before sleep",
                                   "exit",         "must pause",  "must flag",   "must publish",
                                   "looks again",  "clears flag", "long work",   "END publishes",
                                   "END sets eof", "drains",      "clears late", "applies",
                                   "publishes",    "done"};

enum Daemon : std::uint8_t { kReadEof, kReadProd, kCopy, kConsume, kKick, kDecide, kGone, kDead };
constexpr std::array kDaemonNames = {"reads eof", "reads prod", "copies",   "consumes",
                                     "kicks",     "decides",    "finished", "dead"};

constexpr std::uint8_t kEmpty = 0xff;

// Rules that a step can break, as State::broken.
constexpr std::array<const char*, 8> kRules = {
    nullptr,
    "a record found no room: the exit before it let the vCPU run on too early",
    "a record was written after END",
    "an effect was applied outside an injection point",
    "an effect was applied without its record right before it",
    "the log file got a record that is not the next one written (lost, twice, out of order or torn)",
    "the daemon gave up although END was on its way",
    "a signal was applied twice",
};

enum Step : unsigned {
    kStepInterrupt,
    kStepEntry,
    kStepEntryBlock,
    kStepShutdown,
    kStepWriteLate,
    kStepBlock,
    kStepBlockTest,
    kStepSkip,
    kStepUnlogged,
    kStepRoom,
    kStepPause,
    kStepFlag,
    kStepStallPublish,
    kStepLook,
    kStepClear,
    kStepLongWork,
    kStepStopEnd,
    kStepEndPublish,
    kStepEndEof,
    kStepTake,
    kStepApply,
    kStepPublish,
    kStepQueue,
    kStepWake,
    kStepStop,
    kStepStopWake,
    kStepReadEof,
    kStepReadProd,
    kStepCopy,
    kStepConsume,
    kStepKick,
    kStepDecide,
    kStepKilled,
    kSteps,
};

#define CASM "xen-patches/files/xen/arch/x86/casm/"
#define DAEMON "dom0-daemon/"
constexpr std::array<Transition, kSteps> kTransitions = {{
    {"vcpu", "an interrupt hits the guest", "", ""},
    {"vcpu", "the guest enters Xen: ENTRY", CASM "entry.c", "casm_count_entry"},
    {"vcpu", "the guest wants to sleep: ENTRY", CASM "entry.c", "casm_count_entry"},
    {"vcpu", "the guest shuts down: ENTRY, END", CASM "control.c", "casm_domain_shutdown"},
    {"vcpu", "writes the record that is public already", CASM "stream.c", "casm_put"},
    {"vcpu", "sets its blocked flag", "", "vcpu_block"},
    {"vcpu", "looks for queued signals", CASM "queue.c", "casm_must_not_block"},
    {"vcpu", "uncounted exit: nothing is applied", CASM "entry.c", "casm_exit_work"},
    {"vcpu", "exit after END: applies, logs nothing", CASM "queue.c", "casm_drain"},
    {"vcpu", "looks for room in the ring", CASM "stream.c", "log_room"},
    {"vcpu", "pauses itself", CASM "stream.c", "casm_room"},
    {"vcpu", "sets the stall flag", CASM "stream.c", "casm_room"},
    {"vcpu", "publishes what is there", CASM "stream.c", "casm_publish"},
    {"vcpu", "looks a second time", CASM "stream.c", "both_room"},
    {"vcpu", "clears the stall flag, unpauses", CASM "stream.c", "casm_room"},
    {"vcpu", "no stop was asked for", CASM "point.c", "record_here"},
    {"vcpu", "a stop was asked for: END", CASM "control.c", "casm_end"},
    {"vcpu", "publishes END", CASM "control.c", "casm_end"},
    {"vcpu", "sets eof", CASM "control.c", "casm_end"},
    {"vcpu", "takes the queue", CASM "queue.c", "take_ports"},
    {"vcpu", "logs and applies a signal", CASM "queue.c", "casm_drain"},
    {"vcpu", "publishes, returns to the guest", CASM "stream.c", "casm_publish"},
    {"sender", "puts a signal into the queue", CASM "queue.c", "casm_queue_event"},
    {"sender", "wakes the vCPU", CASM "queue.c", "casm_queue_event"},
    {"dom0", "asks for a stop", CASM "control.c", "stop_run"},
    {"dom0", "wakes the vCPU for it", CASM "control.c", "stop_run"},
    {"daemon", "reads eof", DAEMON "rings/ring_reader.cc", "RingReader::eof"},
    {"daemon", "reads prod", DAEMON "rings/ring_reader.cc", "RingReader::available"},
    {"daemon", "copies a record into the file", DAEMON "rings/ring_reader.cc", "RingReader::peek"},
    {"daemon", "gives the room back", DAEMON "rings/ring_reader.cc", "RingReader::consume"},
    {"daemon", "kicks", CASM "control.c", "kick"},
    {"daemon", "END seen? eof seen?", DAEMON "session/recorder.cc", "Recorder::run"},
    {"daemon", "is killed", "", ""},
}};
#undef CASM
#undef DAEMON

// The signals of each sender, by port. Both send to port 0: signals may meet in the queue.
constexpr std::uint8_t kSignals[RecordModel::kSenders][2] = {{0, 0}, {1, 0}};

constexpr std::array kBugs = {
    RecordBugName{RecordBug::kApplyAtUncountedExit, "apply-at-uncounted-exit",
                  "effects are applied on the way out of an interrupt"},
    RecordBugName{RecordBug::kDropOnFullRing, "drop-on-full-ring",
                  "a full ring does not stop the vCPU, records are left out"},
    RecordBugName{RecordBug::kReserveTooSmall, "reserve-too-small",
                  "the vCPU may run on with room for less than one trip"},
    RecordBugName{RecordBug::kDrainBeforeRoom, "duplicate-after-resume",
                  "a stalled exit starts over and applies again"},
    RecordBugName{RecordBug::kPublishBeforeData, "publish-before-data",
                  "prod moves before the record is written"},
    RecordBugName{RecordBug::kConsumeBeforeCopy, "consume-before-copy",
                  "the daemon moves cons before it has copied"},
    RecordBugName{RecordBug::kNoSecondLook, "no-second-look",
                  "no look at the ring after the stall flag was set"},
    RecordBugName{RecordBug::kRareKick, "rare-kick",
                  "the daemon kicks only after it found the ring nearly full"},
    RecordBugName{RecordBug::kWakeTestBeforeBlocking, "wake-test-before-blocking",
                  "the vCPU looks for signals, then sets blocked"},
    RecordBugName{RecordBug::kWakeBeforeQueueing, "wake-before-queueing",
                  "a sender wakes the vCPU, then queues the signal"},
    RecordBugName{RecordBug::kTakeWithoutLock, "take-without-lock",
                  "the queue is read and cleared in two steps"},
    RecordBugName{RecordBug::kStopWithoutWaking, "stop-without-waking",
                  "dom0's stop does not wake a sleeping vCPU"},
    RecordBugName{RecordBug::kGoOnAfterEnd, "go-on-after-end", "logging goes on after END"},
    RecordBugName{RecordBug::kEofBeforeEnd, "eof-before-end", "eof is set before END is published"},
    RecordBugName{RecordBug::kEofReadAfterDrain, "eof-read-after-drain",
                  "the daemon reads eof after it drained"},
};

}  // namespace

std::span<const RecordBugName> record_bugs() {
    return kBugs;
}

std::span<const Transition> RecordModel::transitions() const {
    return kTransitions;
}

std::vector<State> RecordModel::initial() const {
    State s{};
    std::memset(s.slot, kEmpty, sizeof(s.slot));
    return {s};
}

bool RecordModel::has_room(const State& s) const {
    const unsigned reserve = bug_ == RecordBug::kReserveTooSmall ? kReserve - 1 : kReserve;
    return kSlots - static_cast<unsigned>(s.pos - s.other) >= reserve;
}

void RecordModel::put(State& s, unsigned kind) const {
    if (s.ended) s.broken = 2;
    if (s.pos + 1u - s.other > kSlots) {
        if (bug_ != RecordBug::kDropOnFullRing) s.broken = 1;
        return;
    }
    s.slot[s.pos % kSlots] = static_cast<std::uint8_t>(s.pos * 2u + kind);
    ++s.pos;
    s.ended = kind == kEnd;
}

void RecordModel::vcpu_steps(const State& state, Out& out) const {
    const bool recording = state.mode == kRecording;
    switch (static_cast<Vcpu>(state.vcpu)) {
        case kRun:
            out.step(kStepInterrupt, [](State& s) { s.vcpu = kExit; });
            if (state.trips + 1u == bounds_.trips) {
                out.step(kStepShutdown, [&](State& s) {
                    ++s.trips;
                    s.vcpu = kDone;
                    if (!recording) return;
                    put(s, kOrdinary);
                    put(s, kEnd);
                    s.mode = kEnded;
                    s.vcpu = kEndPublish;
                });
                return;
            }
            out.step(kStepEntry, [&](State& s) {
                ++s.trips;
                s.sync = 1;
                s.vcpu = kExit;
                if (!recording) return;
                if (bug_ == RecordBug::kPublishBeforeData) {
                    s.prod = ++s.pos;
                    s.vcpu = kWriteLate;
                } else {
                    put(s, kOrdinary);
                }
            });
            out.step(kStepEntryBlock, [&](State& s) {
                ++s.trips;
                s.sync = 1;
                s.vcpu = kBlock;
                if (recording) put(s, kOrdinary);
            });
            return;
        case kWriteLate:
            out.step(kStepWriteLate, [](State& s) {
                const unsigned at = s.pos - 1u;
                s.slot[at % kSlots] = static_cast<std::uint8_t>(at * 2u + kOrdinary);
                s.vcpu = kExit;
            });
            return;
        case kBlock:
            if (bug_ == RecordBug::kWakeTestBeforeBlocking) {
                out.step(kStepBlockTest, [](State& s) { s.vcpu = s.pending || s.stop ? kExit : kBlockTest; });
            } else {
                out.step(kStepBlock, [](State& s) {
                    s.blocked = 1;
                    s.vcpu = kBlockTest;
                });
            }
            return;
        case kBlockTest:
            if (bug_ == RecordBug::kWakeTestBeforeBlocking) {
                out.step(kStepBlock, [](State& s) {
                    s.blocked = 1;
                    s.vcpu = kExit;
                });
            } else {
                out.step(kStepBlockTest, [](State& s) {
                    if (s.pending || s.stop) s.blocked = 0;
                    s.vcpu = kExit;
                });
            }
            return;
        case kRoomPause:
            out.step(kStepPause, [](State& s) {
                s.paused = 1;
                s.vcpu = kRoomFlag;
            });
            return;
        case kRoomFlag:
            out.step(kStepFlag, [](State& s) {
                s.stalled = 1;
                s.vcpu = kRoomPublish;
            });
            return;
        case kRoomPublish:
            out.step(kStepStallPublish, [&](State& s) {
                s.prod = s.pos;
                s.vcpu = bug_ == RecordBug::kNoSecondLook ? kExit : kRoomLook;
            });
            return;
        case kRoomLook:
            out.step(kStepLook, [&](State& s) {
                s.other = s.cons;
                s.vcpu = has_room(s) ? kRoomClear : kExit;
            });
            return;
        case kRoomClear:
            out.step(kStepClear, [](State& s) {
                if (s.stalled) s.stalled = s.paused = 0;
                s.vcpu = kExit;
            });
            return;
        case kEndPublish:
            out.step(bug_ == RecordBug::kEofBeforeEnd ? kStepEndEof : kStepEndPublish, [&](State& s) {
                if (bug_ == RecordBug::kEofBeforeEnd)
                    s.eof = 1;
                else
                    s.prod = s.pos;
                s.vcpu = kEndEof;
            });
            return;
        case kEndEof:
            out.step(bug_ == RecordBug::kEofBeforeEnd ? kStepEndPublish : kStepEndEof, [&](State& s) {
                s.prod = s.pos;
                s.eof = 1;
                s.vcpu = s.trips == bounds_.trips ? kDone : kExit;
            });
            return;
        case kExit:
        case kLongWork:
        case kDrain:
        case kClearLate:
        case kApply:
        case kPublish:
            exit_steps(state, out);
            return;
        case kDone:
            return;
    }
}

// casm_exit_work() from the top, for a vCPU that the scheduler lets run.
void RecordModel::exit_steps(const State& state, Out& out) const {
    const bool again = bug_ == RecordBug::kDrainBeforeRoom;
    switch (static_cast<Vcpu>(state.vcpu)) {
        case kExit:
            if (state.paused || state.blocked) return;
            if (state.mode == kEnded) {
                out.step(kStepUnlogged, [](State& s) {
                    for (unsigned p = 0; p < kPorts; ++p)
                        s.owed[p] = static_cast<std::uint8_t>(s.owed[p] - (s.pending >> p & 1));
                    s.pending = s.sync = 0;
                    s.vcpu = kRun;
                });
            } else if (!state.sync) {
                if (bug_ == RecordBug::kApplyAtUncountedExit && state.pending && state.mode == kRecording)
                    out.step(kStepSkip, [](State& s) { s.vcpu = kDrain; });
                else
                    out.step(kStepSkip, [](State& s) { s.vcpu = kRun; });
            } else if (again && state.pending && !state.taken) {
                out.step(kStepTake, [](State& s) {
                    s.taken = s.pending;
                    s.vcpu = kApply;
                });
            } else {
                out.step(kStepRoom, [&](State& s) {
                    if (!has_room(s)) s.other = s.cons;
                    s.vcpu = has_room(s) || bug_ == RecordBug::kDropOnFullRing ? kLongWork : kRoomPause;
                });
            }
            return;
        case kLongWork:
            if (state.stop) {
                out.step(kStepStopEnd, [&](State& s) {
                    s.stop = 0;
                    put(s, kEnd);
                    s.mode = bug_ == RecordBug::kGoOnAfterEnd ? kRecording : kEnded;
                    s.vcpu = kEndPublish;
                });
            } else {
                out.step(kStepLongWork, [](State& s) { s.vcpu = kDrain; });
            }
            return;
        case kDrain:
            out.step(kStepTake, [&](State& s) {
                s.taken = s.pending;
                if (bug_ == RecordBug::kTakeWithoutLock) {
                    s.vcpu = kClearLate;
                } else {
                    s.pending = 0;
                    s.vcpu = s.taken ? kApply : kPublish;
                }
            });
            return;
        case kClearLate:
            out.step(kStepTake, [](State& s) {
                s.pending = 0;
                s.vcpu = s.taken ? kApply : kPublish;
            });
            return;
        case kApply:
            out.step(kStepApply, [&](State& s) {
                const unsigned port = s.taken & 1 ? 0 : 1;
                s.taken = static_cast<std::uint8_t>(s.taken & ~(1u << port));
                const std::uint8_t before = s.pos;
                put(s, kOrdinary);
                if (!s.owed[port])
                    s.broken = 7;
                else
                    --s.owed[port];
                if (!s.sync) s.broken = 3;
                if (s.pos == before && !s.broken) s.broken = 4;
                if (s.taken) return;
                s.vcpu = kPublish;
                if (again) {  // the room comes last; without it the exit starts from the top
                    s.other = s.cons;
                    if (has_room(s))
                        s.pending = 0;
                    else
                        s.vcpu = kRoomPause;
                }
            });
            return;
        case kPublish:
            out.step(kStepPublish, [](State& s) {
                s.prod = s.pos;
                s.sync = 0;
                s.vcpu = kRun;
            });
            return;
        default:
            return;
    }
}

void RecordModel::sender_steps(const State& state, Out& out) const {
    const auto wake = [](State& s) { s.blocked = 0; };
    for (unsigned i = 0; i < kSenders; ++i) {
        const unsigned sent = state.sender[i] / 2u;
        if (sent == 2) continue;
        const unsigned port = kSignals[i][sent];
        const auto queue = [port](State& s) {
            if (!(s.pending >> port & 1)) ++s.owed[port];
            s.pending = static_cast<std::uint8_t>(s.pending | 1u << port);
        };
        State s = state;
        ++s.sender[i];
        const bool first = state.sender[i] % 2 == 0;
        const bool queues = first == (bug_ != RecordBug::kWakeBeforeQueueing);
        if (queues)
            queue(s);
        else
            wake(s);
        out.add(queues ? kStepQueue : kStepWake, s);
    }
    if (bounds_.may_stop && state.stopper < 2) {
        State s = state;
        ++s.stopper;
        if (state.stopper == 0) {
            s.stop = s.mode == kRecording;
            if (bug_ == RecordBug::kStopWithoutWaking || !s.stop) s.stopper = 2;
            out.add(kStepStop, s);
        } else {
            wake(s);
            out.add(kStepStopWake, s);
        }
    }
}

void RecordModel::daemon_steps(const State& state, Out& out) const {
    State s = state;
    const bool early = bug_ == RecordBug::kConsumeBeforeCopy;
    switch (static_cast<Daemon>(state.daemon)) {
        case kReadEof:
            s.seen_eof = s.eof;
            s.daemon = kReadProd;
            out.add(kStepReadEof, s);
            break;
        case kReadProd: {
            const unsigned unread = static_cast<unsigned>(s.prod - s.cons);
            s.seen_prod = s.prod;
            s.copied = s.cons;
            s.pressed = unread > (bug_ == RecordBug::kRareKick ? 6u : kSlots / 4);
            s.daemon = unread == 0 ? kDecide : early ? kConsume : kCopy;
            out.add(kStepReadProd, s);
            break;
        }
        case kCopy: {
            const std::uint8_t record = s.slot[s.copied % kSlots];
            if (record == kEmpty || record / 2 != s.file) s.broken = 5;
            if (record != kEmpty && record % 2 == kEnd) s.file_has_end = 1;
            ++s.file;
            if (++s.copied == s.seen_prod) s.daemon = early ? s.pressed ? kKick : kDecide : kConsume;
            out.add(kStepCopy, s);
            break;
        }
        case kConsume:
            s.cons = s.seen_prod;
            s.daemon = early ? kCopy : s.pressed ? kKick : kDecide;
            out.add(kStepConsume, s);
            break;
        case kKick:
            if (s.stalled) s.stalled = s.paused = 0;
            s.daemon = kDecide;
            out.add(kStepKick, s);
            break;
        case kDecide:
            if (bug_ == RecordBug::kEofReadAfterDrain) s.seen_eof = s.eof;
            if (s.file_has_end)
                s.daemon = kGone;
            else if (s.seen_eof)
                s.broken = 6;
            else
                s.daemon = kReadEof;
            s.seen_eof = s.seen_prod = s.copied = s.pressed = 0;
            out.add(kStepDecide, s);
            break;
        case kGone:
        case kDead:
            return;
    }
    if (bounds_.daemon_may_die) {
        s = state;
        s.daemon = kDead;
        s.seen_eof = s.seen_prod = s.copied = s.pressed = 0;
        out.add(kStepKilled, s);
    }
}

const char* RecordModel::broken(const State& s) const {
    if (s.broken) return kRules[s.broken];
    for (unsigned p = 0; p < kPorts; ++p) {
        const unsigned waiting = (s.pending >> p & 1u) + (s.taken >> p & 1u);
        if (s.owed[p] > waiting && bug_ != RecordBug::kDrainBeforeRoom) return "a signal was lost";
    }
    if (s.daemon < kGone && s.pos - s.cons > static_cast<int>(kSlots))
        return "a record was written over one that was not read yet";
    if (s.eof && (s.prod == 0 || s.slot[(s.prod - 1u) % kSlots] % 2 != kEnd))
        return "eof is set, and END is not published";
    return nullptr;
}

bool RecordModel::good(const State& s) const {
    if (s.daemon == kDead) {
        // The guest ended, or sleeps, or waits for a ring that nobody will ever read.
        return s.vcpu == kDone || s.paused || (s.vcpu == kExit && s.blocked && !s.pending && !s.stop);
    }
    if (s.vcpu == kDone) return s.daemon == kGone && s.file == s.pos;
    return s.vcpu == kExit && s.blocked && !s.pending && !s.stop && s.file == s.prod;
}

std::string RecordModel::text(const State& s) const {
    std::string line = "(pos " + std::to_string(s.pos) + " prod " + std::to_string(s.prod) + " cons " +
                       std::to_string(s.cons) + " file " + std::to_string(s.file) + ", queue " +
                       (s.pending & 1 ? "0" : "-") + (s.pending & 2 ? "1" : "-") + ", vcpu " +
                       kVcpuNames[s.vcpu];
    if (s.blocked) line += " blocked";
    if (s.paused) line += " paused";
    if (s.stalled) line += " stalled";
    if (s.stop) line += " stop";
    if (s.eof) line += " eof";
    return line + ", daemon " + kDaemonNames[s.daemon] + ")";
}

}  // namespace casmotion::protocol
