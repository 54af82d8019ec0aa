// SPDX-License-Identifier: GPL-2.0-or-later
//
// Taxonomy, ring codec, printing.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "casmotion/record_text.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "support/log_files.h"
#include "support/seed.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

constexpr std::uint64_t kMax = ~std::uint64_t{0};

// A record of class `cls` with every field at its minimum or maximum.
Record extreme(std::uint8_t cls, bool max) {
    const RecordLayout& layout = kLayouts[cls];
    Record record;
    record.cls = cls;
    if (max && layout.has_kind) record.kind = 0xff;
    if (max && layout.has_check) record.check = 0xffff;
    if (max && layout.has_aux) record.aux = 0xffffffff;
    for (std::size_t i = 0; i < layout.words; ++i) record.w[i] = max ? kMax : 0;
    if (layout.has_blob) record.blob.assign(max ? CASM_BLOB_MAX_BYTES : 1, max ? 0xff : 0);
    record.check = layout.has_blob ? static_cast<std::uint16_t>(record.blob.size()) : record.check;
    return record;
}

TEST(Taxonomy, FindsClassesByNumberAndName) {
    EXPECT_EQ(find_class(std::uint8_t{CASM_CLS_TSC})->name, "tsc");
    EXPECT_EQ(find_class("outmem")->id, CASM_CLS_OUTMEM);
    EXPECT_EQ(find_class(std::uint8_t{0}), nullptr);
    EXPECT_EQ(find_class(std::uint8_t{200}), nullptr);
    EXPECT_EQ(find_class("TSC"), nullptr);
    EXPECT_EQ(class_name(200), "unknown");
}

TEST(Taxonomy, LayoutsFollowFromFields) {
    EXPECT_EQ(kLayouts[CASM_CLS_ENTRY].words, 0);
    EXPECT_TRUE(kLayouts[CASM_CLS_ENTRY].has_check);
    EXPECT_EQ(kLayouts[CASM_CLS_DIGEST].words, 3);
    EXPECT_TRUE(kLayouts[CASM_CLS_OUTMEM].has_blob);
    EXPECT_EQ(kLayouts[CASM_CLS_OUTMEM].words, 1);
    EXPECT_FALSE(kLayouts[CASM_CLS_CONSOLE].logged);
    EXPECT_TRUE(kLayouts[CASM_CLS_CONSOLE].known);
    EXPECT_FALSE(kLayouts[0].known);
    EXPECT_FALSE(kLayouts[255].known);
}

TEST(Taxonomy, PlacesAreAsWideAsTheRingRecordHasThem) {
    constexpr unsigned kBitsPerByte = 8;
    EXPECT_EQ(place_bits(Place::kKind), sizeof(casm_rec::kind) * kBitsPerByte);
    EXPECT_EQ(place_bits(Place::kCheck), sizeof(casm_rec::check) * kBitsPerByte);
    EXPECT_EQ(place_bits(Place::kAux), sizeof(casm_rec::aux) * kBitsPerByte);
    for (const Place word : {Place::kW0, Place::kW1, Place::kW2})
        EXPECT_EQ(place_bits(word), sizeof(Record{}.w[0]) * kBitsPerByte);
    EXPECT_EQ(place_bits(Place::kBlob), 0u);
}

TEST(Taxonomy, EveryEnumerationValueHasAName) {
    for (std::uint32_t kind = 1; kind <= CASM_ENTRY_TOGGLE; ++kind)
        EXPECT_FALSE(entry_kind_name(kind).empty()) << kind;
    EXPECT_TRUE(entry_kind_name(0).empty());
    EXPECT_TRUE(entry_kind_name(CASM_ENTRY_TOGGLE + 1).empty());
    EXPECT_EQ(hypercall_name(29), "sched_op");
    EXPECT_EQ(hypercall_name(32), "event_channel_op");
    EXPECT_EQ(hypercall_name(13), "multicall");
    EXPECT_TRUE(hypercall_name(1000).empty());
    EXPECT_EQ(exception_name(14), "#PF");
    EXPECT_EQ(exception_name(13), "#GP");
    EXPECT_EQ(end_reason_name(CASM_END_CRASHED), "crashed");
    EXPECT_EQ(shutdown_code_name(0), "poweroff");
}

