// SPDX-License-Identifier: GPL-2.0-or-later
#include <string>

#include "casmotion/log_reader.h"
#include "cli/command.h"
#include "report/log_info.h"

namespace casmotion {
namespace {

class InfoCommand final : public Command {
  public:
    explicit InfoCommand(CLI::App& app) {
        app.add_option("log", log_, "the log to describe")->required()->type_name("LOG");
        app.add_flag("--json", json_, "print JSON");
        app.footer(
            "Examples:\n"
            "  casmotion info boot.log\n"
            "  casmotion info boot.log --json\n"
            "\n"
            "Exit codes: 0, 2 usage, 65 the log is damaged or has no end (what is good is described), 69 it "
            "cannot be read.");
    }

    Status run(const GlobalOptions&) override {
        CASM_ASSIGN(const std::unique_ptr<LogReader> reader, LogReader::open(log_));
        CASM_ASSIGN(const LogInfo info, read_log_info(*reader));
        CASM_TRY(write_stdout(json_ ? json_text(to_json(info)) : to_text(info)));
        if (info.torn_tail) return log_invalid(info.name + " is incomplete: " + info.torn_tail->reason);
        return {};
    }

  private:
    std::string log_;
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_info(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("info", "Describe a log");
    return {app, std::make_unique<InfoCommand>(*app)};
}

}  // namespace casmotion
