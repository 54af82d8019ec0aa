// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whole replays on a fake host: what is rebuilt, what is refused and how it is said, and that no failure
// leaves a domain, a ring or a mapping behind.
#include "session/replay_session.h"

#include <cerrno>

#include "report/session_report.h"
#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

class ReplaySessionTest : public SessionTest {
  protected:
    Result<ReplayReport> replay_log() {
        reader_ = std::move(LogReader::open(folder_ / "log")).value();
        replay_.log_ring = replay_.feed_ring = RingBytes{CASM_RING_MIN_BYTES};
        return replay(host(), *reader_, replay_, {});
    }

    void expect_replay_refused(Category category, const std::string& part) {
        const Result<ReplayReport> report = replay_log();
        ASSERT_FALSE(report.ok());
        EXPECT_EQ(report.status().category(), category) << report.status().message();
        EXPECT_TRUE(contains(report.status().message(), part)) << report.status().message();
        expect_nothing_left(false);
        EXPECT_FALSE(toolstack_.find_domain("guest-replay").ok());
    }

    ReplayRequest replay_;
    std::unique_ptr<LogReader> reader_;
};

TEST_F(ReplaySessionTest, RebuildsReplaysAndDestroys) {
    recorded();
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->outcome.end, ReplayEnd::kEqual);
    EXPECT_TRUE(verdict_of(*report, *reader_).ok());
    EXPECT_TRUE(contains(to_line(*report, *reader_), "replay: equal: 3,000 entries"))
        << to_line(*report, *reader_);
    EXPECT_EQ(toolstack_.rebuilt.name, "guest-replay");
    EXPECT_EQ(toolstack_.rebuilt.cpupool, CpupoolId{1});
    EXPECT_EQ(toolstack_.rebuilt_json, toolstack_.config_template.json);
    EXPECT_FALSE(toolstack_.find_domain("guest-replay").ok());
    expect_nothing_left(false);
    EXPECT_NO_THROW(json_text(to_json(*report, *reader_, std::nullopt)));
}

TEST_F(ReplaySessionTest, GuestFilesComeFromTheLog) {
    recorded();
    write_file(folder_ / "vmlinuz", "another kernel by now");
    std::string kernel, ramdisk;
    // Read while the domain is built, as libxl does: the paths are only good then.
    toolstack_.on_rebuild = [&](const RebuildOptions& options) {
        kernel = read_file(options.kernel_path);
        ramdisk = read_file(options.ramdisk_path);
    };
    reader_ = std::move(LogReader::open(folder_ / "log")).value();
    replay_.log_ring = replay_.feed_ring = RingBytes{CASM_RING_MIN_BYTES};
    ASSERT_TRUE(replay(host(), *reader_, replay_, {}).ok());
    EXPECT_EQ(kernel, std::string(5000, 'k'));
    EXPECT_EQ(ramdisk, std::string(7000, 'r'));
}

TEST_F(ReplaySessionTest, WrongKernelOrRamdiskIsRefused) {
    recorded();
    replay_.kernel = folder_ / "initrd";
    expect_replay_refused(Category::kUsage, "is not the kernel of this log");
    replay_.kernel = folder_ / "vmlinuz";
    replay_.ramdisk = folder_ / "vmlinuz";
    expect_replay_refused(Category::kUsage, "is not the ramdisk of this log");
    replay_.ramdisk = folder_ / "none";
    expect_replay_refused(Category::kUsage, "none");
    replay_.ramdisk = folder_ / "initrd";
    EXPECT_TRUE(replay_log().ok());
}

TEST_F(ReplaySessionTest, LogByHashWantsTheFiles) {
    request_.by_hash = true;
    recorded();
    expect_replay_refused(Category::kUsage, "--kernel");
    replay_.kernel = folder_ / "vmlinuz";
    expect_replay_refused(Category::kUsage, "--ramdisk");
    replay_.ramdisk = folder_ / "initrd";
    EXPECT_TRUE(replay_log().ok());
}