TEST(RingCodec, RoundTripsEveryClassAtTheEdges) {
    for (const ClassInfo& info : kClasses) {
        for (const bool max : {false, true}) {
            SCOPED_TRACE(std::string(info.name) + (max ? " max" : " min"));
            const Record record = extreme(info.id, max);
            std::vector<std::byte> bytes;
            ASSERT_TRUE(encode_ring(record, bytes).ok());
            EXPECT_EQ(bytes.size(), ring_size_bytes(record));
            EXPECT_LE(bytes.size(), CASM_REC_MAX_BYTES);
            EXPECT_EQ(bytes.size() % 8, 0u);
            EXPECT_EQ(peek_ring_size(bytes).value(), bytes.size());
            Record back;
            EXPECT_EQ(decode_ring(bytes, back).value(), bytes.size());
            EXPECT_EQ(back, record);
        }
    }
}

TEST(RingCodec, LaysOutAsTheAbiSays) {
    const Record record{.cls = CASM_CLS_OUTMEM, .w = {0x1122334455667788u, 0, 0}, .blob = {0xaa, 0xbb, 0xcc}};
    std::vector<std::byte> bytes;
    ASSERT_TRUE(encode_ring(record, bytes).ok());
    const std::uint8_t expected[] = {6,    0,    3,    0,    0,    0,    0,    0,  // casm_rec, check = length
                                     0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,  // w0
                                     0xaa, 0xbb, 0xcc, 0,    0,    0,    0,    0};    // blob, padding
    ASSERT_EQ(bytes.size(), sizeof(expected));
    EXPECT_EQ(std::memcmp(bytes.data(), expected, sizeof(expected)), 0);
}

TEST(RingCodec, WaitsForARecordThatIsNotAllThere) {
    for (const ClassInfo& info : kClasses) {
        const std::vector<std::byte> bytes = ring_of({extreme(info.id, true)});
        Record record;
        for (std::size_t size = 0; size < bytes.size(); ++size)
            ASSERT_EQ(decode_ring(std::span(bytes).first(size), record).value(), 0u)
                << info.name << " " << size;
    }
}

// A header of class `cls` as 8 bytes.
std::vector<std::byte> header(std::uint8_t cls, std::uint8_t kind, std::uint16_t check, std::uint32_t aux) {
    const casm_rec rec{.cls = cls, .kind = kind, .check = check, .aux = aux};
    std::vector<std::byte> bytes(8);
    std::memcpy(bytes.data(), &rec, 8);
    bytes.resize(CASM_REC_MAX_BYTES);
    return bytes;
}

TEST(RingCodec, RefusesWhatNoRecordCanBe) {
    Record record;
    const auto refused = [&](const std::vector<std::byte>& bytes) {
        const auto result = decode_ring(bytes, record);
        return !result.ok() && result.status().category() == Category::kLogInvalid;
    };
    EXPECT_TRUE(refused(header(0, 0, 0, 0)));
    EXPECT_TRUE(refused(header(13, 0, 0, 0)));
    EXPECT_TRUE(refused(header(255, 0, 0, 0)));
    EXPECT_TRUE(refused(header(CASM_CLS_TSC, 1, 0, 0))) << "no field in kind";
    EXPECT_TRUE(refused(header(CASM_CLS_TSC, 0, 1, 0))) << "no field in check";
    EXPECT_TRUE(refused(header(CASM_CLS_TSC, 0, 0, 1))) << "no field in aux";
    EXPECT_FALSE(refused(header(CASM_CLS_TSC, 0, 0, 0)));
    EXPECT_TRUE(refused(header(CASM_CLS_OUTMEM, 0, 0, 0))) << "empty blob";
    EXPECT_TRUE(refused(header(CASM_CLS_OUTMEM, 0, CASM_BLOB_MAX_BYTES + 1, 0))) << "blob too long";
    std::vector<std::byte> padded = header(CASM_CLS_OUTMEM, 0, 3, 0);
    EXPECT_FALSE(refused(padded));
    padded[8 + 8 + 3] = std::byte{1};
    EXPECT_TRUE(refused(padded)) << "padding not zero";
}

TEST(RingCodec, EncodesOnlyWhatItCanDecode) {
    std::vector<std::byte> bytes;
    EXPECT_EQ(encode_ring({.cls = 200}, bytes).category(), Category::kInternal);
    EXPECT_FALSE(encode_ring({.cls = CASM_CLS_TSC, .w = {1, 2, 0}}, bytes).ok()) << "a word too many";
    EXPECT_FALSE(encode_ring({.cls = CASM_CLS_TSC, .blob = {1}}, bytes).ok()) << "no blob in this class";
    EXPECT_FALSE(encode_ring({.cls = CASM_CLS_OUTMEM}, bytes).ok()) << "empty blob";
    EXPECT_FALSE(encode_ring({.cls = CASM_CLS_OUTMEM, .blob = std::vector<std::uint8_t>(70000)}, bytes).ok());
    EXPECT_TRUE(bytes.empty()) << "a failure leaves nothing behind";
}

