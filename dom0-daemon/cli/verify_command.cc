// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>
#include <string>

#include "casmotion/log_reader.h"
#include "casmotion/trace/trace_check.h"
#include "cli/command.h"
#include "cli/replay_runner.h"
#include "report/json.h"
#include "report/session_report.h"
#include "report/verify_page.h"

namespace casmotion {
namespace {

class VerifyCommand final : public Command {
  public:
    explicit VerifyCommand(CLI::App& app) {
        app.add_option("log", log_, "the log to check")->required()->type_name("LOG");
        app.add_flag("--replay", replay_, "replay it too, and compare every state with the recording");
        options_.declare(app);
        app.add_option("--report", page_, "write a page for people, in HTML")->type_name("FILE.html");
        app.add_flag("--json", json_, "print the result as JSON on stdout");
        app.footer(
            "Examples:\n"
            "  casmotion verify boot.log                        the conditions C1 to C6; needs no Xen\n"
            "  casmotion verify boot.log --replay --json\n"
            "  casmotion verify boot.log --report boot.html\n"
            "\n"
            "Exit codes: 0 everything holds, 1 a condition is refuted or the replay differs, 2 usage, 65 the "
            "log is damaged or has no end,\n"
            "69 the host lacks something (--replay), 70 internal, 75 cannot be told.");
    }

    Status run(const GlobalOptions& global) override {
        CASM_ASSIGN(const std::unique_ptr<LogReader> reader, LogReader::open(log_));
        TraceReport report = check_trace(*reader);
        if (!json_) CASM_TRY(write_stdout(to_text(report.log)));

        Json replay_json;
        std::optional<Status> replayed;
        std::optional<std::string> replay_line;
        const Category before = report.verdict().category();
        // A damaged log cannot be fed; one that fails another check can, and the replay may show more.
        if (replay_ && (before != Category::kLogInvalid || reader->torn_tail())) {
            CASM_ASSIGN(const ReplayResult result, run_replay(*reader, options_, global, false));
            replayed = verdict_of(result.report, *reader);
            const casm_status& status = result.report.outcome.status;
            if (replayed->ok()) add_equal_replay(report, status.ordinal, status.logged[CASM_CLS_DIGEST]);
            replay_line = to_line(result.report, *reader);
            if (json_) {
                replay_json = to_json(result.report, *reader, result.divergence);
            } else {
                CASM_TRY(write_stdout(*replay_line + "\n"));
            }
        }
        if (!json_) CASM_TRY(write_stdout(to_text(report)));
        // That a replay differs says more than that something cannot be told.
        Status verdict = report.verdict();
        if (replayed && !replayed->ok() && (verdict.ok() || verdict.category() == Category::kInconclusive))
            verdict = *replayed;
        if (!page_.empty()) CASM_TRY(write_page(page_, verify_page(report, *reader, verdict, replay_line)));
        if (json_) {
            Json out;
            out["verdict"] = std::string(name_of(verdict.category()));
            out["log"] = Json::parse(to_json(report.log), nullptr, false);
            out.update(Json::parse(to_json(report), nullptr, false));
            out["replay"] = replay_json;
            CASM_TRY(write_stdout(json_text(out)));
        }
        return verdict;
    }

  private:
    std::string log_, page_;
    ReplayOptions options_;
    bool replay_ = false;
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_verify(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("verify", "Check a log; with --replay compare a replay with it");
    return {app, std::make_unique<VerifyCommand>(*app)};
}

}  // namespace casmotion
