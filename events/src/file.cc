// SPDX-License-Identifier: GPL-2.0-or-later
#include "file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace casmotion {

void FileDescriptor::reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

ssize_t read_some(int fd, std::span<std::byte> out) {
    for (;;) {
        const ssize_t got = ::read(fd, out.data(), out.size());
        if (got >= 0 || errno != EINTR) return got;
    }
}

Status write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return errno_status("cannot write '" + path + "'", errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

Status sync_file(int fd, const std::string& path) {
    if (::fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP) return {};
    return errno_status("cannot write '" + path + "' to stable storage", errno);
}

Status sync_directory(const std::string& path) {
    const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return errno_status("cannot open folder '" + path + "'", errno);
    return sync_file(directory.get(), path);
}

Status create_file(const std::string& path, std::span<const std::byte> bytes, bool sync) {
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.valid()) return errno_status("cannot create '" + path + "'", errno);
    CASM_TRY(write_all(file.get(), bytes, path));
    if (sync) CASM_TRY(sync_file(file.get(), path));
    return {};
}

}  // namespace casmotion