TEST(RingCodec, DecodesRandomBytesOrSaysNo) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    std::size_t decoded = 0;
    for (int i = 0; i < 20000; ++i) {
        std::vector<std::byte> bytes(uniform(random, 0, 64));
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
        if (!bytes.empty()) bytes[0] = static_cast<std::byte>(uniform(random, 0, 14));
        Record record;
        const auto size = decode_ring(bytes, record);
        if (!size.ok() || *size == 0) continue;
        ++decoded;
        const std::vector<std::byte> again = ring_of({record});
        ASSERT_EQ(again.size(), *size);
        ASSERT_EQ(std::memcmp(again.data(), bytes.data(), *size), 0) << "decoding loses nothing";
    }
    EXPECT_GT(decoded, 100u);
}

struct RangeCase {
    const char* what;
    Record record;
    bool good;
};

TEST(RingCodec, ChecksRangesOfFields) {
    const std::vector<std::uint8_t> page(4096), applied(CASM_CLASSES_MAX * 8);
    std::vector<std::uint8_t> state(24, 0xff), beyond(24, 0);
    state[7] = 0x7f;
    beyond[7] = 0x3f;
    const RangeCase cases[] = {
        {"entry kind 0", {.cls = CASM_CLS_ENTRY, .kind = 0}, false},
        {"entry kind 6", {.cls = CASM_CLS_ENTRY, .kind = 6}, true},
        {"entry kind 7", {.cls = CASM_CLS_ENTRY, .kind = 7}, false},
        {"port 0", {.cls = CASM_CLS_EVTCHN, .aux = 0}, false},
        {"port 4095", {.cls = CASM_CLS_EVTCHN, .aux = 4095}, true},
        {"port 4096", {.cls = CASM_CLS_EVTCHN, .aux = 4096}, false},
        {"page 2", {.cls = CASM_CLS_RING, .kind = 2, .blob = {1}}, false},
        {"ring to the end", {.cls = CASM_CLS_RING, .kind = 1, .aux = 4095, .blob = {1}}, true},
        {"ring over the end", {.cls = CASM_CLS_RING, .kind = 1, .aux = 4095, .blob = {1, 2}}, false},
        {"ring wrapping", {.cls = CASM_CLS_RING, .kind = 1, .aux = 0xffffffff, .blob = {1, 2}}, false},
        {"init page", {.cls = CASM_CLS_INIT, .blob = page}, true},
        {"init over the end", {.cls = CASM_CLS_INIT, .aux = 1, .blob = page}, false},
        {"digest 3", {.cls = CASM_CLS_DIGEST, .kind = 3}, true},
        {"digest 4", {.cls = CASM_CLS_DIGEST, .kind = 4}, false},
        {"apoint by state, far", {.cls = CASM_CLS_APOINT, .kind = CASM_APOINT_BY_STATE, .blob = state}, true},
        {"canonical apoint that says where to look",
         {.cls = CASM_CLS_APOINT, .kind = CASM_APOINT_CANONICAL, .w = {1, 2, 3}, .blob = state},
         false},
        {"apoint by state with an address",
         {.cls = CASM_CLS_APOINT, .kind = CASM_APOINT_BY_STATE, .blob = beyond},
         false},
        {"end none", {.cls = CASM_CLS_END, .kind = CASM_END_NONE, .blob = applied}, false},
        {"end diverged", {.cls = CASM_CLS_END, .kind = CASM_END_DIVERGED, .blob = applied}, false},
        {"end crashed", {.cls = CASM_CLS_END, .kind = CASM_END_CRASHED, .aux = 3, .blob = applied}, true},
        {"end stopped with code",
         {.cls = CASM_CLS_END, .kind = CASM_END_STOPPED, .aux = 3, .blob = applied},
         false},
        {"end with half of its counters", {.cls = CASM_CLS_END, .kind = 1, .blob = {1, 2, 3}}, false},
    };
    for (const RangeCase& c : cases) {
        const Status status = check_fields(c.record);
        EXPECT_EQ(status.ok(), c.good) << c.what << ": " << status.message();
        if (!c.good) {
            EXPECT_EQ(status.category(), Category::kRefuted) << c.what;
        }
    }
}

