// SPDX-License-Identifier: GPL-2.0-or-later
#include <string>

#include "cli/command.h"
#include "cli/replay_runner.h"
#include "report/session_report.h"

namespace casmotion {
namespace {

class ReplayCommand final : public Command {
  public:
    explicit ReplayCommand(CLI::App& app) {
        app.add_option("log", log_, "the log to replay")->required()->type_name("LOG");
        options_.declare(app);
        app.add_flag("--json", json_, "print the result as JSON on stdout, and no console output there");
        app.footer(
            "Examples:\n"
            "  casmotion replay boot.log                        shows the guest's console output as it "
            "happens\n"
            "  casmotion replay boot.log --console-to out.txt --json\n"
            "\n"
            "Exit codes: 0 equal to the end, 1 diverged (the report names the first difference), 2 usage, 65 "
            "the log is\n"
            "damaged, or equal but without an end, 69 the host lacks something, 70 internal, 75 interrupted "
            "or stalled.");
    }

    Status run(const GlobalOptions& global) override {
        CASM_ASSIGN(const std::unique_ptr<LogReader> reader, LogReader::open(log_));
        CASM_ASSIGN(const ReplayResult result, run_replay(*reader, options_, global, !json_));
        CASM_TRY(write_stdout(json_ ? json_text(to_json(result.report, *reader, result.divergence))
                                    : to_line(result.report, *reader) + "\n"));
        return verdict_of(result.report, *reader);
    }

  private:
    std::string log_;
    ReplayOptions options_;
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_replay(CLI::App& parent) {
    CLI::App* app =
        parent.add_subcommand("replay", "Replay a log and compare every state with the recording");
    return {app, std::make_unique<ReplayCommand>(*app)};
}

}  // namespace casmotion
