// SPDX-License-Identifier: GPL-2.0-or-later
//
// casmotion-protocol: checks the protocol models, or one of their seeded bugs. Exit codes: 0 as expected, 1
// not, 2 usage, 75 inconclusive.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "explorer.h"
#include "point_record_model.h"
#include "point_replay_model.h"
#include "record_model.h"
#include "replay_model.h"
#include "ring_induction.h"

namespace casmotion::protocol {
namespace {

// States; each takes about 150 bytes with the steps that leave it.
constexpr std::uint64_t kMaxStates = 12'000'000;

class Timer {
  public:
    [[nodiscard]] std::string text() const {
        const auto passed = std::chrono::steady_clock::now() - start_;
        char out[32];
        std::snprintf(out, sizeof(out), "%.2f s", std::chrono::duration<double>(passed).count());
        return out;
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void print(const std::vector<std::string>& trace) {
    for (std::size_t i = 0; i < trace.size(); ++i) std::printf("  %3zu %s\n", i, trace[i].c_str());
}

template <typename Model>
int search(const Model& model, const std::string& bounds, bool bug) {
    const Timer timer;
    Explorer<Model> explorer(model, kMaxStates);
    const Result result = explorer.run();
    const std::string cost = std::to_string(result.states) + " states, " + std::to_string(result.steps) +
                             " steps, " + timer.text();
    switch (result.verdict) {
        case Verdict::kHolds:
            std::printf("holds in every interleaving: %s; %s\n", bounds.c_str(), cost.c_str());
            return bug ? 1 : 0;
        case Verdict::kBroken:
            std::printf("broken: %s\n", result.rule.c_str());
            print(result.trace);
            std::printf("%s; %s\n", bounds.c_str(), cost.c_str());
            return bug ? 0 : 1;
        case Verdict::kInconclusive:
            std::printf("inconclusive: more than %llu states; %s\n",
                        static_cast<unsigned long long>(kMaxStates), cost.c_str());
            return 75;
    }
    return 70;
}

int record(RecordBounds bounds, RecordBug bug) {
    const std::string text =
        "ring of " + std::to_string(RecordModel::kSlots) + " records, " + std::to_string(bounds.trips) +
        " entries, two senders of two signals each on 2 ports" + (bounds.may_stop ? ", a stop" : "") +
        (bounds.daemon_may_die ? ", the daemon may be killed" : "");
    return search(RecordModel(bounds, bug), text, bug != RecordBug::kNone);
}

int replay(ReplayBounds bounds, ReplayBug bug) {
    const std::string text = "ring of " + std::to_string(ReplayModel::kSlots) +
                             " records, every log of up to " + std::to_string(bounds.records) + " records" +
                             (bounds.daemon_may_die ? ", the daemon may be killed" : "");
    return search(ReplayModel(bounds, bug), text, bug != ReplayBug::kNone);
}

int points(PointRecordBounds bounds, PointRecordBug bug) {
    const std::string text =
        "ring of " + std::to_string(PointRecordModel::kSlots) + " records, " + std::to_string(bounds.trips) +
        " entries, up to " + std::to_string(PointRecordModel::kLength) +
        " instructions behind each and then a loop, three signals on 2 ports" +
        (bounds.may_stop ? ", a stop" : "") + (bounds.daemon_may_die ? ", the daemon may be killed" : "");
    return search(PointRecordModel(bounds, bug), text, bug != PointRecordBug::kNone);
}

int points_replay(PointReplayBounds bounds, PointReplayBug bug) {
    const std::string text = "ring of " + std::to_string(PointReplayModel::kSlots) +
                             " records, every program of " + std::to_string(PointReplayModel::kLength[1]) +
                             " and " + std::to_string(PointReplayModel::kLength[2]) +
                             " instructions, every log of up to " + std::to_string(bounds.records) +
                             " records" + (bounds.false_logs ? ", with a point that is never passed" : "") +
                             (bounds.too_late ? ", overflow interrupts later than the margin" : "") +
                             (bounds.daemon_may_die ? ", the daemon may be killed" : "");
    return search(PointReplayModel(bounds, bug), text, bug != PointReplayBug::kNone);
}

int ring(RingBug bug, bool hostile) {
    const Timer timer;
    const bool seeded = bug != RingBug::kNone;
    const InductionResult result = check_ring(bug, hostile, seeded ? 0 : 2, 12);
    const std::string cost = std::to_string(result.solver_steps) + " solver steps, " + timer.text();
    switch (result.outcome) {
        case InductionOutcome::kProved:
            std::printf("proved by induction of depth %u, for every ring of at least two trips%s; %s\n",
                        result.k, hostile ? " and every number that dom0 writes" : "", cost.c_str());
            return seeded ? 1 : 0;
        case InductionOutcome::kRefuted:
            std::printf("broken: %s\n", result.text.c_str());
            print(result.trace);
            std::printf("%s\n", cost.c_str());
            return seeded ? 0 : 1;
        case InductionOutcome::kInconclusive:
            std::printf("inconclusive: %s; %s\n", result.text.c_str(), cost.c_str());
            return 75;
    }
    return 70;
}

int seeded(std::string_view name) {
    for (const RecordBugName& bug : record_bugs()) {
        if (bug.name != name) continue;
        std::printf("seeded: %s\n", std::string(bug.what).c_str());
        const bool stop = bug.bug == RecordBug::kStopWithoutWaking || bug.bug == RecordBug::kGoOnAfterEnd;
        const bool wakes =
            bug.bug == RecordBug::kWakeTestBeforeBlocking || bug.bug == RecordBug::kWakeBeforeQueueing;
        return record({stop || wakes ? 3u : 7u, false, stop}, bug.bug);
    }
    for (const ReplayBugName& bug : replay_bugs()) {
        if (bug.name != name) continue;
        std::printf("seeded: %s\n", std::string(bug.what).c_str());
        return replay({12, false}, bug.bug);
    }
    for (const PointRecordBugName& bug : point_record_bugs()) {
        if (bug.name != name) continue;
        std::printf("seeded: %s\n", std::string(bug.what).c_str());
        return points({3, false, false}, bug.bug);
    }
    for (const PointReplayBugName& bug : point_replay_bugs()) {
        if (bug.name != name) continue;
        std::printf("seeded: %s\n", std::string(bug.what).c_str());
        const bool late =
            bug.bug == PointReplayBug::kOvershotDelivers || bug.bug == PointReplayBug::kSkipsLatePoint;
        return points_replay({.too_late = late,
                              .false_logs = bug.bug == PointReplayBug::kEntryKeepsTrap,
                              .daemon_may_die = false},
                             bug.bug);
    }
    for (const RingBugName& bug : ring_bugs()) {
        if (bug.name != name) continue;
        std::printf("seeded: %s\n", std::string(bug.what).c_str());
        return ring(bug.bug, bug.hostile);
    }
    std::fprintf(stderr, "casmotion-protocol: no bug is called '%s' (--list-bugs)\n",
                 std::string(name).c_str());
    return 2;
}

// The models speak of functions of the code; each must be there, in the file that is named.
int check_sources(const std::string& root) {
    const RecordModel recording({});
    const ReplayModel replaying({});
    const PointRecordModel points({});
    const PointReplayModel points_replaying({});
    std::map<std::string, std::string> files;
    int missing = 0, named = 0;
    for (const auto transitions : {recording.transitions(), replaying.transitions(), points.transitions(),
                                   points_replaying.transitions()}) {
        for (const Transition& step : transitions) {
            if (*step.file == '\0') continue;
            auto [at, fresh] = files.try_emplace(step.file);
            if (fresh) {
                std::ifstream in(root + "/" + step.file);
                at->second.assign(std::istreambuf_iterator<char>(in), {});
            }
            ++named;
            if (at->second.find(std::string(" ") + step.function + "(") != std::string::npos) continue;
            std::fprintf(
                stderr, "%s: '%s' of the model stands for %s(), which %s\n", step.agent, step.what,
                step.function,
                at->second.empty() ? "is in a file that cannot be read" : "is not defined there any more");
            ++missing;
        }
    }
    std::printf("%d kinds of steps name a function of the code, %d of them in vain\n", named, missing);
    return missing ? 1 : 0;
}

int usage() {
    std::fputs(
        "usage: casmotion-protocol CHECK\n\n"
        "  record           recording: no effect is lost, doubled, reordered or applied out of place; "
        "nothing gets stuck\n"
        "  record-stop      the same with dom0's stop, fewer entries\n"
        "  record-killed    the same with a daemon that may be killed at any moment\n"
        "  replay           replaying: the same, for every log; starvation, the end of the log, a killed "
        "daemon\n"
        "  points           recording points between entries: none outlives its entry, effects only behind "
        "its record\n"
        "  points-stop      the same with dom0's stop, fewer entries\n"
        "  points-killed    the same with a daemon that may be killed at any moment, fewer entries\n"
        "  points-replay    finding them again, for every program and log within bounds\n"
        "  points-false     the same with a point in the log that the guest never passes: a divergence, "
        "always\n"
        "  points-late      the same with overflow interrupts that come too late: a divergence or the right "
        "place\n"
        "  ring             the ring's counters and its wake-ups, for every size (Z3)\n"
        "  ring-hostile     what a consumer counter that dom0 forges cannot do (Z3)\n"
        "  --bug NAME       a seeded bug: succeeds if it is found, prints the shortest trace\n"
        "  --list-bugs\n"
        "  --transitions    each kind of step, and the function that it stands for\n"
        "  --sources ROOT   are those functions there?\n",
        stderr);
    return 2;
}

int run(const std::vector<std::string_view>& arguments) {
    if (arguments.size() == 2 && arguments[0] == "--bug") return seeded(arguments[1]);
    if (arguments.size() == 2 && arguments[0] == "--sources") return check_sources(std::string(arguments[1]));
    if (arguments.size() != 1) return usage();
    const std::string_view what = arguments[0];
    if (what == "record") return record({7, false, false}, RecordBug::kNone);
    if (what == "record-stop") return record({5, false, true}, RecordBug::kNone);
    if (what == "record-killed") return record({6, true, false}, RecordBug::kNone);
    if (what == "replay") return replay({12, true}, ReplayBug::kNone);
    if (what == "points") return points({3, false, false}, PointRecordBug::kNone);
    if (what == "points-stop") return points({2, false, true}, PointRecordBug::kNone);
    if (what == "points-killed") return points({2, true, false}, PointRecordBug::kNone);
    if (what == "points-replay") return points_replay({}, PointReplayBug::kNone);
    if (what == "points-false")
        return points_replay({.false_logs = true, .daemon_may_die = false, .records = 8},
                             PointReplayBug::kNone);
    if (what == "points-late") return points_replay({.too_late = true}, PointReplayBug::kNone);
    if (what == "ring") return ring(RingBug::kNone, false);
    if (what == "ring-hostile") return ring(RingBug::kNone, true);
    if (what == "--list-bugs") {
        for (const RecordBugName& bug : record_bugs())
            std::printf("%-30s %s\n", bug.name.data(), bug.what.data());
        for (const ReplayBugName& bug : replay_bugs())
            std::printf("%-30s %s\n", bug.name.data(), bug.what.data());
        for (const PointRecordBugName& bug : point_record_bugs())
            std::printf("%-30s %s\n", bug.name.data(), bug.what.data());
        for (const PointReplayBugName& bug : point_replay_bugs())
            std::printf("%-30s %s\n", bug.name.data(), bug.what.data());
        for (const RingBugName& bug : ring_bugs())
            std::printf("%-30s %s\n", bug.name.data(), bug.what.data());
        return 0;
    }
    if (what == "--transitions") {
        const RecordModel recording({});
        const ReplayModel replaying({});
        const PointRecordModel points({});
        const PointReplayModel points_replaying({});
        for (const auto transitions : {recording.transitions(), replaying.transitions(), points.transitions(),
                                       points_replaying.transitions()}) {
            for (const Transition& step : transitions)
                std::printf("%-7s %-62s %s %s\n", step.agent, step.what, step.file, step.function);
        }
        return 0;
    }
    return usage();
}

}  // namespace
}  // namespace casmotion::protocol

int main(int argc, char** argv) {
    return casmotion::protocol::run({argv + 1, argv + argc});
}