TEST(RecordText, PrintsOneLine) {
    EXPECT_EQ(
        to_text({.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_HYPERCALL, .check = 0x1a2b, .aux = 29}, {12}, {7}),
        "      12 @7        entry   kind=hypercall check=0x1a2b detail=29(sched_op)");
    EXPECT_EQ(to_text({.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_EXCEPTION, .check = 1, .aux = 14 | 6 << 8},
                      {0}, {0}),
              "       0 @0        entry   kind=exception check=0x1 detail=14(#PF) error_code=0x6");
    EXPECT_EQ(to_text({.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_PRIVOP, .aux = 0x0f31}, {0}, {0}),
              "       0 @0        entry   kind=privop check=0x0 detail=0xf31");
    EXPECT_EQ(to_text({.cls = CASM_CLS_TSC, .w = {123456, 0, 0}}, {1}, {2}),
              "       1 @2        tsc     quanta=123456");
    EXPECT_EQ(
        to_text({.cls = CASM_CLS_RING, .kind = 0, .aux = 1024, .blob = {'h', 'i', '\n', 0x1b}}, {1}, {2}),
        "       1 @2        ring    page=console offset=1024 bytes=4:68690a1b \"hi\\n\\x1b\"");
    Record apoint{.cls = CASM_CLS_APOINT,
                  .kind = CASM_APOINT_CANONICAL,
                  .w = {1200, 0xffffffff81000010, 0xabc},
                  .blob = std::vector<std::uint8_t>(24)};
    apoint.blob[0] = 0x0e;
    apoint.blob[8] = 7;
    apoint.blob[17] = 0x10;
    EXPECT_EQ(
        to_text(apoint, {5}, {9}),
        "       5 @9        apoint  kind=canonical branches=1200 rip=0xffffffff81000010 hash=0xabc from=0xe "
        "rcx=0x7 rsp=0x1000");
    Record end{.cls = CASM_CLS_END,
               .kind = CASM_END_SHUTDOWN,
               .w = {9, 0xff, 0},
               .blob = std::vector<std::uint8_t>(128)};
    end.blob[8 * CASM_CLS_TSC] = 5;
    EXPECT_EQ(to_text(end, {1}, {9}),
              "       1 @9        end     reason=shutdown code=0(poweroff) ordinal=9 hash=0xff "
              "applied={\"tsc\":5}");
}

TEST(RecordText, PrintsAJsonObjectForEveryClass) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    for (const ClassInfo& info : kClasses) {
        for (int i = 0; i < 50; ++i) {
            const Record record = random_record(random, info.id);
            const auto json = nlohmann::json::parse(to_json(record, {3}, {4}));
            EXPECT_EQ(json["record"], 3);
            EXPECT_EQ(json["at"], 4);
            EXPECT_EQ(json["class"], info.name);
            for (const FieldInfo& field : fields_of(info.id))
                EXPECT_TRUE(json.contains(field.name)) << info.name << "." << field.name;
            const std::string text = to_text(record, {3}, {4});
            for (const char c : text)
                ASSERT_TRUE(c >= 0x20 && c < 0x7f) << "only printable characters: " << text;
        }
    }
}

TEST(RecordText, JsonKeepsValuesExactly) {
    const auto tsc = nlohmann::json::parse(to_json({.cls = CASM_CLS_TSC, .w = {kMax, 0, 0}}, {0}, {0}));
    EXPECT_EQ(tsc["quanta"].get<std::uint64_t>(), kMax);
    const auto entry = nlohmann::json::parse(
        to_json({.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_HYPERCALL, .check = 0x1a2b, .aux = 29}, {0}, {0}));
    EXPECT_EQ(entry["kind"], "hypercall");
    EXPECT_EQ(entry["check"], "0x1a2b");
    EXPECT_EQ(entry["detail"], 29);
    EXPECT_EQ(entry["detail_name"], "sched_op");
    const auto outmem = nlohmann::json::parse(
        to_json({.cls = CASM_CLS_OUTMEM, .w = {0xffff, 0, 0}, .blob = {1, 0xfe}}, {0}, {0}));
    EXPECT_EQ(outmem["va"], "0xffff");
    EXPECT_EQ(outmem["bytes"], "01fe");
}

TEST(Status, CarriesCategoryAndOneLine) {
    const Status status(Category::kHostLacks, "two\nlines");
    EXPECT_EQ(status.exit_code(), 69);
    EXPECT_EQ(status.message(), "two lines");
    EXPECT_EQ(status.at("here").message(), "here: two lines");
    EXPECT_TRUE(Status().at("here").ok());
    EXPECT_EQ(Status().exit_code(), 0);
}

}  // namespace
}  // namespace casmotion::test
