// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <string>
#include <vector>

#include "cli/command.h"
#include "report/json.h"
#include "session/doctor.h"

namespace casmotion {
namespace {

class DoctorCommand final : public Command {
  public:
    explicit DoctorCommand(CLI::App& app) {
        app.add_flag("--json", json_, "print JSON");
        app.footer(
            "Examples:\n"
            "  casmotion doctor\n"
            "  casmotion doctor --json\n"
            "\n"
            "One line per thing that recording needs. Exit codes: 0 this host can record, 2 usage, 69 it "
            "cannot.");
    }

    Status run(const GlobalOptions&) override {
        const std::vector<Finding> findings = examine(real_host());
        const Status verdict = verdict_of(findings);
        if (json_) {
            Json list = Json::array();
            for (const Finding& finding : findings)
                list.push_back({{"check", finding.check},
                                {"health", std::string(name_of(finding.health))},
                                {"text", finding.text}});
            CASM_TRY(write_stdout(json_text({{"can_record", verdict.ok()}, {"checks", list}})));
            return verdict;
        }
        for (const Finding& finding : findings) {
            char head[48];
            std::snprintf(head, sizeof(head), "%-8s%-12s ", std::string(name_of(finding.health)).c_str(),
                          finding.check.c_str());
            CASM_TRY(write_stdout(head + finding.text + "\n"));
        }
        return verdict;
    }

  private:
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_doctor(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("doctor", "Say whether this host can record, and what it lacks");
    return {app, std::make_unique<DoctorCommand>(*app)};
}

}  // namespace casmotion
