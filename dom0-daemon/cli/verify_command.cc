// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <optional>
#include <string>

#include "casmotion/log_reader.h"
#include "casmotion/model_checks.h"
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
        app.add_option("log", log_, "the log to check")->type_name("LOG");
        app.add_flag("--model", model_,
                     "check no log but the proofs: theorem, need of each condition, event classes, protocol");
        app.add_flag("--replay", replay_, "replay it too, and compare every state with the recording");
        options_.declare(app);
        app.add_option("--report", page_, "write a page for people, in HTML")->type_name("FILE.html");
        app.add_flag("--json", json_, "print the result as JSON on stdout");
        app.footer(
            "Examples:\n"
            "  casmotion verify boot.log                        does the log determine the execution? needs "
            "no Xen\n"
            "  casmotion verify boot.log --replay --json        and is a replay that execution?\n"
            "  casmotion verify boot.log --report boot.html\n"
            "  casmotion verify --model                         about a minute\n"
            "\n"
            "For each of the conditions C1 to C6, under which a replay passes through the recorded states, "
            "it says: holds; "
            "refuted,\n"
            "with the record at fault; or cannot be told, and why. A wrong value that could have been is "
            "seen by a replay only.\n"
            "\n"
            "Exit codes: 0 everything holds, 1 a condition is refuted or the replay differs, 2 usage, 65 the "
            "log is damaged or has no end,\n"
            "69 the host lacks something (--replay), 70 internal, 75 cannot be told.");
    }

    Status run(const GlobalOptions& global) override {
        if (model_ && (!log_.empty() || replay_ || !page_.empty()))
            return {Category::kUsage, "--model checks no log: give it alone, or with --json"};
        if (model_) return check_model();
        if (log_.empty()) return {Category::kUsage, "LOG is required, or --model"};
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
    Status check_model() const {
        Status printed;
        const auto print = [&](const ModelCheck& check) {
            if (json_ || !printed.ok()) return;
            char text[64];
            std::snprintf(text, sizeof(text), "%-12s %7.2f s  ", std::string(name_of(check.result)).c_str(),
                          static_cast<double>(check.time_ns) * 1e-9);
            std::string line = text + check.name + ": " + check.meaning + "\n";
            if (check.result != ModelResult::kProved)
                line += check.detail + (check.detail.empty() ? "" : "\n");
            printed = write_stdout(line);
        };
        CASM_ASSIGN(const std::vector<ModelCheck> checks, run_model_checks({}, print));
        CASM_TRY(printed);
        const Status verdict = verdict_of(checks);
        if (!json_) return verdict;
        Json out;
        out["verdict"] = std::string(name_of(verdict.category()));
        for (const ModelCheck& check : checks)
            out["checks"].push_back({{"group", check.group},
                                     {"name", check.name},
                                     {"meaning", check.meaning},
                                     {"result", std::string(name_of(check.result))},
                                     {"time_ns", check.time_ns},
                                     {"solver_steps", check.solver_steps},
                                     {"detail", check.detail}});
        CASM_TRY(write_stdout(json_text(out)));
        return verdict;
    }

    std::string log_, page_;
    bool model_ = false;
    ReplayOptions options_;
    bool replay_ = false;
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_verify(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand(
        "verify", "Check that a log determines one execution; with --replay that a replay is it");
    return {app, std::make_unique<VerifyCommand>(*app)};
}

}  // namespace casmotion
