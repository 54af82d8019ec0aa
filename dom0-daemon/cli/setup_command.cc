// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>
#include <string>

#include "base/host_text.h"
#include "cli/command.h"
#include "cli/common.h"
#include "selftest/counter_gate.h"
#include "session/doctor.h"
#include "session/host_check.h"
#include "session/setup.h"

namespace casmotion {
namespace {

class SetupCommand final : public Command {
  public:
    explicit SetupCommand(CLI::App& app) {
        app.add_option("--cpu", cpu_text_,
                       "CPU for the recording cpupool; must be in no pool (default: the last free one)")
            ->type_name("N");
        app.footer(
            "Examples:\n"
            "  xl cpupool-cpu-remove Pool-0 3 && casmotion setup    gives CPU 3 to recordings\n"
            "  casmotion setup                                      again: says what is there\n"
            "\n"
            "To be run once after each boot of the host. Tests the branch counter, if there is one. Exit "
            "codes: 0, "
            "2 usage, 69 the\n"
            "host lacks something.");
    }

    Status run(const GlobalOptions& global) override {
        std::optional<CpuId> cpu;
        if (!cpu_text_.empty()) {
            CASM_ASSIGN(const uint64_t number, count_option("--cpu", cpu_text_, ~uint32_t{0}));
            cpu = CpuId{static_cast<uint32_t>(number)};
        }
        CASM_ASSIGN(const std::unique_ptr<XenHost> host, XenHost::open(global));
        const SessionHost session = host->session();
        CASM_ASSIGN(const std::string line, set_up(session.hypervisor, session.toolstack, cpu));
        CASM_TRY(write_stdout("setup: " + line + "\n"));
        // Tested here so that the first recording need not; what it says is no failure of the setup.
        CASM_ASSIGN(const HostInfo info, require_recording_host(session.hypervisor));
        const Finding counter =
            counter_finding(examine_counter(session, info, CounterMemory(), WhenToTest::kAlways));
        return write_stdout("setup: branch counter: " + counter.text + "\n");
    }

  private:
    std::string cpu_text_;
};

}  // namespace

DeclaredCommand declare_setup(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("setup", "Make the recording cpupool and register it with Xen");
    return {app, std::make_unique<SetupCommand>(*app)};
}

}  // namespace casmotion
