// SPDX-License-Identifier: GPL-2.0-or-later
//
// A log in a folder of the file system.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "casmotion/log_reader.h"
#include "file.h"

namespace casmotion {

namespace {

class FolderSource final : public LogSource {
  public:
    FolderSource(std::string path, FileDescriptor folder)
        : path_(std::move(path)), folder_(std::move(folder)) {}

    Result<std::optional<std::uint64_t>> size_bytes(const std::string& name) override {
        struct stat info;
        if (::fstatat(folder_.get(), name.c_str(), &info, 0) != 0) {
            if (errno == ENOENT) return std::optional<std::uint64_t>();
            return errno_status("cannot read '" + path_ + "/" + name + "'", errno);
        }
        // Anything else (a pipe, a device, a folder) could block or has no size.
        if (!S_ISREG(info.st_mode)) return log_invalid("'" + path_ + "/" + name + "' is not a regular file");
        return std::optional(static_cast<std::uint64_t>(info.st_size));
    }

    Status read(const std::string& name, std::uint64_t offset, std::span<std::byte> out) override {
        FileDescriptor& file = files_[name];
        if (!file.valid())
            file = FileDescriptor(::openat(folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file.valid()) return errno_status("cannot read '" + path_ + "/" + name + "'", errno);
        while (!out.empty()) {
            const ssize_t got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
            if (got < 0) {
                if (errno == EINTR) continue;
                return errno_status("cannot read '" + path_ + "/" + name + "'", errno);
            }
            if (got == 0) return log_invalid("file '" + name + "' ends at offset " + std::to_string(offset));
            out = out.subspan(static_cast<std::size_t>(got));
            offset += static_cast<std::uint64_t>(got);
        }
        return {};
    }

    std::string name() const override { return path_; }

  private:
    std::string path_;
    FileDescriptor folder_;
    std::map<std::string, FileDescriptor> files_;  // opened so far
};

}  // namespace

Result<std::unique_ptr<LogSource>> open_folder(const std::string& path) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return Status(Category::kUsage, "no log '" + path + "'");
        return errno_status("cannot open '" + path + "'", errno);
    }
    if (!S_ISDIR(info.st_mode)) return log_invalid("'" + path + "' is not a log: a log is a folder");
    FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid()) return errno_status("cannot open folder '" + path + "'", errno);
    return std::unique_ptr<LogSource>(std::make_unique<FolderSource>(path, std::move(folder)));
}

}  // namespace casmotion