TEST_F(ReplaySessionTest, HostThatDoesNotFitIsRefused) {
    recorded();
    xen_.info.pool_first_mfn += 1;
    expect_replay_refused(Category::kHostLacks, "casm_pool=");
    xen_.info.pool_first_mfn -= 1;
    xen_.info.user_domid = toolstack_.add_domain("other", trace_).value;
    expect_replay_refused(Category::kHostLacks, "in use by domain " + std::to_string(xen_.info.user_domid));
    xen_.info.user_domid = -1;
    xen_.info.guest_frames_max = 1000;
    expect_replay_refused(Category::kHostLacks, "too small");
    xen_.info.guest_frames_max = 65536;
    toolstack_.rebuild_status = host_lacks("cannot build");
    expect_replay_refused(Category::kHostLacks, "cannot build");
}

TEST_F(ReplaySessionTest, LogWithACounterNeedsOne) {
    has_counter();
    recorded();
    replay_.margin_branches = 77;
    ASSERT_TRUE(replay_log().ok());
    EXPECT_TRUE(xen_.last_start.counter);
    EXPECT_EQ(xen_.last_start.margin_branches, 77u);
    for (const auto& [why, part] : std::initializer_list<std::pair<casm_counter_why, const char*>>{
             {CASM_COUNTER_WATCHDOG, "NMI watchdog"},
             {CASM_COUNTER_VPMU, "vpmu"},
             {CASM_COUNTER_IN_USE, "profiler"}}) {
        xen_.info.counter_why = why;
        expect_replay_refused(Category::kHostLacks, part);
    }
    xen_.info.counter = CASM_COUNTER_ABSENT;
    xen_.info.counter_why = CASM_COUNTER_NO_EVENT;
    expect_replay_refused(Category::kHostLacks, "recorded with a branch counter (Intel)");
}

TEST_F(ReplaySessionTest, LogWithoutACounterReplaysOnAnyHost) {
    recorded();
    ASSERT_TRUE(replay_log().ok());
    EXPECT_FALSE(xen_.last_start.counter);
}

TEST_F(ReplaySessionTest, NoFailureLeavesADomain) {
    recorded();
    xen_.attach_error = ENOMEM;
    expect_replay_refused(Category::kHostLacks, "out of memory");
    xen_.attach_error = 0;
    xen_.map_fails = true;
    expect_replay_refused(Category::kHostLacks, "map");
    xen_.map_fails = false;
    xen_.start_error = EINVAL;
    expect_replay_refused(Category::kInternal, "start the replay");
    xen_.start_error = 0;
    toolstack_.unpause_status = host_lacks("cannot unpause");
    expect_replay_refused(Category::kHostLacks, "unpause");
    EXPECT_EQ(toolstack_.destroyed, 4);
}

TEST_F(ReplaySessionTest, DivergenceIsReportedAndTheDomainDestroyed) {
    recorded();
    toolstack_.trace_of_created[100].aux ^= 1;
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->outcome.end, ReplayEnd::kDiverged);
    EXPECT_EQ(verdict_of(*report, *reader_).exit_code(), 1);
    const DivergenceReport divergence =
        make_divergence_report(*reader_, report->outcome.status.divergence, {});
    EXPECT_EQ(divergence.record, 100u);
    EXPECT_FALSE(json_text(to_json(*report, *reader_, divergence)).empty());
    expect_nothing_left(false);
}

TEST_F(ReplaySessionTest, KeepLeavesTheDomain) {
    recorded();
    replay_.keep = true;
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->domain_left);
    EXPECT_TRUE(toolstack_.find_domain("guest-replay").ok());
}

TEST_F(ReplaySessionTest, IncompleteLogReplaysAndSaysSo) {
    xen_.domains[toolstack_.add_domain("guest", trace_).value].vanish_at = 1000;
    recorded();
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->outcome.end, ReplayEnd::kLogRanOut);
    EXPECT_EQ(verdict_of(*report, *reader_).category(), Category::kLogInvalid);
}

}  // namespace
}  // namespace casmotion::test
