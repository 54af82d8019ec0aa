// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/recorder.h"

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {
namespace {

/// Bytes moved per step: large enough that the cost per step vanishes, small enough to stay in the L2 cache.
constexpr size_t kBatchBytes = 128u << 10;
static_assert(kBatchBytes >= CASM_REC_MAX_BYTES);

/// Safety net when no notification comes (lost, or the VIRQ could not be bound).
constexpr std::chrono::milliseconds kPoll{100};

constexpr uint64_t kStatusIntervalNs = kNsPerSecond;
constexpr uint64_t kFlushIntervalNs = kNsPerSecond;
constexpr uint64_t kPatienceNs = 5 * kNsPerSecond;
/// Far beyond any wait that ends by itself: the longest seen in a guest that does enter Xen was 0.3 s.
constexpr uint64_t kLongWaitNs = 3 * kNsPerSecond;

}  // namespace

Recorder::Recorder(Hypervisor& hypervisor, DomId domain, RingReader& ring, LogWriter& writer, Clock& clock,
                   const StopSignal& stop, Progress& progress)
    : hypervisor_(hypervisor),
      domain_(domain),
      ring_(ring),
      writer_(writer),
      clock_(clock),
      stop_(stop),
      progress_(progress),
      batch_(kBatchBytes),
      check_(writer.manifest().options.disabled_classes) {}

Result<RecordOutcome> Recorder::run(const RecordLimits& limits) {
    started_ns_ = last_flush_ns_ = last_status_ns_ = clock_.now_ns();
    for (;;) {
        const bool over = is_over();  // before the drain: what was published before the end is then drained
        if (Status status = drain(); !status.ok()) {
            (void)hypervisor_.stop(domain_);  // the guest goes on unrecorded; nobody reads its ring any more
            return status;
        }
        if (writer_.progress().end_reason != CASM_END_NONE) {
            if (Status status = check_end(); !status.ok()) {
                (void)hypervisor_.stop(domain_);
                return status;
            }
            outcome_.has_end_record = true;
            break;
        }
        if (over || vanished_) {
            outcome_.end = RecordEnd::kVanished;
            break;
        }
        look_at_status();
        if (vanished_) continue;  // one more drain: Xen may have written while the domain died
        apply_limits(limits);
        if (stop_.requests() > 1) break;
        show_progress();
        if (!was_pressed_) hypervisor_.wait(kPoll);
    }
    progress_.clear();
    casm_status final_status;
    if (hypervisor_.status(domain_, final_status).ok()) {
        outcome_.status = final_status;
        outcome_.status_known = true;
    }
    outcome_.duration_ns = clock_.now_ns() - started_ns_;
    return outcome_;
}

/// Has the recording ended? The ring's word for it is checked with Xen's: a page of memory is easier to write
/// to than a status.
bool Recorder::is_over() {
    if (over_ || !ring_.eof()) return over_;
    casm_status status;
    const OpResult result = hypervisor_.status(domain_, status);
    if (result.error == ESRCH) vanished_ = true;
    if (!result.ok()) return vanished_;
    over_ = status.mode != CASM_MODE_RECORD;
    if (!over_ && !eof_notice_shown_) {
        eof_notice_shown_ = true;
        progress_.notice(
            "record: the log ring says that the recording is over, and Xen says that it is not: somebody "
            "else "
            "has written to the ring; going on");
    }
    return over_;
}

/// An END in the ring is one that Xen wrote.
Status Recorder::check_end() {
    casm_status status;
    if (!hypervisor_.status(domain_, status).ok()) return {};  // the domain is gone, which is an end too
    const Summary& log = writer_.progress();
    if (status.mode == CASM_MODE_ENDED && status.end_reason == log.end_reason &&
        status.end_code == log.end_code && status.records == log.records)
        return {};
    return internal_error("the log ring has an END that Xen did not write (" + with_thousands(log.records) +
                          " records there, " + with_thousands(status.records) +
                          " of Xen's): somebody else has written to the ring");
}

Status Recorder::drain() {
    ++outcome_.drains;
    was_pressed_ = false;
    CASM_ASSIGN(uint64_t unread, ring_.available());
    if (unread == 0) return {};
    // Xen lets the vCPU wait when the free room is under the most that one entry can produce. A quarter of
    // the ring is far below any ring in which that can happen, so a kick is never missed; a kick too many
    // costs one hypercall.
    was_pressed_ = unread > ring_.size_bytes() / 4;
    while (unread > 0) {
        CASM_ASSIGN(const size_t copied, ring_.peek(batch_));
        size_t taken = 0;
        CASM_TRY(store(std::span<const std::byte>(batch_).first(copied), taken));
        if (taken == 0) return internal_error("Xen published a part of a record");
        ring_.consume(taken);
        unread -= taken < unread ? taken : unread;
    }
    if (was_pressed_) {
        ++outcome_.kicks;
        if (hypervisor_.kick(domain_).error == ESRCH) vanished_ = true;
    }
    return {};
}

/// Whole records go to the log, up to the first one that no recording can hold: a log that its own replay
/// would refuse is worth less than one that ends before.
Status Recorder::store(std::span<const std::byte> bytes, size_t& taken) {
    Status checked;
    const size_t good = check_.all_ring(bytes, checked);
    CASM_ASSIGN(taken, writer_.append_ring(bytes.first(good)));
    if (checked.ok()) return {};
    return internal_error("Xen wrote what cannot be: " + checked.message());
}

void Recorder::look_at_status() {
    const uint64_t now = clock_.now_ns();
    if (now - last_flush_ns_ >= kFlushIntervalNs) {
        last_flush_ns_ = now;
        writer_.flush().ignore();  // a failure comes back from the next append or from close
    }
    if (now - last_status_ns_ < kStatusIntervalNs) return;
    last_status_ns_ = now;
    const bool shut_down = look_ && look_();  // before the status: a guest that ends by itself logs END first
    casm_status status;
    const OpResult result = hypervisor_.status(domain_, status);
    if (result.error == ESRCH) {
        vanished_ = true;
    } else if (result.ok()) {
        outcome_.status = status;
        outcome_.status_known = true;
        look_for_waiting(status, now);
        over_ = status.mode != CASM_MODE_RECORD;  // noticed here if the ring does not say so
        if (shut_down && !over_) {
            if (stop_requested_ns_ == 0)
                progress_.notice(
                    "record: the guest has shut down and its log does not say so: something outside "
                    "crashed it ('xl dmesg' may say what); its log ends there");
            request_stop(RecordEnd::kGuest);  // once more if one was asked for while it ran
        }
        // A vCPU that waits for room although there is some would wait for ever; the kick costs nothing.
        (void)hypervisor_.kick(domain_);
    }
}

/// Events wait until the guest enters Xen or, with a counter, comes to a point. Code that does neither gets
/// no timer, and may never end: the user should know what he is waiting for.
void Recorder::look_for_waiting(const casm_status& status, uint64_t now_ns) {
    const uint64_t applied = status.applied[CASM_CLS_EVTCHN];
    const uint64_t waiting = status.events_queued > applied ? status.events_queued - applied : 0;
    if (waiting == 0 || waiting_since_ns_ == 0 || status.ordinal != waiting_at_ordinal_ ||
        applied != waiting_after_events_) {
        waiting_since_ns_ = waiting == 0 ? 0 : now_ns;
        waiting_at_ordinal_ = status.ordinal;
        waiting_after_events_ = applied;
        return;
    }
    const uint64_t waited = now_ns - waiting_since_ns_;
    outcome_.longest_wait_ns = std::max(outcome_.longest_wait_ns, waited);
    if (waited < kLongWaitNs || waiting_notice_shown_) return;
    waiting_notice_shown_ = true;
    std::string line = "record: " + with_thousands(waiting) + " events have waited " + seconds_text(waited) +
                       " for the guest to enter Xen, and it gets none until then: it is paused";
    if (writer_.manifest().options.counter == CASM_COUNTER_ABSENT)
        line +=
            ", or runs code that does not enter Xen; such a guest needs a host with a branch counter "
            "('casmotion doctor' says why this one is not used)";
    progress_.notice(line);
}

void Recorder::apply_limits(const RecordLimits& limits) {
    const uint64_t now = clock_.now_ns();
    if (stop_requested_ns_ != 0) {
        if (!patience_notice_shown_ && now - stop_requested_ns_ > kPatienceNs) {
            patience_notice_shown_ = true;
            progress_.notice(
                "record: waiting for the guest to enter Xen (is it paused?); ^C again to give up");
        }
        return;
    }
    if (stop_.requests() > 0) {
        request_stop(RecordEnd::kInterrupt);
    } else if (limits.duration_ns && now - started_ns_ >= *limits.duration_ns) {
        request_stop(RecordEnd::kDuration);
    } else if (limits.log_bytes && writer_.size_estimate_bytes() >= *limits.log_bytes) {
        request_stop(RecordEnd::kLogSize);
    }
}

void Recorder::request_stop(RecordEnd why) {
    // A guest that ends by itself in the same moment wins: its END comes first, and says so.
    stop_requested_ns_ = clock_.now_ns() | 1;
    outcome_.end = why;
    if (hypervisor_.stop(domain_).error == ESRCH) vanished_ = true;
}

void Recorder::show_progress() {
    if (!progress_.due()) return;
    const Summary& counts = writer_.progress();
    progress_.show("record: " + seconds_text(clock_.now_ns() - started_ns_) + ", " +
                   with_thousands(counts.ordinals) + " entries, " + with_thousands(counts.records) +
                   " records, " + size_text(writer_.size_estimate_bytes()));
}

}  // namespace casmotion
