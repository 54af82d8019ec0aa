// SPDX-License-Identifier: GPL-2.0-or-later
#include "selftest/counter_selftest.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "base/failures.h"
#include "base/host_text.h"
#include "base/version.h"
#include "casmotion/log_reader.h"
#include "casmotion/taxonomy.h"
#include "report/point_divergence.h"
#include "report/status_report.h"
#include "selftest/branch_readings.h"
#include "session/replay_session.h"

extern "C" {
extern const char casmotion_selftest_kernel[];
extern const char casmotion_selftest_kernel_end[];
}

namespace casmotion {
namespace {

/// More than the test takes on the slowest machine that it was seen on, the emulated one, by a factor of ten.
constexpr uint64_t kPatienceNs = 60 * kNsPerSecond;

/// Runs of the test at most, until one met overflow interrupts. It takes timer ticks in the guest's long loop
/// for that, and on a busy machine all those of a run can come too late.
constexpr int kRunsMax = 5;

/// Margins to try, in branches; 0 is Xen's default.
constexpr std::array<uint32_t, 3> kMargins = {0, 4096, 65536};

/// Files of the test; removed with the object.
class Workplace {
  public:
    static Result<Workplace> make() {
        const char* temporary = std::getenv("TMPDIR");
        std::string folder = std::string(temporary != nullptr && *temporary != '\0' ? temporary : "/tmp") +
                             "/casmotion-selftest.XXXXXX";
        if (mkdtemp(folder.data()) == nullptr)
            return errno_status("cannot make a temporary folder " + folder, errno);
        return Workplace(folder);
    }
    Workplace(Workplace&& other) noexcept { std::swap(folder_, other.folder_); }
    Workplace& operator=(Workplace&&) = delete;
    ~Workplace() {
        std::error_code ignored;  // a temporary folder that stays does no harm
        if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
    }

    Status write(const std::string& name, std::string_view content) const {
        std::ofstream file(path(name), std::ios::binary);
        file << content;
        file.close();
        return file ? Status{} : host_lacks("cannot write " + path(name));
    }
    std::string path(const std::string& name) const { return folder_ + "/" + name; }

