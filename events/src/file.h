// SPDX-License-Identifier: GPL-2.0-or-later
//
// The few file operations that writer and reader share, with interrupted and short calls handled.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "casmotion/status.h"

namespace casmotion {

// Owns a file descriptor.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    ~FileDescriptor() { reset(); }
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = other.release();
        }
        return *this;
    }

    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    [[nodiscard]] int get() const { return fd_; }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset();

  private:
    int fd_ = -1;
};

// read(2), repeated after EINTR. Returns bytes read, 0 at the end, -1 with errno.
[[nodiscard]] ssize_t read_some(int fd, std::span<std::byte> out);

// Writes all of `bytes`. `path` is for the message.
[[nodiscard]] Status write_all(int fd, std::span<const std::byte> bytes, const std::string& path);

// fsync of a file or directory. File systems that cannot do it for a directory (EINVAL, ENOTSUP: 9p) are
// accepted.
[[nodiscard]] Status sync_file(int fd, const std::string& path);
[[nodiscard]] Status sync_directory(const std::string& path);

// Creates `folder`/`name` with `bytes` as content, durable if `sync`. Fails if it exists.
[[nodiscard]] Status create_file(const std::string& path, std::span<const std::byte> bytes, bool sync);

[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace casmotion
