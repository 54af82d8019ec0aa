// SPDX-License-Identifier: GPL-2.0-or-later
#include "checks/checks.h"
#include "protocol/explorer.h"
#include "protocol/point_record_model.h"
#include "protocol/point_replay_model.h"
#include "protocol/record_model.h"
#include "protocol/replay_model.h"
#include "protocol/ring_induction.h"

namespace casmotion::model {
namespace {

// As in model/protocol/main.cc: each state takes about 150 bytes with the steps that leave it.
constexpr std::uint64_t kMaxStates = 12'000'000;

std::string lines(const std::string& first, const std::vector<std::string>& trace) {
    std::string text = first;
    for (const std::string& line : trace) text += "\n" + line;
    return text;
}

template <typename Model>
Finding search(const Model& model) {
    const protocol::Result result = protocol::Explorer<Model>(model, kMaxStates).run();
    const std::string size =
        std::to_string(result.states) + " states, " + std::to_string(result.steps) + " steps";
    switch (result.verdict) {
        case protocol::Verdict::kHolds:
            return {ModelResult::kProved, 0, "every interleaving: " + size};
        case protocol::Verdict::kBroken:
            return {ModelResult::kRefuted, 0, lines("broken: " + result.rule, result.trace)};
        case protocol::Verdict::kInconclusive:
            return {ModelResult::kInconclusive, 0, "more states than memory is set aside for: " + size};
    }
    return {};
}

Finding induction(bool hostile) {
    const protocol::InductionResult result = protocol::check_ring(protocol::RingBug::kNone, hostile, 2, 12);
    switch (result.outcome) {
        case protocol::InductionOutcome::kProved:
            return {ModelResult::kProved, result.solver_steps,
                    "induction of depth " + std::to_string(result.k)};
        case protocol::InductionOutcome::kRefuted:
            return {ModelResult::kRefuted, result.solver_steps,
                    lines("broken: " + result.text, result.trace)};
        case protocol::InductionOutcome::kInconclusive:
            return {ModelResult::kInconclusive, result.solver_steps, result.text};
    }
    return {};
}

}  // namespace

// The models have limits of their own (states, rlimit): those of the caller are for the other groups' small
// queries.
std::vector<NamedCheck> protocol_checks() {
    using protocol::PointRecordModel;
    using protocol::PointReplayModel;
    using protocol::RecordBounds;
    using protocol::RecordModel;
    using protocol::ReplayModel;
    using Limits = smt::Limits;
    return {
        {"protocol", "protocol.record",
         "recording: no effect is lost, doubled, reordered or applied out of place, and nothing gets stuck: "
         "every "
         "interleaving of up to 7 entries",
         [](const Limits&) {
             return search(RecordModel(RecordBounds{7, false, false}));
         }},
        {"protocol", "protocol.record-stop", "the same with a stop by dom0, up to 5 entries",
         [](const Limits&) {
             return search(RecordModel(RecordBounds{5, false, true}));
         }},
        {"protocol", "protocol.record-killed",
         "the same with a daemon that is killed at any moment, up to 6 entries",
         [](const Limits&) {
             return search(RecordModel(RecordBounds{6, true, false}));
         }},
        {"protocol", "protocol.replay",
         "replaying: the same for every log of up to 12 records, with starvation, a killed daemon and the "
         "log's end",
         [](const Limits&) {
             return search(ReplayModel({12, true}));
         }},
        {"protocol", "protocol.points",
         "points between entries: none outlives its entry, its effects come behind its record and where it "
         "is: every "
         "interleaving of up to 3 entries",
         [](const Limits&) {
             return search(PointRecordModel({3, false, false}));
         }},
        {"protocol", "protocol.points-stop", "the same with a stop by dom0, up to 2 entries",
         [](const Limits&) {
             return search(PointRecordModel({2, false, true}));
         }},
        {"protocol", "protocol.points-killed",
         "the same with a daemon that is killed at any moment, up to 2 entries",
         [](const Limits&) {
             return search(PointRecordModel({2, true, false}));
         }},
        {"protocol", "protocol.points-replay",
         "found again at the place they name, for every program and log within the bounds",
         [](const Limits&) { return search(PointReplayModel({})); }},
        {"protocol", "protocol.points-false", "a point that the guest never passes is a divergence, always",
         [](const Limits&) {
             return search(PointReplayModel({.false_logs = true, .daemon_may_die = false, .records = 8}));
         }},
        {"protocol", "protocol.points-late",
         "an overflow interrupt that comes too late makes a divergence, never another place",
         [](const Limits&) { return search(PointReplayModel({.too_late = true})); }},
        {"protocol", "protocol.ring",
         "the ring's counters and wake-ups, for every size and any length (induction)",
         [](const Limits&) { return induction(false); }},
        {"protocol", "protocol.ring-hostile",
         "what a consumer counter that dom0 forges cannot do (induction)",
         [](const Limits&) { return induction(true); }},
    };
}

}  // namespace casmotion::model
