// SPDX-License-Identifier: GPL-2.0-or-later
//
// No record that could do harm leaves a reader: neither as a Record nor as bytes to feed.
#include "casmotion/record_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "casmotion/log_check.h"
#include "casmotion/log_reader.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "support/raw_log.h"
#include "support/seed.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

Files forged(const std::vector<Record>& records, std::uint32_t chunk_records = 500) {
    return raw_log(manifest_file(synthetic_manifest({})), records, chunk_records);
}

// How many records a reader gives out, one by one, and what it says then.
struct GivenOut {
    std::uint64_t records = 0;
    Status status;
};

GivenOut one_by_one(LogReader& reader) {
    GivenOut out;
    Record record;
    for (;; ++out.records) {
        const Result<bool> more = reader.next(record);
        out.status = more.status();
        if (!more.ok() || !*more) return out;
    }
}

GivenOut as_bytes_to_feed(LogReader& reader) {
    GivenOut out;
    for (;;) {
        const auto part = reader.next_ring();
        out.status = part.status();
        if (!part.ok() || part->empty()) return out;
        for (std::span<const std::byte> rest = *part; !rest.empty(); ++out.records) {
            const Result<std::size_t> size = peek_ring_size(rest);
            if (!size.ok() || *size == 0) {
                ADD_FAILURE() << "no whole records";
                return out;
            }
            rest = rest.subspan(*size);
        }
    }
}

// The log of `records` is refused at record `bad`, by each way to read it, and by 'verify' too.
void expect_refused(const std::vector<Record>& records, std::uint64_t bad, const std::string& what) {
    SCOPED_TRACE(what);
    for (const std::uint32_t chunk_records : {7u, 500u}) {
        auto reader = LogReader::open(memory_source(forged(records, chunk_records)));
        ASSERT_TRUE(reader.ok()) << reader.status().message();
        for (const auto& read : {one_by_one, as_bytes_to_feed}) {
            ASSERT_TRUE((*reader)->seek({0}).ok());
            const GivenOut given = read(**reader);
            EXPECT_EQ(given.records, bad);
            ASSERT_EQ(given.status.category(), Category::kLogInvalid);
            const std::string place =
                "record " + std::to_string(bad) + " (" + std::string(class_name(records[bad].cls)) + "): ";
            EXPECT_NE(given.status.message().find(place), std::string::npos) << given.status.message();
            EXPECT_NE(given.status.message().find(what), std::string::npos) << given.status.message();
            EXPECT_EQ(read(**reader).status.message(), given.status.message()) << "a failure repeats";
        }
        // Who judges records still sees it.
        ASSERT_TRUE((*reader)->seek({bad}).ok());
        Record record;
        ASSERT_TRUE((*reader)->next_unchecked(record).value());
        EXPECT_EQ(ring_of({record}), ring_of({records[bad]}));
        EXPECT_FALSE(check_log(**reader).verdict().ok());
    }
}

std::size_t place_of(const std::vector<Record>& records, std::uint8_t cls, std::size_t from = 20) {
    for (std::size_t i = from; i < records.size(); ++i)
        if (records[i].cls == cls) return i;
    ADD_FAILURE() << "no record of class " << class_name(cls);
    return 0;
}

std::vector<std::uint8_t> words(std::initializer_list<std::uint64_t> values) {
    std::vector<std::uint8_t> out;
    for (const std::uint64_t value : values)
        for (int byte = 0; byte < 8; ++byte) out.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
    return out;
}

TEST(RecordCheck, LetsEveryLogThroughThatAHypervisorCanProduce) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    for (std::uint64_t round = 0; round < 20; ++round) {
        const std::vector<Record> records =
            synthetic_log({.seed = seed + round,
                           .entries = 1 + round * 61,
                           .end_reason = static_cast<std::uint32_t>(CASM_END_SHUTDOWN + round % 4)});
        auto reader = LogReader::open(memory_source(forged(records)));
        ASSERT_TRUE(reader.ok());
        for (const auto& read : {one_by_one, as_bytes_to_feed}) {
            ASSERT_TRUE((*reader)->seek({0}).ok());
            const GivenOut given = read(**reader);
            ASSERT_TRUE(given.status.ok()) << given.status.message();
            ASSERT_EQ(given.records, records.size());
        }
    }
}

struct BadRecord {
    Record record;
    const char* what;
};

