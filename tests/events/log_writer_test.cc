// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a writer fails: one line, and nothing under the final name.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

namespace fs = std::filesystem;

const SyntheticOptions kOptions{.seed = 11, .entries = 400};

TEST(LogWriter, RefusesATargetThatExists) {
    const TempFolder folder;
    fs::create_directory(folder / "log");
    EXPECT_EQ(LogWriter::create(folder / "log", {}, {}).status().category(), Category::kUsage);
    EXPECT_FALSE(fs::exists(folder / "log.incomplete"));
    fs::create_directory(folder / "other.incomplete");
    EXPECT_EQ(LogWriter::create(folder / "other", {}, {}).status().category(), Category::kUsage);
    EXPECT_EQ(LogWriter::create("", {}, {}).status().category(), Category::kUsage);
}

TEST(LogWriter, RefusesAFolderItCannotWrite) {
    const TempFolder folder;
    write_file(folder / "file", "");
    EXPECT_EQ(LogWriter::create(folder / "file/log", {}, {}).status().category(), Category::kHostLacks);
    EXPECT_EQ(LogWriter::create(folder / "none/log", {}, {}).status().category(), Category::kHostLacks);
    EXPECT_EQ(LogWriter::create("/proc/log", {}, {}).status().category(), Category::kHostLacks);
}

TEST(LogWriter, TrailingSlashesDoNotMatter) {
    const TempFolder folder;
    write_log((folder / "log") + "//", {}, synthetic_log(kOptions));
    EXPECT_TRUE(fs::exists(folder / "log/manifest"));
}

TEST(LogWriter, EmbedsBootFilesOrOnlyNamesThem) {
    const TempFolder folder;
    const std::string kernel(300000, 'k');
    write_file(folder / "vmlinuz", kernel);
    write_file(folder / "initrd", "r");
    auto writer = LogWriter::create(folder / "log", synthetic_manifest(kOptions),
                                    {.kernel = BootFileSource{folder / "vmlinuz", true},
                                     .ramdisk = BootFileSource{folder / "initrd", false}});
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    EXPECT_TRUE((*writer)->manifest().kernel.embedded);
    EXPECT_EQ((*writer)->manifest().kernel.size_bytes, kernel.size());
    EXPECT_FALSE((*writer)->manifest().ramdisk->embedded);
    for (const Record& record : synthetic_log(kOptions)) ASSERT_TRUE((*writer)->append(record).ok());
    ASSERT_TRUE((*writer)->close({}).ok());
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    ASSERT_TRUE((*reader)->extract("kernel", folder / "out").ok());
    EXPECT_EQ(read_file(folder / "out"), kernel);
    EXPECT_EQ((*reader)->extract("ramdisk", folder / "out2").category(), Category::kLogInvalid);
    EXPECT_FALSE(fs::exists(folder / "out2"));

    std::string changed = kernel;
    changed[1234] ^= 1;
    write_file(folder / "log/kernel", changed);
    EXPECT_EQ((*reader)->extract("kernel", folder / "out3").category(), Category::kLogInvalid);
    EXPECT_FALSE(fs::exists(folder / "out3")) << "a wrong file is not left behind";
}

TEST(LogWriter, LeavesNothingWhenABootFileIsMissing) {
    const TempFolder folder;
    const auto writer =
        LogWriter::create(folder / "log", {}, {.kernel = BootFileSource{folder / "none", true}});
    EXPECT_EQ(writer.status().category(), Category::kUsage);
    EXPECT_FALSE(fs::exists(folder / "log.incomplete"));
}

TEST(LogWriter, ClosesOnlyAfterEnd) {
    const TempFolder folder;
    std::vector<Record> records = synthetic_log(kOptions);
    const Record end = records.back();
    records.pop_back();
    auto writer = LogWriter::create(folder / "log", {}, {});
    for (const Record& record : records) ASSERT_TRUE((*writer)->append(record).ok());
    EXPECT_EQ((*writer)->close({}).category(), Category::kInternal);
    EXPECT_FALSE(fs::exists(folder / "log"));
    ASSERT_TRUE((*writer)->append(end).ok());
    EXPECT_FALSE((*writer)->append(end).ok()) << "nothing follows END";
    EXPECT_FALSE((*writer)->append({.cls = CASM_CLS_ENTRY, .kind = 1}).ok());
    EXPECT_TRUE((*writer)->close({}).ok());
    EXPECT_FALSE((*writer)->close({}).ok());
    EXPECT_EQ((*writer)->append({.cls = CASM_CLS_TSC}).category(), Category::kInternal);
}

TEST(LogWriter, RefusesRecordsThatAreNeverStored) {
    const TempFolder folder;
    auto writer = LogWriter::create(folder / "log", {}, {});
    EXPECT_EQ((*writer)->append({.cls = CASM_CLS_CONSOLE, .blob = {'x'}}).category(), Category::kInternal);
    EXPECT_EQ((*writer)->append({.cls = 99}).category(), Category::kInternal);
    const std::vector<std::byte> garbage(64, std::byte{0x55});
    EXPECT_EQ((*writer)->append_ring(garbage).status().category(), Category::kLogInvalid);
    std::vector<std::byte> padded = ring_of({{.cls = CASM_CLS_OUTMEM, .blob = {1}}});
    padded.back() = std::byte{1};
    EXPECT_EQ((*writer)->append_ring(padded).status().category(), Category::kLogInvalid);
    EXPECT_EQ((*writer)->progress().records, 0u);
}