  private:
    explicit Workplace(std::string folder) : folder_(std::move(folder)) {}
    std::string folder_;
};

/// Notices of the recordings within are not what the user asked for.
class Silence final : public Progress {
  public:
    void notice(const std::string&) override {}
    bool due() override { return false; }
    void show(const std::string&) override {}
    void clear() override {}
};

std::string config_text(const std::string& kernel) {
    return "name = \"casmotion-selftest\"\ntype = \"pv\"\nkernel = \"" + kernel +
           "\"\nmemory = 16\nvcpus = 1\non_poweroff = \"destroy\"\non_reboot = \"destroy\"\non_crash = "
           "\"destroy\"\n";
}

Status record_once(const SessionHost& host, const Workplace& place) {
    RecordRequest request;
    request.target = place.path("selftest.cfg");
    request.log_path = place.path("log");
    request.limits.duration_ns = kPatienceNs;
    request.counter = true;
    request.tool_version = kVersion;
    CASM_ASSIGN(const RecordReport report, record(host, request));
    // One that was stopped goes on unrecorded; nobody wants that here.
    if (report.domain_left) CASM_TRY(host.toolstack.destroy(report.domain));
    if (host.stop.requests() > 0) return Status(Category::kInconclusive, "the self-test was interrupted");
    if (!report.closed || report.summary.end_reason != CASM_END_SHUTDOWN)
        return Status(Category::kInconclusive,
                      "the self-test's guest did not run to its end: " +
                          (report.closed ? end_text(report.summary.end_reason, report.summary.end_code)
                                         : "its recording has no end"));
    return {};
}

std::string late_text(uint64_t late_branches, uint32_t margin) {
    return "overflow interrupts at most " + with_thousands(late_branches) + " branches late (margin " +
           with_thousands(margin == 0 ? CASM_MARGIN_BRANCHES : margin) + ")";
}

/// Did the replay run past a point because the interrupt that should have stopped it came later than the
/// margin?
bool ran_past(const casm_divergence& divergence) {
    return divergence.expected.cls == CASM_CLS_APOINT && divergence.actual.cls == CASM_CLS_APOINT &&
           (divergence.actual_w[0] > divergence.expected_w[0] ||
            // exactly at the point's count, and nothing tells that it is not a later boundary
            std::equal(std::begin(divergence.actual_w), std::end(divergence.actual_w),
                       std::begin(divergence.expected_w)));
}

struct Outcome {
    CounterVerdict verdict;
    bool overflowed = false;  ///< overflow interrupts came: how late they are was measured
};

Result<Outcome> replay_with_margins(const SessionHost& host, LogReader& reader,
                                    const BranchReadings& readings) {
    Outcome outcome;
    CounterVerdict& verdict = outcome.verdict;
    for (const uint32_t margin : kMargins) {
        ReplayRequest request;
        request.stall_limit_ns = kPatienceNs;
        request.margin_branches = margin;
        CASM_ASSIGN(const ReplayReport report, replay(host, reader, request, {}));
        if (host.stop.requests() > 0) return Status(Category::kInconclusive, "the self-test was interrupted");
        const casm_status& status = report.outcome.status;
        verdict.late_max_branches = std::max(verdict.late_max_branches, status.apoints.late_max_branches);
        if (report.outcome.end == ReplayEnd::kEqual) {
            verdict.health = CounterHealth::kUsable;
            verdict.margin_branches = margin;
            // Room for what a short test did not see.
            if (const uint64_t twice = 2 * verdict.late_max_branches;
                twice > CASM_MARGIN_BRANCHES && twice > margin)
                verdict.margin_branches = static_cast<uint32_t>(std::bit_ceil(twice));
            verdict.text = with_thousands(readings.branches) + " branches counted exactly";
            outcome.overflowed = outcome.overflowed || status.apoints.overflows != 0;
            verdict.text += !outcome.overflowed
                                ? "; no overflow interrupt was needed, so how late they come is not known"
                                : ", " + with_thousands(readings.points) + " points found again, " +
                                      late_text(verdict.late_max_branches, verdict.margin_branches);
            return outcome;
        }
        if (report.outcome.end != ReplayEnd::kDiverged)
            return Status(Category::kInconclusive, "the self-test's replay did not end");
        if (ran_past(status.divergence)) {
            outcome.overflowed = true;
            continue;
        }
        if (!is_counter_fault(status.divergence))
            return internal_error("the self-test's replay diverged at record " +
                                  with_thousands(status.divergence.record) + ", class " +
                                  std::string(class_name(status.divergence.expected.cls)));
        verdict.health = CounterHealth::kNotExact;
        verdict.text = "a replay counted " + with_thousands(status.divergence.actual_w[0]) +
                       " branches where the recording had " + with_thousands(status.divergence.expected_w[0]);
        return outcome;
    }
    verdict.health = CounterHealth::kNotExact;
    verdict.text =
        late_text(verdict.late_max_branches, kMargins.back()) + ": replays cannot find their points";
    return outcome;
}

/// Records and replays the test's guest once, with its files in `place`.
Result<Outcome> run_once(const SessionHost& host, const Workplace& place) {
    CASM_TRY(record_once(host, place));
    const std::string log = place.path("log");
    CASM_ASSIGN(const std::unique_ptr<LogReader> reader, LogReader::open(log));
    CASM_ASSIGN(const BranchReadings readings, read_branches(*reader));
    if (readings.wrong.empty()) return replay_with_margins(host, *reader, readings);

    Outcome outcome;
    outcome.verdict.health = CounterHealth::kNotExact;
    outcome.verdict.text = to_text(readings.wrong.front());
    if (readings.wrong.size() > 1)
        outcome.verdict.text +=
            ", and " + std::to_string(readings.wrong.size() - 1) + " more known numbers came out wrong";
    return outcome;
}

}  // namespace

std::string_view name_of(CounterHealth health) {
    switch (health) {
        case CounterHealth::kAbsent:
            return "absent";
        case CounterHealth::kUsable:
            return "usable";
        case CounterHealth::kNotExact:
            return "not exact";
        case CounterHealth::kUntested:
            return "untested";
    }
    return "unknown";
}

Result<CounterVerdict> run_counter_selftest(const SessionHost& host) {
    CASM_ASSIGN(const Workplace place, Workplace::make());
    CASM_TRY(place.write("kernel",
                         {casmotion_selftest_kernel,
                          static_cast<size_t>(casmotion_selftest_kernel_end - casmotion_selftest_kernel)}));
    CASM_TRY(place.write("selftest.cfg", config_text(place.path("kernel"))));
    Silence silence;
    const SessionHost quiet{host.hypervisor, host.toolstack, host.clock, host.stop, silence};
    Outcome outcome;
    for (int run = 0; run < kRunsMax; ++run) {
        Result<Outcome> latest = run_once(quiet, place);
        if (!latest.ok()) {
            if (run == 0 || host.stop.requests() > 0 || latest.status().category() == Category::kInternal)
                return latest.status();
            break;  // what the run before said still holds
        }
        outcome = *std::move(latest);
        if (outcome.overflowed || outcome.verdict.health != CounterHealth::kUsable) break;
        std::error_code ignored;  // if it stays, the next recording says so
        std::filesystem::remove_all(place.path("log"), ignored);
    }
    return outcome.verdict;
}

}  // namespace casmotion
