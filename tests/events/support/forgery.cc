// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/forgery.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"

namespace casmotion::test {

namespace {

Status bad(const std::string& what) {
    return {Category::kUsage, what};
}

// A number as in C, at most `max`.
Result<std::uint64_t> number(const std::string& text, std::uint64_t max) {
    char* end = nullptr;
    errno = 0;
    const std::uint64_t value = std::strtoull(text.c_str(), &end, 0);
    if (text.empty() || *end != '\0' || errno != 0 || value > max)
        return bad("'" + text + "' is no number up to " + std::to_string(max));
    return value;
}

Result<std::uint8_t> class_number(const std::string& text) {
    if (const ClassInfo* info = find_class(std::string_view(text)); info != nullptr)
        return static_cast<std::uint8_t>(info->id);
    CASM_ASSIGN(const std::uint64_t value, number(text, 255));
    return static_cast<std::uint8_t>(value);
}

std::string class_text(std::uint8_t cls) {
    return find_class(cls) != nullptr ? std::string(class_name(cls)) : std::to_string(cls);
}

Status parse_anchor(const std::string& text, Forgery& forgery) {
    const std::size_t colon = text.find(':');
    CASM_ASSIGN(forgery.anchor, class_number(text.substr(0, colon)));
    const std::string nth = colon == std::string::npos ? "first" : text.substr(colon + 1);
    if (nth == "first") {
        forgery.nth = Forgery::Nth::kFirst;
    } else if (nth == "middle") {
        forgery.nth = Forgery::Nth::kMiddle;
    } else if (nth == "last") {
        forgery.nth = Forgery::Nth::kLast;
    } else {
        forgery.nth = Forgery::Nth::kAt;
        CASM_ASSIGN(forgery.at, number(nth, std::numeric_limits<std::uint32_t>::max()));
    }
    return {};
}

Status parse_field(const std::string& name, const std::string& value, Forgery& forgery) {
    if (name == "at") return parse_anchor(value, forgery);
    if (name == "how") {
        if (value != "replace" && value != "insert")
            return bad("how: replace or insert, not '" + value + "'");
        forgery.how = value == "insert" ? Forgery::How::kInsert : Forgery::How::kReplace;
        return {};
    }
    const std::uint64_t max = name == "kind" || name == "fill" ? 0xff
                              : name == "check"                ? 0xffff
                              : name == "aux"                  ? 0xffffffff
                              : name == "bytes"                ? 1u << 20
                                                               : ~std::uint64_t{0};
    CASM_ASSIGN(const std::uint64_t n, number(value, max));
    if (name == "kind") {
        forgery.kind = static_cast<std::uint8_t>(n);
    } else if (name == "check") {
        forgery.check = static_cast<std::uint16_t>(n);
    } else if (name == "aux") {
        forgery.aux = static_cast<std::uint32_t>(n);
    } else if (name == "bytes") {
        forgery.blob_bytes = n;
    } else if (name == "fill") {
        forgery.fill = static_cast<std::uint8_t>(n);
    } else if (name == "w0" || name == "w1" || name == "w2") {
        forgery.w[static_cast<std::size_t>(name[1] - '0')] = n;
    } else {
        return bad("no field '" + name + "' of a forged record");
    }
    return {};
}

// What the forgery comes to at its place.
Record made_of(const Forgery& forgery, const Record& there) {
    Record record;
    if (there.cls == forgery.cls) record = there;
    record.cls = forgery.cls;
    record.kind = forgery.kind.value_or(record.kind);
    record.aux = forgery.aux.value_or(record.aux);
    for (std::size_t i = 0; i < record.w.size(); ++i) record.w[i] = forgery.w[i].value_or(record.w[i]);
    if (forgery.blob_bytes) {
        record.blob.assign(*forgery.blob_bytes, forgery.fill);
        record.check = static_cast<std::uint16_t>(record.blob.size());
    }
    record.check = forgery.check.value_or(record.check);
    return record;
}

}  // namespace

Result<Forgery> parse_forgery(std::string_view text) {
    Forgery forgery;
    bool first = true;
    while (first || !text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string word(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (first) {
            CASM_ASSIGN(forgery.cls, class_number(word));
            if (find_class(forgery.cls) != nullptr) forgery.anchor = forgery.cls;
            first = false;
            continue;
        }
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) return bad("'" + word + "' is not NAME=VALUE");
        CASM_TRY(parse_field(word.substr(0, equals), word.substr(equals + 1), forgery));
    }
    return forgery;
}

std::string to_text(const Forgery& forgery) {
    std::string text = class_text(forgery.cls) + ",at=" + class_text(forgery.anchor) + ":";
    switch (forgery.nth) {
        case Forgery::Nth::kFirst:
            text += "first";
            break;
        case Forgery::Nth::kMiddle:
            text += "middle";
            break;
        case Forgery::Nth::kLast:
            text += "last";
            break;
        case Forgery::Nth::kAt:
            text += std::to_string(forgery.at);
            break;
    }
    text += forgery.how == Forgery::How::kInsert ? ",how=insert" : ",how=replace";
    const auto add = [&text](const char* name, const auto& value) {
        if (value) text += std::string(",") + name + "=" + std::to_string(*value);
    };
    add("kind", forgery.kind);
    add("check", forgery.check);
    add("aux", forgery.aux);
    add("w0", forgery.w[0]);
    add("w1", forgery.w[1]);
    add("w2", forgery.w[2]);
    add("bytes", forgery.blob_bytes);
    if (forgery.fill != Forgery{}.fill) text += ",fill=" + std::to_string(forgery.fill);
    return text;
}

std::optional<std::size_t> place_of(const Forgery& forgery, const std::vector<Record>& records) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < records.size(); ++i)
        if (forgery.anchor == 0 || records[i].cls == forgery.anchor) places.push_back(i);
    if (places.empty()) return {};
    switch (forgery.nth) {
        case Forgery::Nth::kFirst:
            return places.front();
        case Forgery::Nth::kMiddle:
            return places[places.size() / 2];
        case Forgery::Nth::kLast:
            return places.back();
        case Forgery::Nth::kAt:
            break;
    }
    if (forgery.at >= places.size()) return {};
    return places[forgery.at];
}

