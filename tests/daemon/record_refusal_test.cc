// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is refused before or while a recording starts, how it is said, and that no failure leaves a domain, a
// ring, a mapping or a half-written log behind.
#include <cerrno>
#include <filesystem>

#include "session/record_session.h"
#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

TEST_F(SessionTest, HostsThatCannotRecordAreRefused) {
    toolstack_.add_domain("guest", trace_);
    xen_.host_info_error = ENOSYS;
    expect_refused(Category::kHostLacks, "patches");
    xen_.host_info_error = EPERM;
    expect_refused(Category::kHostLacks, "root");
    xen_.host_info_error = 0;
    xen_.info.abi = 9;
    expect_refused(Category::kHostLacks, "version 9");
    xen_.info.abi = CASM_ABI_VERSION;
    xen_.info.pool_frames = 0;
    expect_refused(Category::kHostLacks, "casm_pool=");
    xen_.info.pool_frames = 70000;
    xen_.info.cpupool = -1;
    expect_refused(Category::kHostLacks, "casmotion setup");
    xen_.info.cpupool = 1;
    xen_.info.hook_switches = 0;
    request_.disable = 1u << CASM_CLS_TSC;
    expect_refused(Category::kHostLacks, "'tsc'");
}

TEST_F(SessionTest, DomainsThatCannotBeRecordedAreRefused) {
    request_.target = "nobody";
    expect_refused(Category::kUsage, "no domain 'nobody'");
    request_.target = "guest";
    const DomId id = toolstack_.add_domain("guest", trace_);
    DomainState& state = toolstack_.states[id.value];
    casm_status& status = xen_.domains[id.value].status;
    DomainConfig& config = toolstack_.configs[id.value];

    state.cpupool = CpupoolId{0};
    expect_refused(Category::kUsage, "not in the recording cpupool");
    state.cpupool = CpupoolId{1};
    status.mode = CASM_MODE_OFF;
    expect_refused(Category::kUsage, "before 'casmotion setup'");
    status.mode = CASM_MODE_RECORD;
    expect_refused(Category::kUsage, "being recorded already");
    status.mode = CASM_MODE_REPLAY;
    expect_refused(Category::kUsage, "is a replay");
    status.mode = CASM_MODE_ENDED;
    expect_refused(Category::kUsage, "recorded already");
    status.mode = CASM_MODE_IDLE;
    state.paused = false;
    expect_refused(Category::kUsage, "running already");
    state.paused = true;
    state.cpu_time_ns = 1;
    expect_refused(Category::kUsage, "running already");
    state.cpu_time_ns = 0;
    state.dying = true;
    expect_refused(Category::kUsage, "being destroyed");
    state.dying = false;
    state.shutdown = true;
    expect_refused(Category::kUsage, "shut down");
    state.shutdown = false;

    config.pv = false;
    expect_refused(Category::kUsage, "not a PV guest");
    config.pv = true;
    config.vcpus = 2;
    expect_refused(Category::kUsage, "2 vCPUs");
    config.vcpus = 1;
    config.devices = {"disk xvda"};
    expect_refused(Category::kUsage, "disk xvda");
    config.devices.clear();
    config.kernel.clear();
    expect_refused(Category::kUsage, "boot loader");
    config.kernel = folder_ / "missing";
    expect_refused(Category::kUsage, "missing");
    EXPECT_EQ(toolstack_.destroyed, 0);
}

TEST_F(SessionTest, DomainZeroIsRefused) {
    xen_.domains[0] = FakeDomain{};
    toolstack_.configs[0].name = "Domain-0";
    request_.target = "0";
    expect_refused(Category::kUsage, "domain 0");
}

TEST_F(SessionTest, PlaceOfTheLogIsCheckedBeforeADomainIsCreated) {
    request_.target = folder_ / "guest.cfg";
    const uint16_t next = toolstack_.next_domid;
    request_.log_path = folder_ / "no-such-folder/log";
    expect_refused(Category::kUsage, "no folder");
    request_.log_path = folder_ / "vmlinuz";
    expect_refused(Category::kUsage, "exists already");
    request_.log_path = folder_ / "vmlinuz/log";
    expect_refused(Category::kUsage, "not a folder");
    std::filesystem::create_directory(folder_ / "cut.incomplete");
    request_.log_path = folder_ / "cut";
    expect_refused(Category::kUsage, "cut.incomplete");
    request_.log_path = "/proc/log";
    expect_refused(Category::kHostLacks, "/proc/log");
    EXPECT_EQ(toolstack_.destroyed, toolstack_.next_domid - next);  // whatever was created is gone again
}

TEST_F(SessionTest, NoFailureLeavesADomainOrALog) {
    request_.target = folder_ / "guest.cfg";
    toolstack_.create_status = usage_error("xl create failed");
    expect_refused(Category::kUsage, "xl create failed");
    EXPECT_EQ(toolstack_.destroyed, 0);
    toolstack_.create_status = {};

    xen_.attach_error = ENOMEM;
    expect_refused(Category::kHostLacks, "out of memory");
    xen_.attach_error = 0;
    xen_.map_fails = true;
    expect_refused(Category::kHostLacks, "map");
    xen_.map_fails = false;
    xen_.start_error = EBUSY;
    expect_refused(Category::kUsage, "start recording");
    xen_.start_error = 0;
    toolstack_.unpause_status = host_lacks("cannot unpause");
    expect_refused(Category::kHostLacks, "unpause");
    EXPECT_EQ(toolstack_.destroyed, 4);
    EXPECT_TRUE(xen_.domains.empty());
}

TEST_F(SessionTest, PoolInUseIsSaidBeforeXlFails) {
    request_.target = folder_ / "guest.cfg";
    xen_.info.user_domid = toolstack_.add_domain("other", trace_).value;
    expect_refused(Category::kHostLacks, "in use by domain " + std::to_string(xen_.info.user_domid));
    EXPECT_TRUE(toolstack_.created_from.empty());
}

TEST_F(SessionTest, FileThatCannotBeRecordedIsRefusedBeforeADomainExists) {
    request_.target = folder_ / "guest.cfg";
    write_file(request_.target, "name = 'g'\nvcpus = 2\n");
    expect_refused(Category::kUsage, "2 vCPUs");
    write_file(request_.target, "name = 'g'\nmemory = 1024\n");
    expect_refused(Category::kHostLacks, "too small");
    write_file(request_.target, "name = [[\n");
    expect_refused(Category::kUsage, "guest.cfg");
    std::filesystem::remove(request_.target);
    expect_refused(Category::kUsage, "no file");
    EXPECT_TRUE(toolstack_.created_from.empty());
}

TEST_F(SessionTest, DomainThatIsStuckInDestructionIsReported) {
    request_.target = folder_ / "guest.cfg";
    xen_.info.user_domid = 3;
    expect_refused(Category::kHostLacks, "still has the memory pool");
}

TEST_F(SessionTest, RingSizesArePowersOfTwoInRange) {
    EXPECT_TRUE(check_ring_size(64 << 10).ok());
    EXPECT_TRUE(check_ring_size(64 << 20).ok());
    for (const uint64_t bytes : {0ull, 1ull, 32ull << 10, 65ull << 10, 128ull << 20})
        EXPECT_EQ(check_ring_size(bytes).status().category(), Category::kUsage) << bytes;
}

}  // namespace
}  // namespace casmotion::test
