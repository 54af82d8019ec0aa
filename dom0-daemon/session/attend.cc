// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/attend.h"

#include "base/host_text.h"
#include "session/host_check.h"

namespace casmotion {
namespace {

// SHUTDOWN_* of xen/include/public/sched.h.
constexpr uint32_t kPoweroff = 0, kReboot = 1, kSuspend = 2, kCrash = 3, kWatchdog = 4, kSoftReset = 5;

/// As xl: where its own core dumps go.
std::string dump_path(const std::string& domain_name) {
    return "/var/lib/xen/dump/" + domain_name;
}

struct Choice {
    const char* key;  // of xl.cfg
    EndAction action;
};

Choice choice_of(const EndActions& actions, uint32_t shutdown_code) {
    switch (shutdown_code) {
        case kPoweroff:
            return {"on_poweroff", actions.poweroff};
        case kReboot:
            return {"on_reboot", actions.reboot};
        case kCrash:
            return {"on_crash", actions.crash};
        case kWatchdog:
            return {"on_watchdog", actions.watchdog};
        case kSoftReset:
            return {"on_soft_reset", actions.soft_reset};
        default:
            return {"of an unknown shutdown code", EndAction::kDestroy};
    }
}

struct EndDone {
    std::string text;    ///< what was done and why: "destroyed (on_crash="destroy")"
    bool again = false;  ///< the guest is wanted again (restart)
};

/// Does what `config` says about a guest that ended: destroys the domain, keeps it, dumps its memory first.
Result<EndDone> act_on_end(Toolstack& toolstack, DomId domain, const DomainConfig& config,
                           uint32_t shutdown_code) {
    EndDone done;
    const Choice choice = choice_of(config.on_end, shutdown_code);
    const std::string why =
        " (" + std::string(choice.key) + "=\"" + std::string(name_of(choice.action)) + "\")";
    switch (choice.action) {
        case EndAction::kPreserve:
            done.text = "left" + why;
            return done;
        case EndAction::kCoredumpDestroy:
        case EndAction::kCoredumpRestart: {
            const std::string path = dump_path(config.name);
            const Status dumped = toolstack.core_dump(domain, path);
            done.text = dumped.ok() ? "its memory is in " + path + ", "
                                    : "its memory could not be dumped: " + dumped.message() + "; ";
            break;
        }
        case EndAction::kDestroy:
        case EndAction::kRestart:
        case EndAction::kRenameRestart:  // the pool has room for one: the old domain cannot be kept beside
        case EndAction::kSoftReset:      // a PV domain cannot be reset in place
            break;
    }
    done.again = choice.action == EndAction::kRestart || choice.action == EndAction::kCoredumpRestart ||
                 choice.action == EndAction::kRenameRestart || choice.action == EndAction::kSoftReset;
    CASM_TRY(toolstack.destroy(domain));
    done.text += "destroyed" + why;
    return done;
}

}  // namespace

std::string attendant_log_path(const std::string& domain_name) {
    return "/var/log/xen/casmotion-" + domain_name + ".log";
}

Status attend(Toolstack& toolstack, DomId domain, const std::string& cfg_path,
              const std::function<Status()>& wait_for_pool,
              const std::function<void(const std::string&)>& say) {
    CASM_ASSIGN(const DomainConfig config, toolstack.domain_config(domain));
    const std::string who = "domain " + std::to_string(domain.value) + " '" + printable(config.name) + "': ";
    for (;;) {
        CASM_ASSIGN(const std::optional<uint32_t> code, toolstack.wait_for_end(domain));
        if (!code) {
            say(who + "somebody else destroyed it");
            return {};
        }
        if (*code == kSuspend) {
            say(who + "suspended");
            CASM_TRY(toolstack.wait_for_resume(domain));
            continue;
        }
        CASM_ASSIGN(const EndDone done, act_on_end(toolstack, domain, config, *code));
        say(who + done.text);
        if (!done.again) return {};
        // Its teardown goes on for a moment after `xl destroy` returned.
        CASM_TRY(wait_for_pool());
        CASM_TRY(toolstack.create_again(cfg_path, kRecordingPoolName));
        say("'" + printable(config.name) + "' was created again from " + cfg_path + ", unrecorded");
        return {};
    }
}

}  // namespace casmotion
