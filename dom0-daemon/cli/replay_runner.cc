// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/replay_runner.h"

#include <cerrno>
#include <cstdio>

#include "base/failures.h"
#include "cli/common.h"
#include "report/session_report.h"
#include "selftest/counter_memory.h"

namespace casmotion {
namespace {

/// More than any interrupt is late by; steps and breakpoint hits per point stay bearable below it.
constexpr uint64_t kMaxMarginBranches = 1u << 20;

struct FileCloser {
    void operator()(FILE* file) const {
        if (file != stdout) std::fclose(file);
    }
};

/// Writes what the guest prints; ends it with a newline so that our own lines begin at the left.
class ConsoleOutput {
  public:
    explicit ConsoleOutput(FILE* file) : file_(file) {}

    void write(std::span<const uint8_t> bytes) {
        if (!file_ || bytes.empty()) return;
        if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size() ||
            std::fflush(file_.get()) != 0)
            failed_ = failed_ == 0 ? errno : failed_;
        last_ = bytes.back();
    }

    /// errno of the first failed write, 0 if there was none.
    int finish() {
        static constexpr uint8_t kNewline = '\n';
        if (file_.get() == stdout && last_ != kNewline) write({&kNewline, 1});
        return failed_;
    }

  private:
    std::unique_ptr<FILE, FileCloser> file_;
    uint8_t last_ = '\n';
    int failed_ = 0;
};

/// What the self-test found out about this host's counter: a margin that suffices, or that it cannot be
/// trusted.
void use_counter_test(const SessionHost& host, ReplayRequest& request) {
    HostInfo info;
    if (!host.hypervisor.host_info(info).ok()) return;  // said when it matters
    const std::optional<CounterVerdict> known =
        CounterMemory().recall(counter_key(host.toolstack, info.counter));
    if (!known) return;
    if (request.margin_branches == 0) request.margin_branches = known->margin_branches;
    if (known->health == CounterHealth::kNotExact)
        host.progress.notice(
            "replay: the branch counter of this host is not exact, the replay may diverge: " + known->text);
}

}  // namespace

void ReplayOptions::declare(CLI::App& app) {
    app.add_option("--kernel", kernel, "kernel to use; must have the hash that the log states")
        ->type_name("FILE");
    app.add_option("--ramdisk", ramdisk, "ramdisk to use; must have the hash that the log states")
        ->type_name("FILE");
    app.add_option("--console-to", console_to, "write the guest's console output to a file")
        ->type_name("FILE");
    app.add_option("--ring", ring, "size of the feed ring, a power of two from 64K to 64M (default 4M)")
        ->type_name("SIZE");
    app.add_option("--stall-timeout", stall_timeout,
                   "give up when nothing was replayed for that long (default 120, 0: never)")
        ->type_name("SECONDS");
    app.add_option(
           "--margin", margin,
           "branches by which the counter's overflow interrupts may come late (default: as its test found, "
           "at least 256)")
        ->type_name("BRANCHES");
    app.add_flag("--keep", keep, "leave the domain, paused where the replay ended");
}

Result<ReplayResult> run_replay(LogReader& reader, const ReplayOptions& options, const GlobalOptions& global,
                                bool console_on_stdout) {
    ReplayRequest request;
    request.kernel = options.kernel;
    request.ramdisk = options.ramdisk;
    request.keep = options.keep;
    CASM_ASSIGN(
        request.stall_limit_ns,
        seconds_option("--stall-timeout", options.stall_timeout.empty() ? "120" : options.stall_timeout));
    if (!options.ring.empty()) {
        CASM_ASSIGN(const uint64_t bytes, size_option("--ring", options.ring));
        CASM_ASSIGN(request.feed_ring, check_ring_size(bytes));
    }
    if (!options.margin.empty()) {
        CASM_ASSIGN(const uint64_t branches, count_option("--margin", options.margin, kMaxMarginBranches));
        if (branches == 0) return usage_error("--margin: an overflow interrupt is always late; at least 1");
        request.margin_branches = static_cast<uint32_t>(branches);
    }
    CASM_ASSIGN(const std::unique_ptr<XenHost> host, XenHost::open(global));

    if (reader.manifest().options.counter != CASM_COUNTER_ABSENT) use_counter_test(host->session(), request);

    FILE* console_file = console_on_stdout ? stdout : nullptr;
    if (!options.console_to.empty()) {
        console_file = std::fopen(options.console_to.c_str(), "wb");
        if (console_file == nullptr) return errno_status("cannot write " + options.console_to, errno);
    }
    ConsoleOutput console(console_file);

    ReplayResult out;
    CASM_ASSIGN(out.report, replay(host->session(), reader, request,
                                   [&console](std::span<const uint8_t> bytes) { console.write(bytes); }));
    if (const int error = console.finish(); error != 0)
        host->session().progress.notice(
            "replay: the console output is not complete: " +
            errno_status(options.console_to.empty() ? "stdout" : options.console_to, error).message());
    for (const std::string& line : measured_lines("replay", out.report.outcome.status))
        host->session().progress.notice(line);
    if (out.report.outcome.end == ReplayEnd::kDiverged) {
        out.divergence =
            make_divergence_report(reader, out.report.outcome.status.divergence, out.report.host_differences);
        std::fputs(to_text(*out.divergence).c_str(), stderr);
    }
    return out;
}

}  // namespace casmotion