TEST(RecordCheck, NamesARecordWhoseFieldsNoRecordingHas) {
    const std::vector<Record> good = synthetic_log({.seed = 3, .entries = 1000});
    std::vector<std::uint8_t> in_xen = words({0xffff'8300'0000'1000, 0, 0});
    const BadRecord cases[] = {
        {{.cls = CASM_CLS_ENTRY, .kind = 7}, "entry.kind is 7"},
        {{.cls = CASM_CLS_TSC, .w = {std::uint64_t{1} << 56, 0, 0}}, "tsc.quanta"},
        {{.cls = CASM_CLS_EVTCHN, .aux = 0}, "evtchn.port is 0"},
        {{.cls = CASM_CLS_EVTCHN, .aux = CASM_PORTS_MAX}, "evtchn.port is 4096"},
        {{.cls = CASM_CLS_RING, .kind = 2, .blob = {1}}, "ring.page is 2"},
        {{.cls = CASM_CLS_RING, .aux = 4090, .blob = std::vector<std::uint8_t>(8)}, "ring.offset"},
        {{.cls = CASM_CLS_RING, .blob = std::vector<std::uint8_t>(1025)}, "ring.bytes is 1025"},
        {{.cls = CASM_CLS_DIGEST, .kind = 4}, "digest.when is 4"},
        {{.cls = CASM_CLS_APOINT, .kind = 3, .blob = words({1, 0, 0})}, "apoint.kind is 3"},
        {{.cls = CASM_CLS_APOINT, .kind = 1, .w = {1, 0, 0}, .blob = words({1, 0})},
         "apoint.state has 16 bytes"},
        {{.cls = CASM_CLS_APOINT, .kind = 1, .w = {1, 0, 0}, .blob = in_xen}, "the branch's address"},
        {{.cls = CASM_CLS_APOINT, .kind = 1, .w = {1, 0xffff'8300'0000'1000, 0}, .blob = words({1, 0, 0})},
         "apoint.rip"},
        {{.cls = CASM_CLS_APOINT, .kind = 2, .w = {std::uint64_t{1} << 63, 0, 0}, .blob = words({0, 0, 0})},
         "apoint.branches"},
        {{.cls = CASM_CLS_INIT, .aux = 4000, .blob = std::vector<std::uint8_t>(200)}, "init.offset"},
        {{.cls = CASM_CLS_END, .kind = 1, .blob = std::vector<std::uint8_t>(4096)},
         "end.applied has 4096 bytes"},
        {{.cls = CASM_CLS_END, .kind = 5, .blob = std::vector<std::uint8_t>(128)}, "end.reason is 5"},
    };
    for (const BadRecord& c : cases) {
        std::vector<Record> bad = good;
        const std::size_t at = c.record.cls == CASM_CLS_INIT  ? 0
                               : c.record.cls == CASM_CLS_END ? bad.size() - 1
                                                              : place_of(bad, c.record.cls);
        bad[at] = c.record;
        expect_refused(bad, at, c.what);
    }
}

TEST(RecordCheck, NamesARecordThatBreaksTheFrameOfALog) {
    const std::vector<Record> good = synthetic_log({.seed = 3, .entries = 1000});
    const auto with = [&good](const std::function<void(std::vector<Record>&)>& change) {
        std::vector<Record> out = good;
        change(out);
        return out;
    };
    const std::ptrdiff_t middle = 100;
    expect_refused(with([](auto& r) { r.erase(r.begin()); }), 0, "a log begins with INIT");
    expect_refused(with([](auto& r) { r.erase(r.begin() + 1); }), 1, "the digest of the start must be here");
    expect_refused(with([&](auto& r) { r.insert(r.begin() + middle, r[0]); }), middle,
                   "INIT is not at the beginning");
    expect_refused(with([&](auto& r) { r.insert(r.begin() + 1, r[0]); }), 1, "INIT is not at the beginning");
    expect_refused(with([&](auto& r) { r.insert(r.begin() + middle, r[1]); }), middle,
                   "the digest of the start is not at the beginning");
    expect_refused(with([&](auto& r) { r.insert(r.begin() + middle, r.back()); }), middle,
                   "END, and " + std::to_string(good.size() - middle) + " records follow it");
}

TEST(RecordCheck, BoundsTheEffectsOfOneInjectionPoint) {
    std::vector<Record> records = synthetic_log({.seed = 3, .entries = 1000});
    const std::size_t entry = place_of(records, CASM_CLS_ENTRY);
    const Record ring{.cls = CASM_CLS_RING, .blob = std::vector<std::uint8_t>(1024)};
    const std::size_t fit = CASM_TRIP_BYTES / (8 + 1024);
    // One entry apart they may come again.
    std::vector<Record> many(fit, ring);
    many.push_back({.cls = CASM_CLS_ENTRY, .kind = 1});
    many.insert(many.end(), fit, ring);
    RecordCheck check;
    check.move_to(1000);
    for (const Record& record : many) ASSERT_TRUE(check.next(record).ok());
    EXPECT_EQ(check.next(ring).category(), Category::kLogInvalid);

    while (records[entry + 1].cls == CASM_CLS_EVTCHN || records[entry + 1].cls == CASM_CLS_RING)
        records.erase(records.begin() + static_cast<std::ptrdiff_t>(entry) + 1);
    records.insert(records.begin() + static_cast<std::ptrdiff_t>(entry) + 1, fit + 1, ring);
    expect_refused(records, entry + 1 + fit, "more effects at one injection point");
}

TEST(RecordCheck, AsksForNoRecordOfAClassThatWasNotLogged) {
    const std::vector<Record> records = synthetic_log({.seed = 3, .entries = 10});
    for (const std::uint32_t off :
         {1u << CASM_CLS_INIT, 1u << CASM_CLS_DIGEST, 1u << CASM_CLS_INIT | 1u << CASM_CLS_DIGEST}) {
        RecordCheck check(off);
        for (const Record& record : records) {
            if (off >> record.cls & 1) continue;
            const Status status = check.next(record);
            ASSERT_TRUE(status.ok()) << off << ": " << status.message();
        }
    }
}

// Every class with a blob, every length that the codec lets through: what is given out is of a length that
// whoever takes it has room for.
TEST(RecordCheck, GivesOutNoBlobThatIsTooLong) {
    for (const ClassInfo& info : kClasses) {
        if (!kLayouts[info.id].has_blob) continue;
        std::size_t longest = 0, accepted = 0;
        for (std::size_t bytes = 1; bytes <= CASM_BLOB_MAX_BYTES; ++bytes) {
            Record record{.cls = static_cast<std::uint8_t>(info.id), .kind = 1, .w = {1, 0, 0}};
            if (info.id == CASM_CLS_RESULT || info.id == CASM_CLS_OUTMEM || info.id == CASM_CLS_INIT ||
                info.id == CASM_CLS_CONSOLE)
                record.kind = 0;
            record.blob.assign(bytes, 0);
            record.blob[0] = 1;
            const Status status = check_fields(record);
            if (!status.ok()) continue;
            ++accepted;
            longest = bytes;
        }
        switch (info.id) {
            case CASM_CLS_END:
                EXPECT_EQ(longest, sizeof(std::uint64_t) * CASM_CLASSES_MAX);
                EXPECT_EQ(accepted, 1u);
                break;
            case CASM_CLS_APOINT:
                EXPECT_EQ(longest, 24u);
                EXPECT_EQ(accepted, 1u);
                break;
            case CASM_CLS_RING:
                EXPECT_EQ(longest, CASM_BRIDGE_WRITE_MAX_BYTES);
                break;
            default:
                EXPECT_EQ(longest, CASM_BLOB_MAX_BYTES) << info.name;
        }
    }
}

// One random change of one record: what the reader refuses, 'verify' refuses; what it gives out is in range.
TEST(RecordCheckProperty, RefusesNothingThatVerifyAccepts) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    std::size_t refused = 0;
    for (int round = 0; round < 400; ++round) {
        std::vector<Record> records = synthetic_log({.seed = seed + round % 7, .entries = 200});
        const std::size_t at = uniform(random, 0, records.size() - 1);
        switch (uniform(random, 0, 3)) {
            case 0:
                records[at] = random_record(random, records[at].cls);
                break;
            case 1:
                records.erase(records.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            case 2:
                records.insert(
                    records.begin() + static_cast<std::ptrdiff_t>(uniform(random, 0, records.size() - 1)),
                    records[at]);
                break;
            case 3:
                std::swap(records[at], records[uniform(random, 0, records.size() - 1)]);
                break;
        }
        auto reader = LogReader::open(memory_source(forged(records)));
        ASSERT_TRUE(reader.ok()) << reader.status().message();
        const GivenOut given = one_by_one(**reader);
        ASSERT_TRUE((*reader)->seek({0}).ok());
        const GivenOut fed = as_bytes_to_feed(**reader);
        ASSERT_EQ(given.records, fed.records);
        ASSERT_EQ(given.status.message(), fed.status.message());
        if (given.status.ok()) continue;
        ++refused;
        ASSERT_FALSE(check_log(**reader).verdict().ok()) << given.status.message();
    }
    EXPECT_GT(refused, 20u);
}

}  // namespace
}  // namespace casmotion::test
