// SPDX-License-Identifier: GPL-2.0-or-later
//
// A host that is made ready for recordings (setup), and one that is examined (doctor).
#include <cerrno>

#include "session/doctor.h"
#include "session/setup.h"
#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

TEST_F(SessionTest, SetupMakesThePoolOnceAndRegistersIt) {
    xen_.info.cpupool = -1;
    toolstack_.pools = {{CpupoolId{0}, "Pool-0", {CpuId{0}, CpuId{1}}}};
    const Result<std::string> none = set_up(xen_, toolstack_, std::nullopt);
    EXPECT_EQ(none.status().category(), Category::kHostLacks);
    EXPECT_TRUE(contains(none.status().message(), "xl cpupool-cpu-remove Pool-0 1"))
        << none.status().message();
    const Result<std::string> taken = set_up(xen_, toolstack_, CpuId{1});
    EXPECT_EQ(taken.status().category(), Category::kUsage);
    EXPECT_EQ(set_up(xen_, toolstack_, CpuId{64}).status().category(), Category::kUsage);

    toolstack_.free = {CpuId{1}};
    const Result<std::string> made = set_up(xen_, toolstack_, std::nullopt);
    ASSERT_TRUE(made.ok()) << made.status().message();
    EXPECT_EQ(xen_.info.cpupool, 7);
    EXPECT_EQ(toolstack_.pools.size(), 2u);
    toolstack_.free.clear();
    EXPECT_TRUE(set_up(xen_, toolstack_, std::nullopt).ok());
    EXPECT_TRUE(set_up(xen_, toolstack_, CpuId{1}).ok());
    EXPECT_EQ(set_up(xen_, toolstack_, CpuId{0}).status().category(), Category::kUsage);
    EXPECT_EQ(toolstack_.pools.size(), 2u);
}

TEST_F(SessionTest, SetupOnAHostWithOneCpuSaysWhatItNeeds) {
    toolstack_.pools = {{CpupoolId{0}, "Pool-0", {CpuId{0}}}};
    const Result<std::string> line = set_up(xen_, toolstack_, std::nullopt);
    EXPECT_TRUE(contains(line.status().message(), "needs two")) << line.status().message();
}

class DoctorTest : public SessionTest {
  protected:
    /// Hands the fixture's Xen to the doctor, who wants to own one.
    class Borrowed;
    std::vector<Finding> examined();
    Health health_of(const std::string& check) {
        for (const Finding& finding : examined())
            if (finding.check == check) return finding.health;
        ADD_FAILURE() << "no finding " << check;
        return Health::kSkipped;
    }
    bool has_xen_ = true;
    Result<CounterVerdict> counter_ = CounterVerdict{.health = CounterHealth::kUsable, .text = "fine"};
};

std::vector<Finding> DoctorTest::examined() {
    DoctorHost host;
    host.open_hypervisor = [this]() -> Result<std::unique_ptr<Hypervisor>> {
        if (!has_xen_) return host_lacks("this host does not run Xen");
        auto xen = std::make_unique<FakeXen>(clock_);
        xen->info = xen_.info;
        xen->host_info_error = xen_.host_info_error;
        return std::unique_ptr<Hypervisor>(std::move(xen));
    };
    host.open_toolstack = [this]() -> Result<std::unique_ptr<Toolstack>> {
        auto toolstack = std::make_unique<FakeToolstack>(xen_);
        toolstack->pools = toolstack_.pools;
        return std::unique_ptr<Toolstack>(std::move(toolstack));
    };
    host.process_runs = [](const std::string&) { return true; };
    host.program_exists = [](const std::string&) { return true; };
    host.examine_counter = [this](Hypervisor&, Toolstack&, const HostInfo&) { return counter_; };
    host.cpuinfo = [] { return std::string("model name : Test CPU\nflags : constant_tsc\n"); };
    return examine(host);
}

TEST_F(DoctorTest, GoodHostHasNothingBad) {
    EXPECT_TRUE(verdict_of(examined()).ok()) << verdict_of(examined()).message();
    EXPECT_EQ(health_of("pool-free"), Health::kGood);
}

