// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/replayer.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "base/failures.h"
#include "base/host_text.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "hypervisor/op_text.h"

namespace casmotion {
namespace {

constexpr size_t kBatchBytes = 64u << 10;
static_assert(kBatchBytes >= CASM_REC_MAX_BYTES);

/// The vCPU waits when the feed ring runs dry; this bounds the wait if no notification comes.
constexpr std::chrono::milliseconds kPoll{50};
constexpr uint64_t kStatusIntervalNs = kNsPerSecond / 2;

}  // namespace

Replayer::Replayer(Hypervisor& hypervisor, DomId domain, RingReader& log_ring, RingWriter& feed_ring,
                   LogReader& reader, Clock& clock, const StopSignal& stop, Progress& progress,
                   ConsoleSink console)
    : hypervisor_(hypervisor),
      domain_(domain),
      log_ring_(log_ring),
      feed_ring_(feed_ring),
      reader_(reader),
      clock_(clock),
      stop_(stop),
      progress_(progress),
      console_(std::move(console)),
      batch_(kBatchBytes) {}

Status Replayer::prefill() {
    return feed();
}

Result<std::optional<ReplayOutcome>> Replayer::start(uint32_t margin_branches, std::optional<CpuId> cpu) {
    started_ns_ = clock_.now_ns();
    StartOptions options;
    options.mode = CASM_MODE_REPLAY;
    options.digest_interval = reader_.manifest().options.digest_interval;
    options.check_bits = reader_.manifest().options.check_bits;
    options.counter = reader_.manifest().options.counter != CASM_COUNTER_ABSENT;
    options.margin_branches = margin_branches;
    options.cpu = cpu;
    const OpResult result = hypervisor_.start(domain_, options);
    if (result.ok()) return std::optional<ReplayOutcome>{};
    if (result.error != EXDEV) return op_failure("start the replay of", domain_, result);
    if (const OpResult read = hypervisor_.status(domain_, outcome_.status); !read.ok())
        return op_failure("read the status of", domain_, read);
    outcome_.end = ReplayEnd::kDiverged;
    outcome_.duration_ns = clock_.now_ns() - started_ns_;
    return std::optional<ReplayOutcome>{outcome_};
}

Result<ReplayOutcome> Replayer::run(uint64_t stall_limit_ns) {
    last_status_ns_ = last_progress_ns_ = clock_.now_ns();
    for (;;) {
        // Before the drain: what was published before the end is then drained.
        const bool over = over_ || vanished_ || log_ring_.eof();
        CASM_TRY(drain());
        if (over) {
            CASM_ASSIGN(const bool ended, conclude());
            if (ended) return outcome_;
        }
        CASM_TRY(feed());
        CASM_ASSIGN(const bool stalled, look_at_status(stall_limit_ns));
        if (over_ || vanished_) continue;
        if (stalled || stop_.requests() > 0) {
            (void)hypervisor_.stop(domain_);
            outcome_.end = stalled ? ReplayEnd::kStalled : ReplayEnd::kInterrupted;
            outcome_.duration_ns = clock_.now_ns() - started_ns_;
            progress_.clear();
            return outcome_;
        }
        show_progress();
        hypervisor_.wait(kPoll);
    }
}

Status Replayer::feed() {
    if (fed_all_) return {};
    bool added = false;
    for (;;) {
        if (pending_.empty()) {
            CASM_ASSIGN(pending_, reader_.next_ring());
            if (pending_.empty()) {
                feed_ring_.set_eof();
                fed_all_ = added = true;
                break;
            }
        }
        CASM_ASSIGN(const size_t written, feed_ring_.write(pending_));
        if (written == 0) break;
        pending_ = pending_.subspan(written);
        added = true;
    }
    if (added && hypervisor_.kick(domain_).error == ESRCH) vanished_ = true;
    return {};
}

Status Replayer::drain() {
    for (;;) {
        CASM_ASSIGN(const size_t copied, log_ring_.peek(batch_));
        if (copied == 0) return {};
        std::span<const std::byte> bytes = std::span<const std::byte>(batch_).first(copied);
        size_t taken = 0;
        for (;;) {
            CASM_ASSIGN(const size_t record_bytes, decode_ring(bytes, record_));
            if (record_bytes == 0) break;
            bytes = bytes.subspan(record_bytes);
            taken += record_bytes;
            if (record_.cls == CASM_CLS_CONSOLE) {
                outcome_.console_bytes += record_.blob.size();
                progress_.clear();
                if (console_) console_(record_.blob);
            } else if (record_.cls != CASM_CLS_END) {
                return internal_error("Xen sent a record of class " + std::string(class_name(record_.cls)) +
                                      " during a replay");
            }
        }
        if (taken == 0) return internal_error("Xen published a part of a record");
        log_ring_.consume(taken);
    }
}

Result<bool> Replayer::look_at_status(uint64_t stall_limit_ns) {
    const uint64_t now = clock_.now_ns();
    if (now - last_status_ns_ < kStatusIntervalNs) return false;
    last_status_ns_ = now;
    casm_status status;
    const OpResult result = hypervisor_.status(domain_, status);
    if (result.error == ESRCH) {
        vanished_ = true;
        return false;
    }
    if (!result.ok()) return op_failure("read the status of", domain_, result);
    if (status.ordinal != outcome_.status.ordinal || status.records != outcome_.status.records)
        last_progress_ns_ = now;
    outcome_.status = status;
    over_ = status.mode != CASM_MODE_REPLAY;  // noticed here if the ring does not say so
    // A vCPU that waits for input although there is some would wait for ever; the kick costs nothing.
    (void)hypervisor_.kick(domain_);
    return stall_limit_ns != 0 && now - last_progress_ns_ >= stall_limit_ns;
}

/// True if Xen too says that the replay has ended; `outcome_` then says how. The ring's word alone does not
/// count.
Result<bool> Replayer::conclude() {
    if (const OpResult result = hypervisor_.status(domain_, outcome_.status); result.error == ESRCH) {
        outcome_.end = ReplayEnd::kVanished;
    } else if (!result.ok()) {
        return op_failure("read the status of", domain_, result);
    }
    progress_.clear();
    outcome_.duration_ns = clock_.now_ns() - started_ns_;
    if (outcome_.end == ReplayEnd::kVanished) return true;
    switch (static_cast<casm_mode>(outcome_.status.mode)) {
        case CASM_MODE_ENDED:
            if (outcome_.status.end_reason != CASM_END_NONE) {
                outcome_.end = ReplayEnd::kEqual;  // END was compared, whatever it says
            } else {
                // Xen wanted a record and there was none: the log ended, or somebody tore the domain down
                // meanwhile.
                outcome_.end = outcome_.status.records == reader_.records() ? ReplayEnd::kLogRanOut
                                                                            : ReplayEnd::kVanished;
            }
            return true;
        case CASM_MODE_DIVERGED: {
            // A replay whose domain is destroyed produces an END that is in no place of the log.
            const casm_rec& actual = outcome_.status.divergence.actual;
            outcome_.end = actual.cls == CASM_CLS_END && actual.kind == CASM_END_DESTROYED
                               ? ReplayEnd::kVanished
                               : ReplayEnd::kDiverged;
            return true;
        }
        case CASM_MODE_REPLAY:
            if (!eof_notice_shown_)
                progress_.notice(
                    "replay: the log ring says that the replay is over, and Xen says that it is not: "
                    "somebody "
                    "else has written to the ring; going on");
            eof_notice_shown_ = true;
            return false;
        case CASM_MODE_OFF:
        case CASM_MODE_IDLE:
        case CASM_MODE_RECORD:
            break;
    }
    return internal_error("Xen ended the replay's log in mode " + std::to_string(outcome_.status.mode));
}

void Replayer::show_progress() {
    if (!progress_.due()) return;
    const uint64_t total = reader_.records();
    progress_.show("replay: " + seconds_text(clock_.now_ns() - started_ns_) + ", " +
                   with_thousands(outcome_.status.records) + " of " + with_thousands(total) + " records (" +
                   std::to_string(total == 0 ? 100 : outcome_.status.records * 100 / total) + " %)");
}

}  // namespace casmotion
