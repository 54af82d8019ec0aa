// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/cpu_info.h"
#include "base/host_text.h"
#include "cli/common.h"
#include "cli/suggest.h"
#include "report/log_info.h"
#include "report/status_report.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"
#include "toolstack/xl_create.h"

namespace casmotion::test {
namespace {

TEST(HostText, SizesAreReadAndPrinted) {
    EXPECT_EQ(parse_size("65536"), 65536u);
    EXPECT_EQ(parse_size("64K"), 65536u);
    EXPECT_EQ(parse_size("64KiB"), 65536u);
    EXPECT_EQ(parse_size("2g"), 2ull << 30);
    EXPECT_EQ(parse_size("0"), 0u);
    for (const char* bad :
         {"", "K", "-1", "1.5M", "1X", "1 M", "99999999999G", "18446744073709551616", "0x10"})
        EXPECT_FALSE(parse_size(bad)) << bad;
    EXPECT_EQ(size_text(512), "512 bytes");
    EXPECT_EQ(size_text(1536), "1.5 KiB");
    EXPECT_EQ(with_thousands(0), "0");
    EXPECT_EQ(with_thousands(999), "999");
    EXPECT_EQ(with_thousands(1234567), "1,234,567");
}

TEST(HostText, UntrustedTextBecomesOneHarmlessLine) {
    EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\n");
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("plain"), "plain");
    EXPECT_EQ(without_controls("a\x1b[2J\xc2\x9b"
                               "b\xc3\xa4\\"),
              "a\\x1b[2J\\xc2\x9b"
              "b\xc3\xa4\\");
}

TEST(Options, SecondsAndClassesAreChecked) {
    EXPECT_EQ(*seconds_option("--for", "1.5"), 1'500'000'000u);
    EXPECT_EQ(*seconds_option("--for", "0"), 0u);
    EXPECT_EQ(*count_option("--limit", "12"), 12u);
    for (const char* bad : {"", "-1", "1.5", "x", "18446744073709551616"})
        EXPECT_EQ(count_option("--limit", bad).status().category(), Category::kUsage) << bad;
    EXPECT_FALSE(count_option("--cpu", "5", 4).ok());
    for (const char* bad : {"", "x", "1s", "-1", "nan", "inf", "1e300"})
        EXPECT_EQ(seconds_option("--for", bad).status().category(), Category::kUsage) << bad;
    EXPECT_EQ(*classes_option({"tsc", "evtchn"}), (1u << CASM_CLS_TSC) | (1u << CASM_CLS_EVTCHN));
    EXPECT_EQ(*classes_option({}), 0u);
    const Result<uint32_t> unknown = classes_option({"time"});
    EXPECT_EQ(unknown.status().category(), Category::kUsage);
    EXPECT_NE(unknown.status().message().find("tsc"), std::string::npos);  // the known ones are listed
}

TEST(Suggest, NearestWord) {
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(nearest("recrod", {"record", "replay"}), "record");
    EXPECT_EQ(nearest("--consol", {"--console-to", "--kernel"}), "--console-to");
    EXPECT_EQ(nearest("xyzzy", {"record", "replay"}), "");
}

TEST(CpuInfo, ReadsTheFirstProcessor) {
    const CpuIdentity cpu = parse_cpu_info(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n"
        "stepping\t: 2\n\nprocessor\t: 1\nmodel name\t: other\n");
    EXPECT_EQ(cpu.vendor, "AuthenticAMD");
    EXPECT_EQ(cpu.model_name, "AMD EPYC");
    EXPECT_EQ(cpu.family, 25u);
    EXPECT_EQ(cpu.model, 1u);
    EXPECT_EQ(cpu.stepping, 2u);
    EXPECT_EQ(parse_cpu_info("garbage").model_name, "");
}

TEST(XlConfig, FactsOfAFile) {
    TempFolder folder;
    write_file(folder / "good.cfg", "memory = 128\nname = \"guest\"\n");
    write_file(folder / "more.cfg", "name = 'g'\nmemory = 128\nmaxmem = 512\nvcpus = 2\nmaxvcpus = 4\n");
    write_file(folder / "odd.cfg", "name = 'g'\nmemory = 'lots'\nvcpus = 'many'\n");
    write_file(folder / "nameless.cfg", "memory = 128\n");
    write_file(folder / "bad.cfg", "name = [[[\n");
    EXPECT_EQ(read_cfg(folder / "good.cfg")->name, "guest");
    EXPECT_EQ(read_cfg(folder / "good.cfg")->memory_bytes, 128u << 20);
    EXPECT_EQ(read_cfg(folder / "good.cfg")->vcpus, 1u);
    EXPECT_EQ(read_cfg(folder / "more.cfg")->memory_bytes, 512u << 20);
    EXPECT_EQ(read_cfg(folder / "more.cfg")->vcpus, 4u);
    EXPECT_EQ(read_cfg(folder / "odd.cfg")->memory_bytes, 0u);
    EXPECT_EQ(read_cfg(folder / "odd.cfg")->vcpus, 1u);
    for (const char* bad : {"nameless.cfg", "bad.cfg", "missing.cfg"}) {
        const Result<CfgFacts> facts = read_cfg(folder / bad);
        EXPECT_EQ(facts.status().category(), Category::kUsage) << bad;
        EXPECT_NE(facts.status().message().find(bad), std::string::npos) << facts.status().message();
    }
}

/// Puts a shell script called xl in front of PATH, or a PATH with nothing in it.
class ScriptedXl : public testing::Test {
  protected:
    void install(const std::string& script) {
        write_file(folder_ / "xl", "#!/bin/sh\n" + script);
        std::filesystem::permissions(folder_ / "xl", std::filesystem::perms::owner_all);
    }
    void SetUp() override { setenv("PATH", ((folder_ / "") + ":" + path_).c_str(), 1); }
    void TearDown() override { setenv("PATH", path_.c_str(), 1); }

    TempFolder folder_;
    const std::string path_ = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
};

TEST_F(ScriptedXl, IsAskedForAPausedDomainOfThePool) {
    install("printf '%s\\n' \"$@\" > " + (folder_ / "said"));
    EXPECT_TRUE(xl_create_paused("/a dir/guest.cfg", "casmotion", "guest").ok());
    EXPECT_EQ(read_file(folder_ / "said"), "create\n-p\n-q\n-e\n/a dir/guest.cfg\npool=\"casmotion\"\n");
}

TEST_F(ScriptedXl, FirstErrorIsPassedOn) {
    install("echo noise; echo 'xc: error: no memory' >&2; echo 'libxl: error: failed' >&2; exit 3");
    const Status status = xl_create_paused("guest.cfg", "casmotion", "guest").status();
    EXPECT_EQ(status.category(), Category::kUsage);
    EXPECT_NE(status.message().find("no memory"), std::string::npos) << status.message();
    install("kill -9 $$");
    EXPECT_EQ(xl_create_paused("guest.cfg", "casmotion", "guest").status().category(), Category::kUsage);
}

TEST_F(ScriptedXl, MissingXlIsTheHostsFault) {
    setenv("PATH", (folder_ / "").c_str(), 1);
    EXPECT_EQ(xl_create_paused("guest.cfg", "casmotion", "guest").status().category(), Category::kHostLacks);
}

TEST_F(ScriptedXl, InterruptFromTheTerminalDoesNotReachIt) {
    // The terminal sends ^C to the foreground process group; xl must not be in ours.
    install("read -r pid name state parent group rest < /proc/$$/stat; test $group != " +
            std::to_string(getpgrp()));
    EXPECT_TRUE(xl_create_paused("guest.cfg", "casmotion", "guest").ok());
}

/// A process that creates a domain and is killed: `when` says how far it came.
class KilledCreator : public ScriptedXl {
  protected:
    /// What the scripted xl was told to destroy, "" if nothing, after the creator was killed once `file` was
    /// there.
    std::string destroyed_after_kill(const std::string& file) {
        const pid_t child = fork();
        if (child == 0) {
            const auto guard = xl_create_paused("guest.cfg", "casmotion", "the guest");
            write_file(folder_ / "returned", "");
            for (;;) pause();
        }
        for (int i = 0; i < 1000 && !std::filesystem::exists(folder_ / file); ++i) usleep(10'000);
        EXPECT_TRUE(std::filesystem::exists(folder_ / file));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        for (int i = 0; i < 1000 && !std::filesystem::exists(folder_ / "destroyed"); ++i) usleep(10'000);
        return std::filesystem::exists(folder_ / "destroyed") ? read_file(folder_ / "destroyed") : "";
    }

    void install_slow(const std::string& end) {
        const std::string where = folder_ / "";
        install("if [ $1 = destroy ]; then echo \"$2\" > " + where + "d; mv " + where + "d " + where +
                "destroyed; else : > " + where + "started; sleep 0.3; : > " + where + "built; " + end +
                "; fi");
    }
};

TEST_F(KilledCreator, DomainThatIsBeingBuiltIsDestroyedOnceItIsThere) {
    install_slow("exit 0");
    EXPECT_EQ(destroyed_after_kill("started"), "the guest\n");
    EXPECT_TRUE(std::filesystem::exists(folder_ / "built"));
}

TEST_F(KilledCreator, DomainThatWaitsToRunIsDestroyed) {
    install_slow("exit 0");
    EXPECT_EQ(destroyed_after_kill("returned"), "the guest\n");
}

TEST_F(ScriptedXl, DomainThatWasHandedOverIsLeftAlone) {
    install("if [ $1 = destroy ]; then : > " + (folder_ / "destroyed") + "; fi");
    { EXPECT_TRUE(xl_create_paused("guest.cfg", "casmotion", "guest").ok()); }
    EXPECT_FALSE(std::filesystem::exists(folder_ / "destroyed"));  // the guard's end was waited for
}

TEST(LogInfo, CountsAreThoseOfTheLog) {
    TempFolder folder;
    const std::vector<Record> records = synthetic_log({.seed = 3, .entries = 1000});
    write_log(folder / "log", synthetic_manifest({}), records);
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok());
    const Result<LogInfo> info = read_log_info(**reader);
    ASSERT_TRUE(info.ok());
    EXPECT_EQ(info->records, records.size());
    EXPECT_EQ(info->entries, 1000u);
    EXPECT_EQ(info->ring_bytes, ring_of(records).size());
    EXPECT_NE(to_text(*info).find("1,000"), std::string::npos);
    EXPECT_EQ(to_json(*info)["entries"], 1000);
    EXPECT_EQ(to_json(*info)["classes"]["entry"]["records"], 1000);
    EXPECT_FALSE(json_text(to_json(*info)).empty());
}

TEST(LogInfo, IncompleteLogSaysSo) {
    TempFolder folder;
    std::vector<Record> records = synthetic_log({.seed = 3, .entries = 1000});
    records.resize(500);
    write_log(folder / "log", synthetic_manifest({}), records, {}, false);
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok());
    const Result<LogInfo> info = read_log_info(**reader);
    ASSERT_TRUE(info.ok());
    EXPECT_NE(to_text(*info).find("incomplete"), std::string::npos);
    EXPECT_EQ(to_json(*info)["complete"], false);
}

TEST(EndText, EveryReasonHasWords) {
    for (uint32_t reason = CASM_END_NONE; reason <= CASM_END_DIVERGED; ++reason)
        EXPECT_EQ(end_text(reason, 0).find("unknown"), std::string::npos);
    EXPECT_NE(end_text(CASM_END_SHUTDOWN, 1).find("rebooted"), std::string::npos);
    EXPECT_NE(end_text(CASM_END_SHUTDOWN, 99).find("99"), std::string::npos);
    EXPECT_NE(end_text(77, 0).find("77"), std::string::npos);
}

}  // namespace
}  // namespace casmotion::test
