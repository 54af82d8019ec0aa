// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/session_fixture.h"

#include <filesystem>

#include "support/honest_config.h"

namespace casmotion::test {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

SessionTest::SessionTest() {
    write_file(folder_ / "vmlinuz", std::string(5000, 'k'));
    write_file(folder_ / "initrd", std::string(7000, 'r'));
    write_file(folder_ / "guest.cfg", "name = \"guest\"\n");
    DomainConfig& config = toolstack_.config_template;
    config.json = honest_config().dump();
    config.uuid = "7c35241c-c1b8-4f04-a0f0-24facc4ff614";
    config.kernel = folder_ / "vmlinuz";
    config.ramdisk = folder_ / "initrd";
    config.cmdline = "console=hvc0";
    config.memory_bytes = 128u << 20;
    config.vcpus = 1;
    config.pv = true;
    toolstack_.trace_of_created = trace_;
    request_.target = "guest";
    request_.log_path = folder_ / "log";
    request_.ring = RingBytes{CASM_RING_MIN_BYTES};
}

RecordReport SessionTest::recorded() {
    if (request_.target == "guest" && !toolstack_.find_domain("guest").ok())
        toolstack_.add_domain("guest", trace_);
    Result<RecordReport> report = record(host(), request_);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return std::move(report).value();
}

void SessionTest::has_counter() {
    xen_.info.counter = CASM_COUNTER_INTEL;
    xen_.info.counter_why = CASM_COUNTER_READY;
    request_.counter = true;
}

void SessionTest::expect_nothing_left(bool log_too) {
    EXPECT_EQ(xen_.attached, 0);
    EXPECT_EQ(xen_.mapped, 0);
    if (log_too) {
        EXPECT_FALSE(std::filesystem::exists(folder_ / "log"));
        EXPECT_FALSE(std::filesystem::exists(folder_ / "log.incomplete"));
    }
}

void SessionTest::expect_refused(Category category, const std::string& part) {
    const Result<RecordReport> report = record(host(), request_);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.status().category(), category) << report.status().message();
    EXPECT_TRUE(contains(report.status().message(), part)) << report.status().message();
    expect_nothing_left();
}

}  // namespace casmotion::test
