// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/status_report.h"

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
    return out;
}

}  // namespace casmotion
