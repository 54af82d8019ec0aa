// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/status_report.h"

#include <cstdio>
#include <iterator>

#include "base/host_text.h"
#include "casmotion/taxonomy.h"

namespace casmotion {
namespace {

std::string shutdown_text(uint32_t code) {
    // SHUTDOWN_* of xen/include/public/sched.h.
    switch (code) {
        case 0:
            return "powered off";
        case 1:
            return "rebooted (a reboot ends the log like a shutdown)";
        case 2:
            return "suspended";
        case 3:
            return "crashed (it said so itself: a panic)";
        case 4:
            return "was ended by its watchdog";
        case 5:
            return "asked for a soft reset";
        default:
            return "shut down with code " + std::to_string(code);
    }
}

/// "3 under 10 us, 1 under 1 ms": the buckets that are not empty.
std::string distribution(const uint64_t (&counts)[8], const char* const (&bounds)[8]) {
    std::string out;
    for (size_t i = 0; i < std::size(counts); ++i)
        if (counts[i] != 0) out += (out.empty() ? "" : ", ") + with_thousands(counts[i]) + " " + bounds[i];
    return out;
}

}  // namespace

std::string end_text(uint32_t reason, uint32_t code) {
    switch (static_cast<casm_end_reason>(reason)) {
        case CASM_END_NONE:
            return "goes on (the log has no end)";
        case CASM_END_SHUTDOWN:
            return shutdown_text(code);
        case CASM_END_CRASHED:
            return "crashed (its kernel panicked, or Xen ended it for what it did)";
        case CASM_END_STOPPED:
            return "goes on unrecorded";
        case CASM_END_DESTROYED:
            return "was destroyed";
        case CASM_END_DIVERGED:
            return "diverged";
    }
    return "ended for unknown reason " + std::to_string(reason);
}

std::string delays_text(const casm_status& status) {
    static constexpr const char* kBounds[] = {"under 10 us",  "under 100 us", "under 1 ms", "under 10 ms",
                                              "under 100 ms", "under 1 s",    "under 10 s", "longer"};
    static_assert(std::size(kBounds) == std::size(decltype(casm_status::delay_count){}));
    const std::string counts = distribution(status.delay_count, kBounds);
    if (counts.empty()) return counts;
    char most[48];
    std::snprintf(most, sizeof(most), "%.3f ms", static_cast<double>(status.delay_max_ns) / 1e6);
    return counts + ", at most " + most;
}

std::string apoints_text(const casm_apoint_stats& points) {
    const uint64_t count = points.canonical + points.by_state;
    if (count == 0) return {};
    static constexpr const char* kBounds[] = {"up to 1",   "up to 4",    "up to 16",   "up to 64",
                                              "up to 256", "up to 1024", "up to 4096", "more"};
    static_assert(std::size(kBounds) == std::size(decltype(casm_apoint_stats::steps_count){}));
    char mean[48];
    std::snprintf(mean, sizeof(mean), "%.1f",
                  static_cast<double>(points.steps + points.hits) / static_cast<double>(count));
    std::string out = with_thousands(points.canonical) + " canonical, " + with_thousands(points.by_state) +
                      " by state, " + mean + " steps each (at most " + with_thousands(points.steps_max) + ")";
    if (const std::string counts = distribution(points.steps_count, kBounds); !counts.empty())
        out += ": " + counts;
    if (points.overflows != 0)
        out += "; " + with_thousands(points.overflows) + " overflow interrupts, at most " +
               with_thousands(points.late_max_branches) + " branches late";
    return out;
}

Json to_json(const casm_apoint_stats& points) {
    return {{"canonical", points.canonical},
            {"by_state", points.by_state},
            {"steps", points.steps},
            {"hits", points.hits},
            {"overflows", points.overflows},
            {"steps_max", points.steps_max},
            {"late_max_branches", points.late_max_branches},
            {"steps_count", points.steps_count}};
}

Json to_json(const casm_status& status) {
    Json out;
    out["mode"] = status.mode;
    out["end_reason"] = std::string(end_reason_name(status.end_reason));
    out["end_code"] = status.end_code;
    out["ordinal"] = status.ordinal;
    out["records"] = status.records;
    out["hash"] = hex_text(status.hash);
    Json logged = Json::object();
    Json applied = Json::object();
    for (const ClassInfo& info : kClasses) {
        logged[std::string(info.name)] = status.logged[info.id];
        applied[std::string(info.name)] = status.applied[info.id];
    }
    out["logged"] = logged;
    out["applied"] = applied;
    out["cycles"] = {{"entry", status.cycles[CASM_CAUSE_ENTRY]},
                     {"tsc", status.cycles[CASM_CAUSE_TSC]},
                     {"exit", status.cycles[CASM_CAUSE_EXIT]},
                     {"digest", status.cycles[CASM_CAUSE_DIGEST]},
                     {"start_end", status.cycles[CASM_CAUSE_START_END]}};
    out["stalls_log"] = status.stalls_log;
    out["stalls_feed"] = status.stalls_feed;
    out["events_queued"] = status.events_queued;
    out["delay_max_ns"] = status.delay_max_ns;
    out["delay_count"] = status.delay_count;
    out["spurious_faults"] = status.spurious_faults;
    out["tsc_khz"] = status.tsc_khz;
    out["branches"] = status.branches;
    out["apoints"] = to_json(status.apoints);
    return out;
}

}  // namespace casmotion
