// SPDX-License-Identifier: GPL-2.0-or-later
//
// Forged feeds: whatever stands where a record is expected, Xen's consumers refuse it, or go on and stop
// where the guest is another. Compiled with AddressSanitizer and UndefinedBehaviorSanitizer, whatever the
// preset: what is looked for is a byte that is written or read outside.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "support/forgery.h"
#include "support/model.h"
#include "support/small_guest.h"

#ifndef __SANITIZE_ADDRESS__
#error "without AddressSanitizer these tests see nothing"
#endif

// Half of the time went into the stacks of allocations, of which nobody here needs to know.
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier): its name
    return "malloc_context_size=1";
}

namespace casmotion::test {
namespace {

// A recording, the same seed each time, that is replayed from whatever feed.
class Recording {
  public:
    virtual ~Recording() = default;
    virtual casm_status replay(const std::vector<std::uint8_t>& feed) const = 0;
    // A guest that never enters Xen may wait for ever for an effect that is not in its log.
    virtual bool may_wait() const { return false; }
    [[nodiscard]] const std::vector<Record>& records() const { return records_; }

  protected:
    void set_log(const std::vector<std::uint8_t>& log) {
        std::span<const std::byte> rest = std::as_bytes(std::span(log));
        while (!rest.empty()) {
            Record record;
            const Result<std::size_t> taken = decode_ring(rest, record);
            ASSERT_TRUE(taken.ok() && *taken != 0);
            records_.push_back(std::move(record));
            rest = rest.subspan(*taken);
        }
    }

  private:
    std::vector<Record> records_;
};

// Every class but those of the branch counter.
class ModelRecording final : public Recording {
  public:
    explicit ModelRecording(std::uint64_t seed, bool stop_early) : seed_(seed) {
        options_.steps = 40;
        options_.digest_interval = 16;
        options_.stop_early = stop_early;
        std::vector<std::uint8_t> log;
        record_model(seed_, seed_ + 1, options_, log);
        set_log(log);
    }
    casm_status replay(const std::vector<std::uint8_t>& feed) const override {
        return replay_model(seed_, seed_ + 2, options_, feed).status;
    }

  private:
    std::uint64_t seed_;
    ModelOptions options_;
};

// Points between entries, and BRANCHES.
class CountedRecording final : public Recording {
  public:
    explicit CountedRecording(std::uint64_t seed) {
        options_.program = options_.surroundings = seed;
        options_.instructions = 600;
        options_.instructions_per_signal = 60;
        std::vector<std::uint8_t> log;
        record_small_guest(options_, log);
        set_log(log);
    }
    casm_status replay(const std::vector<std::uint8_t>& feed) const override {
        GuestOptions options = options_;
        options.surroundings += 1;
        options.forged = true;
        return replay_small_guest(options, feed).status;
    }

    bool may_wait() const override { return true; }

  private:
    GuestOptions options_;
};

bool has(const Recording& recording, std::uint8_t cls) {
    return place_of(
               {.cls = cls, .kind = {}, .check = {}, .aux = {}, .w = {}, .blob_bytes = {}, .anchor = cls},
               recording.records())
        .has_value();
}

// One recording that has records of `cls`; any, if it is of no class or of one that no log has.
const Recording& recording_with(std::uint8_t cls) {
    static std::vector<std::unique_ptr<Recording>> all;
    if (all.empty()) {
        // Several: what a guest does is at random, and one in twenty has no CPUID, say.
        for (std::uint64_t i = 0; i < 8; ++i)
            all.push_back(std::make_unique<ModelRecording>(base_seed() + i, i % 2 != 0));
        for (std::uint64_t i = 0; i < 40; ++i)
            all.push_back(std::make_unique<CountedRecording>(base_seed() + i));
    }
    for (const auto& recording : all)
        if (has(*recording, cls)) return *recording;
    return *all.front();
}

void expect_refused(const Recording& recording, const Forgery& forgery) {
    SCOPED_TRACE(to_text(forgery));
    const auto feed = forged_feed(forgery, recording.records());
    ASSERT_TRUE(feed.ok());
    std::vector<std::uint8_t> bytes(feed->size());
    std::memcpy(bytes.data(), feed->data(), bytes.size());
    const casm_status status = recording.replay(bytes);
    EXPECT_TRUE(status.mode == CASM_MODE_DIVERGED || status.mode == CASM_MODE_ENDED ||
                (status.mode == CASM_MODE_REPLAY && recording.may_wait()))
        << status.mode;
    // The attack arrived: all before it was consumed.
    EXPECT_GE(status.records, place_of(forgery, recording.records()).value());
}

class ForgedClass : public testing::TestWithParam<unsigned> {
  protected:
    ForgedClass() : cls(static_cast<std::uint8_t>(GetParam())), recording(recording_with(cls)) {}