Result<std::vector<Record>> forged_log(const Forgery& forgery, std::vector<Record> records) {
    const std::optional<std::size_t> place = place_of(forgery, records);
    if (!place) return bad("the log has no such record: " + to_text(forgery));
    Record record = made_of(forgery, records[*place]);
    const RecordLayout& layout = kLayouts[record.cls];
    const bool fits = layout.logged && (layout.has_kind || record.kind == 0) &&
                      (layout.has_aux || record.aux == 0) &&
                      (layout.has_blob ? record.check == record.blob.size() && !record.blob.empty() &&
                                             record.blob.size() <= CASM_BLOB_MAX_BYTES
                                       : record.blob.empty() && (layout.has_check || record.check == 0));
    bool words_fit = true;
    for (std::size_t i = layout.words; i < record.w.size(); ++i) words_fit = words_fit && record.w[i] == 0;
    if (!fits || !words_fit) return bad("the log format cannot hold it: " + to_text(forgery));
    if (forgery.how == Forgery::How::kInsert)
        records.insert(records.begin() + static_cast<std::ptrdiff_t>(*place), std::move(record));
    else
        records[*place] = std::move(record);
    return records;
}

Result<std::vector<std::byte>> forged_feed(const Forgery& forgery, const std::vector<Record>& records,
                                           std::size_t* forged_at) {
    const std::optional<std::size_t> place = place_of(forgery, records);
    if (!place) return bad("the log has no such record: " + to_text(forgery));
    std::vector<std::byte> feed;
    for (std::size_t i = 0; i < *place; ++i) CASM_TRY(encode_ring(records[i], feed));
    if (forged_at != nullptr) *forged_at = feed.size();

    const Record record = made_of(forgery, records[*place]);
    const casm_rec header{.cls = record.cls, .kind = record.kind, .check = record.check, .aux = record.aux};
    std::size_t words = kLayouts[record.cls].words;  // of no class: as many as are set
    for (std::size_t i = 0; i < record.w.size(); ++i)
        if (forgery.w[i]) words = std::max(words, i + 1);
    const auto append = [&feed](const void* data, std::size_t bytes) {
        const auto* from = static_cast<const std::byte*>(data);
        feed.insert(feed.end(), from, from + bytes);
    };
    append(&header, sizeof(header));
    append(record.w.data(), words * sizeof(record.w[0]));
    append(record.blob.data(), record.blob.size());
    feed.resize((feed.size() + 7) & ~std::size_t{7});

    const std::size_t next = *place + (forgery.how == Forgery::How::kInsert ? 0 : 1);
    for (std::size_t i = next; i < records.size(); ++i) CASM_TRY(encode_ring(records[i], feed));
    return feed;
}

std::vector<std::size_t> edge_lengths() {
    return {0,   1,   7,   8,    9,    23,   24,   25,   127,  128,  129,  130,
            255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 65535};
}

