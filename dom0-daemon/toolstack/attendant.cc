// SPDX-License-Identifier: GPL-2.0-or-later
#include "toolstack/attendant.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/failures.h"
#include "base/host_text.h"

extern char** environ;

namespace casmotion {
namespace {

/// This program's file, or, where a loader of its own runs it (/proc/self/exe is the loader then), the name
/// that people type.
std::string own_program() {
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    return !error && self.filename().string().starts_with("casmotion") ? self.string() : "casmotion";
}

}  // namespace

Status spawn_attendant(DomId domain, const std::string& cfg_path, const std::string& log_path) {
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) return errno_status(log_path, errno);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);

    // What the recorder handles or ignores is not the attendant's to handle or ignore.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGTERM}) sigaddset(&signals, signal);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

    std::vector<std::string> words = {"casmotion", "attend", std::to_string(domain.value), cfg_path};
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    pid_t child = -1;
    const int error =
        posix_spawnp(&child, own_program().c_str(), &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(log);
    return error == 0 ? Status{} : host_lacks("cannot start 'casmotion attend': " + error_text(error));
}

}  // namespace casmotion