TEST_F(DoctorTest, CounterIsJudgedByItsTest) {
    EXPECT_EQ(health_of("counter"), Health::kGood);
    counter_->health = CounterHealth::kAbsent;
    EXPECT_EQ(health_of("counter"), Health::kNote);
    EXPECT_TRUE(verdict_of(examined()).ok());
    counter_->health = CounterHealth::kNotExact;
    EXPECT_EQ(health_of("counter"), Health::kBad);
    EXPECT_TRUE(contains(verdict_of(examined()).message(), "not exact: fine"));
    counter_->health = CounterHealth::kUntested;
    EXPECT_EQ(health_of("counter"), Health::kSkipped);
    counter_ = host_lacks("xl is missing");
    EXPECT_EQ(health_of("counter"), Health::kBad);
    counter_ = CounterVerdict{.health = CounterHealth::kUsable, .text = ""};
    xen_.info.counter = CASM_COUNTER_INTEL;
    xen_.info.counter_why = CASM_COUNTER_READY;
    xen_.info.cpupool = -1;
    EXPECT_EQ(health_of("counter"), Health::kSkipped);
    has_xen_ = false;
    EXPECT_EQ(health_of("counter"), Health::kSkipped);
}

TEST_F(DoctorTest, SaysWhatGuestsSeeOfTheProcessor) {
    const auto line_of = [this](const char* check) {
        for (const Finding& finding : examined())
            if (finding.check == check) return std::string(name_of(finding.health)) + " " + finding.text;
        return std::string();
    };
    xen_.info.isolation = 0;
    EXPECT_TRUE(line_of("cpuid").starts_with("note plain CPUID does not trap")) << line_of("cpuid");
    EXPECT_TRUE(contains(line_of("descriptors"), "guests see addresses of Xen"));
    EXPECT_TRUE(verdict_of(examined()).ok());  // no obstacle
    xen_.info.isolation = CASM_ISOLATE_CPUID | CASM_ISOLATE_DESCRIPTORS;
    EXPECT_TRUE(line_of("cpuid").starts_with("ok plain CPUID traps")) << line_of("cpuid");
    EXPECT_TRUE(line_of("descriptors").starts_with("ok ")) << line_of("descriptors");
    EXPECT_TRUE(contains(line_of("descriptors"), "no UMIP"));
    xen_.info.isolation |= CASM_ISOLATE_UMIP;
    EXPECT_TRUE(contains(line_of("descriptors"), "trap (UMIP)"));
    xen_.info.abi = CASM_ABI_VERSION - 1;
    EXPECT_EQ(health_of("cpuid"), Health::kSkipped);
    has_xen_ = false;
    EXPECT_EQ(health_of("descriptors"), Health::kSkipped);
}

TEST_F(DoctorTest, SaysHowManyCpusThePoolHas) {
    const auto line_of_pool = [this] {
        for (const Finding& finding : examined())
            if (finding.check == "cpupool") return finding.text;
        return std::string();
    };
    EXPECT_TRUE(contains(line_of_pool(), " 1 CPU,")) << line_of_pool();
    toolstack_.pools[1].cpus = {CpuId{1}, CpuId{2}};
    EXPECT_TRUE(contains(line_of_pool(), " 2 CPUs, of which each recording keeps one")) << line_of_pool();
}

TEST_F(DoctorTest, NamesWhatIsMissing) {
    has_xen_ = false;
    EXPECT_EQ(health_of("xen"), Health::kBad);
    EXPECT_EQ(health_of("cpupool"), Health::kSkipped);
    EXPECT_EQ(verdict_of(examined()).category(), Category::kHostLacks);
    has_xen_ = true;
    xen_.host_info_error = ENOSYS;
    EXPECT_EQ(health_of("patches"), Health::kBad);
    xen_.host_info_error = 0;
    xen_.info.abi = CASM_ABI_VERSION + 1;
    EXPECT_EQ(health_of("interface"), Health::kBad);
    xen_.info.abi = CASM_ABI_VERSION;
    xen_.info.pool_frames = 0;
    EXPECT_EQ(health_of("pool"), Health::kBad);
    xen_.info.pool_frames = 70000;
    xen_.info.cpupool = -1;
    EXPECT_EQ(health_of("cpupool"), Health::kBad);
    xen_.info.cpupool = 1;
    toolstack_.pools.pop_back();
    EXPECT_EQ(health_of("cpupool"), Health::kBad);
    xen_.info.user_domid = 4;
    EXPECT_EQ(health_of("pool-free"), Health::kNote);
}

}  // namespace
}  // namespace casmotion::test
