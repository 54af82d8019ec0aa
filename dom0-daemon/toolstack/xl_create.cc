// SPDX-License-Identifier: GPL-2.0-or-later
#include "toolstack/xl_create.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

extern "C" {
#include <libxlutil.h>
}

#include "base/failures.h"
#include "base/host_text.h"

extern char** environ;

namespace casmotion {
namespace {

/// The last line of xl's output that says something; xl prints causes first and "failed" lines after them, so
/// the first "error" line is preferred.
std::string last_words(const std::string& output) {
    std::string first_error;
    std::string last;
    size_t begin = 0;
    while (begin < output.size()) {
        size_t end = output.find('\n', begin);
        if (end == std::string::npos) end = output.size();
        std::string line = output.substr(begin, end - begin);
        begin = end + 1;
        if (line.empty()) continue;
        if (first_error.empty() && line.find("error") != std::string::npos) first_error = line;
        last = std::move(line);
    }
    return printable(first_error.empty() ? last : first_error);
}

constexpr int kNotFound = 127;  // the shell's word for a program that is not there

/// Takes the shell's last line, "casmotion-status N", off `output`. nullopt: somebody killed the shell.
std::optional<int> take_status(std::string& output) {
    constexpr std::string_view kHead = "casmotion-status ";
    const size_t at = output.rfind(kHead);
    if (at == std::string::npos) return std::nullopt;
    std::string_view text = std::string_view(output).substr(at + kHead.size());
    if (text.ends_with('\n')) text.remove_suffix(1);
    const std::optional<uint64_t> status = parse_u64(text);
    output.resize(at);
    return status ? std::optional<int>(static_cast<int>(*status)) : std::nullopt;
}

struct ConfigCloser {
    void operator()(XLU_Config* config) const { xlu_cfg_destroy(config); }
};

struct FileCloser {
    void operator()(FILE* file) const { std::fclose(file); }
};

/// A number of the file, 0 if it is not there or none that makes sense; xl will have its own words about
/// that.
uint64_t number(const XLU_Config* config, const char* key) {
    long value = 0;
    constexpr long kMax = 1L << 40;
    return xlu_cfg_get_long(config, key, &value, 1) == 0 && value > 0 && value < kMax
               ? static_cast<uint64_t>(value)
               : 0;
}

}  // namespace

CreationGuard::CreationGuard(CreationGuard&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), words_(std::exchange(other.words_, -1)) {}

CreationGuard::~CreationGuard() {
    if (pid_ < 0) return;
    const ssize_t written = write(words_, "kept\n", 5);
    (void)written;  // a guard that is gone destroys nothing
    close(words_);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

namespace {

/// `xl create FLAGS CFG pool="POOL"`.
Result<CreationGuard> xl_create(std::initializer_list<const char*> flags, const std::string& cfg_path,
                                const std::string& pool_name, const std::string& domain_name) {
    int output_ends[2], word_ends[2];
    if (pipe2(output_ends, O_CLOEXEC) != 0) return errno_status("pipe for xl", errno);
    if (pipe2(word_ends, O_CLOEXEC) != 0) {
        const int error = errno;
        close(output_ends[0]);
        close(output_ends[1]);
        return errno_status("pipe for xl", error);
    }

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, word_ends[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_ends[1], STDERR_FILENO);
    // With a reader of its own the shell and xl are not ended by SIGPIPE when we are killed.
    posix_spawn_file_actions_adddup2(&actions, output_ends[0], STDERR_FILENO + 1);

    // ^C in the terminal is for us: an xl that dies half-way leaves a half-built domain. We finish the
    // creation, see the request and destroy the domain. What we ignore (SIGPIPE) is not xl's to ignore.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);

    // The shell lives on when we are killed; then its input ends without a word, and nobody wants the domain.
    // It gives our output pipe back before it waits. Only a domain that this xl has created is destroyed.
    static constexpr char kScript[] =
        "name=$1; shift; \"$@\" </dev/null 3<&-; status=$?; echo \"casmotion-status $status\"; exec "
        ">/dev/null 2>&1; "
        "read -r word || [ $status != 0 ] || xl destroy \"$name\"";
    // Assignments on the command line come after those of the file, and the last one wins.
    std::vector<std::string> words = {"sh", "-c", kScript, "sh", domain_name, "xl", "create"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {cfg_path, "pool=\"" + pool_name + "\""});
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    pid_t child = -1;
    const int spawn_error = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(output_ends[1]);
    close(word_ends[0]);
    if (spawn_error != 0) {
        close(output_ends[0]);
        close(word_ends[1]);
        return host_lacks("cannot run /bin/sh: " + error_text(spawn_error));
    }
    CreationGuard guard(child, word_ends[1]);

    std::string output;
    char buffer[4096];
    for (;;) {
        const ssize_t got = read(output_ends[0], buffer, sizeof(buffer));
        if (got > 0) {
            output.append(buffer, static_cast<size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    close(output_ends[0]);

    const std::optional<int> status = take_status(output);
    if (status == 0) return guard;
    if (status == kNotFound) return host_lacks("cannot run xl (install xen-utils)");
    const std::string words_of_xl = last_words(output);
    return usage_error("xl create failed for " + cfg_path + ": " +
                       (words_of_xl.empty() ? "no message from xl" : words_of_xl));
}

}  // namespace

Result<CreationGuard> xl_create_paused(const std::string& cfg_path, const std::string& pool_name,
                                       const std::string& domain_name) {
    return xl_create({"-p", "-q", "-e"}, cfg_path, pool_name, domain_name);
}

Status xl_create_running(const std::string& cfg_path, const std::string& pool_name) {
    CASM_ASSIGN(const CfgFacts facts, read_cfg(cfg_path));
    return xl_create({"-q"}, cfg_path, pool_name, facts.name).status();
}

Result<CfgFacts> read_cfg(const std::string& cfg_path) {
    char* report_text = nullptr;
    size_t report_size = 0;
    std::unique_ptr<FILE, FileCloser> report(open_memstream(&report_text, &report_size));
    if (!report) return internal_error("out of memory");
    std::string problem;
    CfgFacts facts;
    {
        std::unique_ptr<XLU_Config, ConfigCloser> config(xlu_cfg_init(report.get(), cfg_path.c_str()));
        if (!config) return internal_error("out of memory");
        const int error = xlu_cfg_readfile(config.get(), cfg_path.c_str());
        const char* value = nullptr;
        if (error != 0) {
            std::fflush(report.get());
            problem = error_text(error);
            // libxlutil reports the line of a syntax error, and repeats the text of an errno.
            if (error == EINVAL && report_size > 0)
                problem = last_words(std::string(report_text, report_size));
        } else if (xlu_cfg_get_string(config.get(), "name", &value, 1) != 0 || value == nullptr ||
                   *value == '\0') {
            problem = "it gives the domain no name (name = \"...\")";
        } else {
            facts.name = value;
            const uint64_t mebibytes =
                std::max(number(config.get(), "memory"), number(config.get(), "maxmem"));
            facts.memory_bytes = mebibytes << 20;
            facts.vcpus = static_cast<uint32_t>(
                std::max({uint64_t{1}, number(config.get(), "vcpus"), number(config.get(), "maxvcpus")}));
        }
    }
    report.reset();
    free(report_text);
    if (problem.starts_with(cfg_path + ":")) return usage_error(problem);  // with the line of a syntax error
    if (!problem.empty()) return usage_error(cfg_path + ": " + problem);
    return facts;
}

}  // namespace casmotion
