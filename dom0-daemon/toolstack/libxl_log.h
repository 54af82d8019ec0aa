// SPDX-License-Identifier: GPL-2.0-or-later
//
// A libxentoollog logger that keeps the first error of a libxl call for our own message instead of printing a
// page.
#pragma once

extern "C" {
#include <xentoollog.h>
}

#include <string>

namespace casmotion {

class LibxlLog {
  public:
    explicit LibxlLog(bool verbose);
    LibxlLog(const LibxlLog&) = delete;
    LibxlLog& operator=(const LibxlLog&) = delete;

    /// To be handed to libxl; valid as long as this object.
    xentoollog_logger* logger() { return &hook_.base; }

    /// First error since the last call, as one line; empty when there was none. Forgets it.
    std::string take_error();

  private:
    // libxl hands the logger's address back to the callbacks; `base` must be first.
    struct Hook {
        xentoollog_logger base;
        LibxlLog* self;
    };
    static void message(xentoollog_logger* logger, xentoollog_level level, int errnoval, const char* context,
                        const char* format, va_list arguments);
    static void destroy(xentoollog_logger*) {}

    Hook hook_;
    bool verbose_;
    std::string first_error_;
};

}  // namespace casmotion