TEST(LogWriter, AbandonKeepsWhatWasAppended) {
    const TempFolder folder;
    const std::vector<Record> records = synthetic_log(kOptions);
    {
        auto writer = LogWriter::create(folder / "log", {}, {});
        for (const Record& record : records) ASSERT_TRUE((*writer)->append(record).ok());
    }  // the destructor abandons
    EXPECT_FALSE(fs::exists(folder / "log"));
    auto reader = LogReader::open(folder / "log");  // finds log.incomplete
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_TRUE((*reader)->torn_tail());
    EXPECT_EQ(read_all(**reader).records, records);
}

TEST(LogWriter, DiscardRemovesEverything) {
    const TempFolder folder;
    auto writer = LogWriter::create(folder / "log", {}, {});
    ASSERT_TRUE((*writer)->append({.cls = CASM_CLS_TSC}).ok());
    ASSERT_TRUE((*writer)->discard().ok());
    EXPECT_FALSE(fs::exists(folder / "log.incomplete"));
    EXPECT_FALSE((*writer)->discard().ok());
}

TEST(LogWriter, DoesNotReplaceATargetThatAppearsMeanwhile) {
    const TempFolder folder;
    auto writer = LogWriter::create(folder / "log", {}, {});
    for (const Record& record : synthetic_log(kOptions)) ASSERT_TRUE((*writer)->append(record).ok());
    fs::create_directory(folder / "log");
    EXPECT_EQ((*writer)->close({}).category(), Category::kUsage);
    EXPECT_TRUE(fs::is_empty(folder / "log"));
    EXPECT_TRUE(fs::exists(folder / "log.incomplete"));
    fs::remove(folder / "log");
    EXPECT_TRUE((*writer)->close({}).ok()) << "it can be tried again";
    EXPECT_TRUE(LogReader::open(folder / "log").ok());
}

// Records into `path` until a write fails, then checks what is left. Returns a text that is empty if all is
// well.
std::string fill_up(const std::string& path) {
    const std::vector<std::byte> ring = ring_of(boot_like_log(5, 16));
    auto writer = LogWriter::create(path, {}, {});
    if (!writer.ok()) return "create: " + writer.status().message();
    Status failure;
    for (int i = 0; i < 100 && failure.ok(); ++i) failure = (*writer)->append_ring(ring).status();
    if (failure.category() != Category::kHostLacks) return "no write failed";
    if ((*writer)->append({.cls = CASM_CLS_TSC}).message() != failure.message())
        return "the failure is not final";
    if ((*writer)->close({}).message() != failure.message()) return "close succeeds or says something else";
    const std::uint64_t written = (*writer)->progress().events_bytes;
    writer->reset();
    if (fs::exists(path)) return "there is something under the final name";
    auto reader = LogReader::open(path);
    if (!reader.ok()) return "what is left cannot be read: " + reader.status().message();
    if (!(*reader)->torn_tail() || (*reader)->torn_tail()->offset != written)
        return "not cut at the last good chunk";
    if ((*reader)->records() == 0) return "nothing is left";
    const ReadBack back = read_all(**reader);
    return back.status.ok() ? "" : back.status.message();
}

// Runs `body` in a child process; its text comes back as the parent's result. "skip: ..." skips the test.
template <typename Body>
std::string in_child(Body body) {
    int ends[2];
    if (::pipe(ends) != 0) return "pipe failed";
    const pid_t child = ::fork();
    if (child == 0) {
        const std::string text = body();
        const ssize_t sent = ::write(ends[1], text.data(), text.size());
        ::_exit(sent == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[512];
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof(buffer))) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0 ? text : "the child failed: " + text;
}

TEST(LogWriter, SurvivesAFileSizeLimit) {
    const TempFolder folder;
    const std::string path = folder / "log";
    EXPECT_EQ(in_child([&] {
                  ::signal(SIGXFSZ, SIG_IGN);
                  const rlimit limit{1u << 20, 1u << 20};
                  ::setrlimit(RLIMIT_FSIZE, &limit);
                  return fill_up(path);
              }),
              "");
}

TEST(LogWriter, SurvivesAFullDisk) {
    const TempFolder folder;
    fs::create_directory(folder / "disk");
    const std::string disk = folder / "disk";
    const std::string result = in_child([&]() -> std::string {
        const uid_t user = ::geteuid();
        if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return std::string("skip: no mount namespace: ") + std::strerror(errno);
        if (user != 0) write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            return std::string("skip: cannot make mounts private: ") + std::strerror(errno);
        if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0)
            return std::string("skip: cannot mount a small tmpfs: ") + std::strerror(errno);
        return fill_up(disk + "/log");
    });
    if (result.starts_with("skip: ")) GTEST_SKIP() << "skipped: " << result.substr(6);
    EXPECT_EQ(result, "");
}

}  // namespace
}  // namespace casmotion::test
