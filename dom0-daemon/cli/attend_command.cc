// SPDX-License-Identifier: GPL-2.0-or-later
//
// The process that stands by a guest that goes on unrecorded. Started by `record`, not by people.
#include <cstdio>
#include <string>

#include "base/failures.h"
#include "base/host_text.h"
#include "cli/command.h"
#include "cli/common.h"
#include "session/attend.h"
#include "session/host_check.h"
#include "toolstack/libxl_toolstack.h"

namespace casmotion {
namespace {

class AttendCommand final : public Command {
  public:
    explicit AttendCommand(CLI::App& app) {
        app.add_option("domain", domain_, "domain id")->required()->type_name("DOMID");
        app.add_option("cfg", cfg_path_, "the xl.cfg file that it was created from")
            ->required()
            ->type_name("CFG");
        app.footer(
            "Examples:\n"
            "  casmotion attend 5 /etc/xen/guest.cfg    what 'record CFG' starts for a guest that goes on\n"
            "\n"
            "Waits until the guest has ended and does what CFG says about that (on_poweroff, on_reboot, "
            "on_crash, ...). Exit\n"
            "codes: 0, 2 usage, 69 the host lacks something.");
    }

    Status run(const GlobalOptions& global) override {
        const std::optional<uint64_t> id = parse_u64(domain_);
        if (!id || *id == 0 || *id > 0x7fef)
            return usage_error("'" + printable(domain_) + "' is not a domain id");
        CASM_ASSIGN(const std::unique_ptr<Toolstack> toolstack, open_libxl_toolstack(global.verbose));
        // Opened late: it takes SIGTERM as a request to a recording.
        const auto wait = [&]() -> Status {
            CASM_ASSIGN(const std::unique_ptr<XenHost> host, XenHost::open(global));
            const SessionHost session = host->session();
            return wait_for_pool(session.hypervisor, session.toolstack, session.clock, kPoolPatience);
        };
        return attend(
            *toolstack, DomId{static_cast<uint16_t>(*id)}, cfg_path_, wait,
            [](const std::string& line) { std::fprintf(stderr, "casmotion: attend: %s\n", line.c_str()); });
    }

  private:
    std::string domain_, cfg_path_;
};

}  // namespace

DeclaredCommand declare_attend(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("attend", "Stand by a guest that goes on unrecorded");
    app->group("");  // not in the list of commands
    return {app, std::make_unique<AttendCommand>(*app)};
}

}  // namespace casmotion
