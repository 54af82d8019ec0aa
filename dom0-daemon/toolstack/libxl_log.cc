// SPDX-License-Identifier: GPL-2.0-or-later
#include "toolstack/libxl_log.h"

#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/host_text.h"

namespace casmotion {

LibxlLog::LibxlLog(bool verbose) : hook_{}, verbose_(verbose) {
    hook_.base.vmessage = &LibxlLog::message;
    hook_.base.progress = nullptr;
    hook_.base.destroy = &LibxlLog::destroy;
    hook_.self = this;
}

std::string LibxlLog::take_error() {
    return std::exchange(first_error_, {});
}

void LibxlLog::message(xentoollog_logger* logger, xentoollog_level level, int errnoval, const char* context,
                       const char* format, va_list arguments) {
    LibxlLog* self = reinterpret_cast<Hook*>(logger)->self;
    const bool is_error = level >= XTL_ERROR;
    if (!self->verbose_ && (!is_error || !self->first_error_.empty())) return;
    char text[1024];
    std::vsnprintf(text, sizeof(text), format, arguments);
    std::string line = printable(text);
    if (errnoval >= 0) line += ": " + error_text(errnoval);
    if (self->verbose_)
        std::fprintf(stderr, "%s: %s: %s\n", context != nullptr ? context : "xen", xtl_level_to_string(level),
                     line.c_str());
    if (is_error && self->first_error_.empty()) {
        // libxl puts "file.c:line:function: Domain n:" in front, which tells a user nothing.
        if (const size_t function = line.find(".c:"); function != std::string::npos) {
            if (const size_t colon = line.find(": ", function); colon != std::string::npos)
                line.erase(0, colon + 2);
            if (const size_t bare = line.find_first_not_of(' '); bare != std::string::npos)
                line.erase(0, bare);
        }
        self->first_error_ = std::move(line);
    }
}

}  // namespace casmotion
