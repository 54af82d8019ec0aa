// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <string>
#include <vector>

#include "base/failures.h"
#include "base/host_text.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/common.h"
#include "report/session_report.h"
#include "selftest/counter_gate.h"
#include "session/host_check.h"
#include "session/record_session.h"

namespace casmotion {
namespace {

class RecordCommand final : public Command {
  public:
    explicit RecordCommand(CLI::App& app) {
        app.add_option("target", request_.target, "domain id or name of a paused domain, or an xl.cfg file")
            ->required()
            ->type_name("DOMAIN|CFG");
        app.add_option("-o,--output", request_.log_path, "where the log goes (a new folder)")
            ->required()
            ->type_name("LOG");
        app.add_flag("--by-hash", request_.by_hash,
                     "leave kernel and ramdisk out of the log, keep their SHA-256 only");
        app.add_option("--for", for_, "stop after that many seconds; the guest goes on")
            ->type_name("SECONDS");
        app.add_option("--max-log", max_log_, "stop when the events take that much; the guest goes on")
            ->type_name("SIZE");
        app.add_option(
               "--digest-interval", digest_interval_,
               "entries between digests of the guest's memory (default 500000; 0: only at start and end)")
            ->type_name("N");
        app.add_option("--ring", ring_, "size of the log ring, a power of two from 64K to 64M (default 4M)")
            ->type_name("SIZE");
        app.add_option(
               "--max-delay", max_delay_,
               "how long an event may wait for the guest to enter Xen (default 100); needs a branch counter")
            ->type_name("US");
        app.add_flag("--no-counter", no_counter_,
                     "do not use the branch counter: events wait until the guest enters Xen");
        app.add_flag(
            "--portable", request_.cpu.portable,
            "show the guest only what AMD's and Intel's processors have in common: its log replays on "
            "both");
        app.add_option("--allow-hidden", request_.cpu.allowed,
                       "do not hide this feature from the guest, whose results no log holds, as rdrand")
            ->type_name("NAME")
            ->allow_extra_args(false);
        app.add_flag("--account", request_.account, "measure cycles per cause in Xen (slower)");
        app.add_flag("--keep", request_.keep, "with CFG: do not destroy the domain when its guest ended");
        app.add_option("--disable-class", disabled_,
                       "do not log this class (for tests: the log will not replay)")
            ->type_name("NAME")
            ->allow_extra_args(false)
            ->group("Debugging");
        app.add_option("--dense", dense_,
                       "a point at every N-th instruction of the range, delivering or not (slow)")
            ->type_name("N")
            ->group("Debugging");
        app.add_option("--dense-range", dense_range_, "guest addresses of --dense, hexadecimal, inclusive")
            ->type_name("FIRST-LAST")
            ->group("Debugging");
        app.add_flag("--json", json_, "print the result as JSON on stdout");
        app.footer(
            "Examples:\n"
            "  casmotion record guest.cfg -o boot.log            create the guest, record until it ends\n"
            "  xl create -p guest.cfg && casmotion record guest -o boot.log --for 60\n"
            "\n"
            "^C stops the recording in an orderly way: the log is closed and the guest goes on. The log is "
            "LOG.incomplete\n"
            "while it is written. Exit codes: 0 the log is complete, 2 usage, 65 the log has no end, 69 the "
            "host lacks\n"
            "something, 70 internal, 75 interrupted before the recording began.");
    }

    Status run(const GlobalOptions& global) override {
        if (!for_.empty()) {
            CASM_ASSIGN(request_.limits.duration_ns, seconds_option("--for", for_));
        }
        if (!max_log_.empty()) {
            CASM_ASSIGN(request_.limits.log_bytes, size_option("--max-log", max_log_));
        }
        if (!ring_.empty()) {
            CASM_ASSIGN(const uint64_t bytes, size_option("--ring", ring_));
            CASM_ASSIGN(request_.ring, check_ring_size(bytes));
        }
        if (!digest_interval_.empty()) {
            CASM_ASSIGN(request_.digest_interval, count_option("--digest-interval", digest_interval_));
        }
        CASM_ASSIGN(request_.disable, classes_option(disabled_));
        CASM_TRY(check_allowed(request_.cpu.allowed));
        CASM_TRY(read_point_options());
        request_.tool_version = kVersion;
        CASM_TRY(check_log_target(request_.log_path));

        CASM_ASSIGN(const std::unique_ptr<XenHost> host, XenHost::open(global));
        const SessionHost session = host->session();
        CASM_ASSIGN(const HostInfo info, require_recording_host(session.hypervisor));
        CASM_ASSIGN(request_.counter, decide_counter(session, info, CounterMemory(), !no_counter_));
        if (!request_.counter && request_.dense_every != 0)
            return host_lacks("--dense needs a branch counter: " + counter_reason_text(info));
        CASM_ASSIGN(const RecordReport report, record(session, request_));
        if (report.outcome.status_known)
            for (const std::string& line : measured_lines("record", report.outcome.status))
                session.progress.notice(line);
        session.progress.notice(to_text(report));
        if (json_) CASM_TRY(write_stdout(json_text(to_json(report))));
        return verdict_of(report);
    }

  private:
    /// Points between entries: --max-delay, --dense, --dense-range.
    Status read_point_options() {
        if (no_counter_ && (!max_delay_.empty() || !dense_.empty()))
            return usage_error("--max-delay and --dense need the branch counter: leave --no-counter out");
        if (!max_delay_.empty()) {
            CASM_ASSIGN(const uint64_t us, count_option("--max-delay", max_delay_, kMaxDelayUs));
            request_.max_delay_ns = us * 1000;
        }
        if (dense_.empty() != dense_range_.empty())
            return usage_error("--dense and --dense-range belong together");
        if (dense_.empty()) return {};
        CASM_ASSIGN(const uint64_t every, count_option("--dense", dense_, kMaxDense));
        if (every == 0) return usage_error("--dense: every how many instructions? 1 or more");
        request_.dense_every = static_cast<uint32_t>(every);
        CASM_ASSIGN(const AddressRange range, address_range_option("--dense-range", dense_range_));
        request_.dense_first = range.first;
        request_.dense_last = range.last;
        return {};
    }

    static constexpr uint64_t kMaxDense = uint64_t{1} << 15;  // what Xen takes
    static constexpr uint64_t kMaxDelayUs = 10'000'000;       // ten seconds: as good as never

    RecordRequest request_;
    std::string for_, max_log_, ring_, digest_interval_, max_delay_, dense_, dense_range_;
    std::vector<std::string> disabled_;
    bool no_counter_ = false;
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_record(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("record", "Record a PV guest from its first instruction");
    return {app, std::make_unique<RecordCommand>(*app)};
}

}  // namespace casmotion
