// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/stop_signal.h"

#include <csignal>

namespace casmotion {
namespace {

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};
static_assert(std::atomic<int>::is_always_lock_free, "the handler may only touch lock-free atomics");
std::atomic<std::atomic<int>*> g_counter{nullptr};  // a signal handler has no other way to find its object

void set_handler(int signal, void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

}  // namespace

ProcessStopSignal::ProcessStopSignal() {
    g_counter.store(&requests_);
    for (const int signal : kStopSignals) set_handler(signal, &ProcessStopSignal::handler);
    set_handler(SIGPIPE, SIG_IGN);
}

ProcessStopSignal::~ProcessStopSignal() {
    for (const int signal : kStopSignals) set_handler(signal, SIG_DFL);
    set_handler(SIGPIPE, SIG_DFL);
    g_counter.store(nullptr);
}

void ProcessStopSignal::handler(int) {
    if (std::atomic<int>* counter = g_counter.load()) counter->fetch_add(1, std::memory_order_relaxed);
}

}  // namespace casmotion
