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
#include <memory>
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

Status xl_create_paused(const std::string& cfg_path, const std::string& pool_name) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return errno_status("pipe for xl", errno);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);

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

    // Assignments on the command line come after those of the file, and the last one wins.
    std::vector<std::string> words = {
        "xl", "create", "-p", "-q", "-e", cfg_path, "pool=\"" + pool_name + "\""};
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    pid_t child = -1;
    const int spawn_error = posix_spawnp(&child, "xl", &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(pipe_ends[1]);
    if (spawn_error != 0) {
        close(pipe_ends[0]);
        return host_lacks("cannot run xl: " + error_text(spawn_error) + " (install xen-utils)");
    }

    std::string output;
    char buffer[4096];
    for (;;) {
        const ssize_t got = read(pipe_ends[0], buffer, sizeof(buffer));
        if (got > 0) {
            output.append(buffer, static_cast<size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    close(pipe_ends[0]);

    int wait_status = 0;
    while (waitpid(child, &wait_status, 0) < 0) {
        if (errno != EINTR) return errno_status("waiting for xl", errno);
    }
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return {};
    const std::string words_of_xl = last_words(output);
    return usage_error("xl create failed for " + cfg_path + ": " +
                       (words_of_xl.empty() ? "no message from xl" : words_of_xl));
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