namespace {

constexpr std::uint64_t kHostileWords[] = {
    0,
    1,
    ~std::uint64_t{0},
    std::uint64_t{1} << 63,
    0x0000800000000000u,  // not canonical
    0xffff82d040200000u,  // Xen's text
    0xffff830000000000u,  // Xen's map of all memory
    0xffff800000000000u,  // the machine-to-phys table, which every PV guest sees
    0x1000,               // the guest's own
};
constexpr std::uint32_t kHostileAux[] = {0, 1, 4, 1023, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff};

// Where a record of class `cls` is tried.
std::vector<Forgery> places(std::uint8_t cls, const std::vector<Record>& records) {
    std::vector<Forgery> out;
    std::vector<std::size_t> taken;
    const auto add = [&](Forgery::How how, std::uint8_t anchor, Forgery::Nth nth) {
        Forgery forgery;
        forgery.cls = cls;
        forgery.how = how;
        forgery.anchor = anchor;
        forgery.nth = nth;
        const std::optional<std::size_t> place = place_of(forgery, records);
        const std::size_t key = place.value_or(0) * 2 + (how == Forgery::How::kInsert ? 1 : 0);
        if (!place || std::find(taken.begin(), taken.end(), key) != taken.end()) return;
        taken.push_back(key);
        out.push_back(forgery);
    };
    if (cls != 0) {
        add(Forgery::How::kReplace, cls, Forgery::Nth::kFirst);
        add(Forgery::How::kReplace, cls, Forgery::Nth::kMiddle);
        add(Forgery::How::kReplace, cls, Forgery::Nth::kLast);
    }
    add(Forgery::How::kInsert, 0, Forgery::Nth::kFirst);
    add(Forgery::How::kInsert, CASM_CLS_EVTCHN, Forgery::Nth::kFirst);  // an injection point
    add(Forgery::How::kInsert, CASM_CLS_EVTCHN, Forgery::Nth::kLast);
    add(Forgery::How::kInsert, 0, Forgery::Nth::kLast);
    return out;
}

using Random = std::mt19937_64;

// Uniform enough, in first .. last; the same on every machine.
std::uint64_t uniform(Random& random, std::uint64_t first, std::uint64_t last) {
    return first + random() % (last - first + 1);
}

template <typename T, std::size_t N>
T one_of(const T (&values)[N], Random& random) {
    return values[uniform(random, 0, N - 1)];
}

Forgery random_forgery(const std::vector<Record>& records, Random& random) {
    std::vector<Forgery> where;
    while (where.empty()) {
        const auto cls = static_cast<std::uint8_t>(uniform(random, 0, CASM_CLASSES_MAX - 1));
        where = places(cls, records);
    }
    Forgery forgery = where[uniform(random, 0, where.size() - 1)];
    if (uniform(random, 0, 1) == 0) forgery.kind = static_cast<std::uint8_t>(uniform(random, 0, 255));
    if (uniform(random, 0, 1) == 0)
        forgery.aux =
            uniform(random, 0, 1) == 0 ? one_of(kHostileAux, random) : static_cast<std::uint32_t>(random());
    for (auto& word : forgery.w)
        if (uniform(random, 0, 1) == 0)
            word = uniform(random, 0, 1) == 0 ? one_of(kHostileWords, random) : random();
    if (uniform(random, 0, 1) == 0) forgery.blob_bytes = uniform(random, 0, 4200);
    if (uniform(random, 0, 3) == 0) forgery.check = static_cast<std::uint16_t>(random());
    return forgery;
}

}  // namespace

std::vector<Forgery> forgeries(const std::vector<Record>& records, const std::vector<std::size_t>& lengths,
                               std::uint64_t seed, std::size_t random) {
    std::vector<Forgery> out;
    for (unsigned cls = 0; cls <= 255; cls = cls == CASM_CLASSES_MAX - 1 ? 255 : cls + 1) {
        for (const Forgery& place : places(static_cast<std::uint8_t>(cls), records)) {
            for (const std::size_t length : lengths) {
                out.push_back(place);
                out.back().blob_bytes = length;
                if (length > 0xffff) continue;
                out.push_back(place);
                out.back().check = static_cast<std::uint16_t>(length);
            }
            if (place.how == Forgery::How::kInsert) continue;
            for (const unsigned kind : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 127u, 255u}) {
                out.push_back(place);
                out.back().kind = static_cast<std::uint8_t>(kind);
            }
            for (const std::uint32_t aux : kHostileAux) {
                out.push_back(place);
                out.back().aux = aux;
            }
            for (std::size_t word = 0; word < kLayouts[cls].words; ++word) {
                for (const std::uint64_t value : kHostileWords) {
                    out.push_back(place);
                    out.back().w[word] = value;
                }
            }
        }
    }
    Random source(seed);
    for (; random > 0; --random) out.push_back(random_forgery(records, source));
    return out;
}

}  // namespace casmotion::test