    // Where such a record would be taken, and where another one is.
    std::vector<Forgery> places() const {
        std::set<std::size_t> taken;
        std::vector<Forgery> out;
        for (const std::uint8_t anchor : {cls, std::uint8_t{CASM_CLS_EVTCHN}, std::uint8_t{0}}) {
            for (const auto nth : {Forgery::Nth::kFirst, Forgery::Nth::kMiddle, Forgery::Nth::kLast}) {
                Forgery forgery;
                forgery.cls = cls;
                forgery.anchor = anchor;
                forgery.nth = nth;
                forgery.how = anchor == cls ? Forgery::How::kReplace : Forgery::How::kInsert;
                const auto place = place_of(forgery, recording.records());
                if (place && taken.insert(*place * 2 + (anchor == cls ? 1 : 0)).second)
                    out.push_back(forgery);
            }
        }
        return out;
    }

    const std::uint8_t cls;
    const Recording& recording;
};

TEST_P(ForgedClass, OfEveryLengthIsRefused) {
    CASMOTION_TRACE_SEED(base_seed());
    const std::vector<Forgery> at = places();
    ASSERT_FALSE(at.empty());
    for (std::size_t length = 0; length <= CASM_BLOB_MAX_BYTES + 1; ++length) {
        // A length in full is one case, a header that claims it another; places in turn.
        Forgery forgery = at[length % at.size()];
        forgery.blob_bytes = length;
        expect_refused(recording, forgery);
        forgery.blob_bytes.reset();
        forgery.check = static_cast<std::uint16_t>(length);
        expect_refused(recording, forgery);
        if (HasFailure()) return;
    }
    for (const Forgery& place : at) {
        for (std::size_t length : edge_lengths()) {
            Forgery forgery = place;
            forgery.blob_bytes = length;
            expect_refused(recording, forgery);
            if (HasFailure()) return;
        }
    }
}

TEST_P(ForgedClass, OfHostileFieldsIsRefused) {
    CASMOTION_TRACE_SEED(base_seed());
    unsigned cases = 0;
    for (const Forgery& forgery : forgeries(recording.records(), {}, base_seed(), 4000)) {
        if (forgery.cls != cls) continue;
        expect_refused(recording, forgery);
        if (HasFailure()) return;
        ++cases;
    }
    EXPECT_GE(cases, 20u);
}

INSTANTIATE_TEST_SUITE_P(Feed, ForgedClass, testing::Range(0u, CASM_CLASSES_MAX), [](const auto& info) {
    const ClassInfo* known = find_class(static_cast<std::uint8_t>(info.param));
    return known != nullptr ? std::string(known->symbol) : "Unknown" + std::to_string(info.param);
});

TEST(ForgedFeeds, CoverEveryClassOfALog) {
    CASMOTION_TRACE_SEED(base_seed());
    for (const ClassInfo& info : kClasses)
        if (kLayouts[info.id].logged) {
            EXPECT_TRUE(has(recording_with(info.id), info.id)) << info.name;
        }
}

}  // namespace
}  // namespace casmotion::test
