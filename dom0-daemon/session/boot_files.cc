// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/boot_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {
namespace {

/// Copies the log's file into one without a name: nothing is left behind however this process ends.
Result<BootFileHandle> extract(LogReader& reader, const std::string& what) {
    const char* temporary = std::getenv("TMPDIR");
    std::string folder =
        std::string(temporary != nullptr && *temporary != '\0' ? temporary : "/tmp") + "/casmotion.XXXXXX";
    if (mkdtemp(folder.data()) == nullptr)
        return errno_status("cannot make a temporary folder " + folder, errno);
    const std::string path = folder + "/" + what;
    const Status status = reader.extract(what, path);
    const int fd = status.ok() ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1;
    const int error = errno;
    unlink(path.c_str());
    rmdir(folder.c_str());
    CASM_TRY(status);
    if (fd < 0) return errno_status(path, error);
    return BootFileHandle(fd);
}

Result<BootFileHandle> open_one(LogReader& reader, const BootFile& identity, const std::string& what,
                                const std::string& given) {
    if (!given.empty()) {
        CASM_ASSIGN(const BootFile actual, identify_boot_file(given));
        if (actual.sha256 != identity.sha256)
            return usage_error(given + " is not the " + what + " of this log (" + printable(identity.name) +
                               "): its SHA-256 is " + to_hex(actual.sha256).substr(0, 16) +
                               "..., the log's " + to_hex(identity.sha256).substr(0, 16) + "...");
        const int fd = open(given.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) return errno_status(given, errno);
        return BootFileHandle(fd);
    }
    if (!identity.embedded)
        return usage_error("the log was recorded with --by-hash and holds no " + what +
                           ": give the file with --" + what + " (" + printable(identity.name) + ", SHA-256 " +
                           to_hex(identity.sha256) + ")");
    return extract(reader, what);
}

}  // namespace

BootFileHandle::BootFileHandle(BootFileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

BootFileHandle& BootFileHandle::operator=(BootFileHandle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

BootFileHandle::~BootFileHandle() {
    if (fd_ >= 0) close(fd_);
}

std::string BootFileHandle::path() const {
    return fd_ < 0 ? std::string{} : "/proc/self/fd/" + std::to_string(fd_);
}

Result<BootFiles> open_boot_files(LogReader& reader, const std::string& kernel, const std::string& ramdisk) {
    const Manifest& manifest = reader.manifest();
    BootFiles files;
    CASM_ASSIGN(files.kernel, open_one(reader, manifest.kernel, "kernel", kernel));
    if (manifest.ramdisk) {
        CASM_ASSIGN(files.ramdisk, open_one(reader, *manifest.ramdisk, "ramdisk", ramdisk));
    } else if (!ramdisk.empty()) {
        return usage_error("the log's guest was booted without a ramdisk: leave --ramdisk out");
    }
    return files;
}

}  // namespace casmotion
