// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/progress.h"

#include <unistd.h>

#include <cstdio>

#include "base/host_text.h"

namespace casmotion {

TerminalProgress::TerminalProgress(Clock& clock, bool quiet)
    : clock_(clock),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      next_ns_(clock.now_ns() + 2 * kNsPerSecond) {}

TerminalProgress::~TerminalProgress() {
    clear();
}

void TerminalProgress::notice(const std::string& line) {
    clear();
    if (!quiet_) std::fprintf(stderr, "%s\n", without_controls(line).c_str());
}

bool TerminalProgress::due() {
    return terminal_ && !quiet_ && clock_.now_ns() >= next_ns_;
}

void TerminalProgress::show(const std::string& line) {
    next_ns_ = clock_.now_ns() + kNsPerSecond / 2;
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
    std::fflush(stderr);
    shown_ = true;
}

void TerminalProgress::clear() {
    if (!shown_) return;
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    shown_ = false;
}

}  // namespace casmotion
