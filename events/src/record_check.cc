// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/record_check.h"

#include <cstring>
#include <string>

#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"

namespace casmotion {

namespace {

std::string place_of(std::uint64_t index, std::uint8_t cls) {
    return "record " + std::to_string(index) + " (" + std::string(class_name(cls)) + ")";
}

bool is_effect(std::uint8_t cls) {
    return cls == CASM_CLS_EVTCHN || cls == CASM_CLS_RING;
}

bool is_start_digest(const RecordView& record) {
    return record.cls == CASM_CLS_DIGEST && record.kind == CASM_DIGEST_START;
}

}  // namespace

RecordCheck::RecordCheck(std::uint32_t disabled_classes, std::optional<std::uint64_t> records)
    : records_(records) {
    const auto logged = [disabled_classes](casm_class cls) -> std::uint64_t {
        return (disabled_classes >> cls & 1) == 0 ? 1 : 0;
    };
    init_records_ = logged(CASM_CLS_INIT);
    start_records_ = init_records_ + logged(CASM_CLS_DIGEST);
}

void RecordCheck::move_to(std::uint64_t index) {
    index_ = index;
    effect_bytes_ = 0;
    ended_ = false;
}

Status RecordCheck::frame(const RecordView& record) const {
    if (ended_) return log_invalid("it follows END");
    if (!kLayouts[record.cls].logged) return log_invalid("its class is never stored in a log");
    const bool init_place = index_ < init_records_, digest_place = !init_place && index_ < start_records_;
    if (init_place != (record.cls == CASM_CLS_INIT))
        return log_invalid(init_place ? "a log begins with INIT" : "INIT is not at the beginning");
    if (digest_place != is_start_digest(record))
        return log_invalid(digest_place ? "the digest of the start must be here"
                                        : "the digest of the start is not at the beginning");
    if (record.cls == CASM_CLS_END && records_ && index_ + 1 < *records_)
        return log_invalid("END, and " + std::to_string(*records_ - index_ - 1) + " records follow it");
    return {};
}

Status RecordCheck::effects(const RecordView& record) {
    if (!is_effect(record.cls)) {
        effect_bytes_ = 0;
        return {};
    }
    // A header, and the blob with its padding.
    effect_bytes_ += sizeof(casm_rec) + (record.blob.size() + 7) / 8 * 8;
    if (effect_bytes_ <= CASM_TRIP_BYTES) return {};
    return log_invalid("more effects at one injection point than a recording can have (" +
                       std::to_string(CASM_TRIP_BYTES) + " bytes)");
}

Status RecordCheck::next(const RecordView& record) {
    Status status = check_fields(record);
    if (!status.ok()) status = log_invalid(status.message());
    if (status.ok()) status = frame(record);
    if (status.ok()) status = effects(record);
    if (!status.ok()) return status.at(place_of(index_, record.cls));
    ended_ = record.cls == CASM_CLS_END;
    ++index_;
    return {};
}

// The records at the start of `bytes` that are plain and good; what it says nothing of, next() judges. More
// than nine of ten records are of these classes. With a RecordView and a Status for each, the check cost the
// recorder 420 instructions a record, five times as much as all else that it did with them.
std::size_t RecordCheck::plain_ring(std::span<const std::byte> bytes) {
    if (ended_ || index_ < start_records_) return 0;
    std::size_t good = 0;
    for (;;) {
        casm_rec header;
        if (bytes.size() - good < sizeof(header)) break;
        std::memcpy(&header, bytes.data() + good, sizeof(header));
        const RecordLayout& layout = kLayouts[header.cls];
        const std::size_t size = sizeof(header) + layout.words * std::size_t{8};
        if (bytes.size() - good < size) break;
        if ((header.kind != 0 && !layout.has_kind) || (header.check != 0 && !layout.has_check) ||
            (header.aux != 0 && !layout.has_aux))
            break;
        if (header.cls == CASM_CLS_ENTRY) {
            if (!is_entry_kind(header.kind)) break;
        } else if (header.cls == CASM_CLS_TSC) {
            std::uint64_t quanta;
            std::memcpy(&quanta, bytes.data() + good + sizeof(header), sizeof(quanta));
            if (!is_tsc_quanta(quanta)) break;
        } else if (header.cls != CASM_CLS_RESULT) {
            break;
        }
        good += size;
        ++index_;
    }
    if (good != 0) effect_bytes_ = 0;
    return good;
}

std::size_t RecordCheck::all_ring(std::span<const std::byte> bytes, Status& status) {
    std::size_t good = 0;
    while (good < bytes.size()) {
        good += plain_ring(bytes.subspan(good));
        RecordView record;
        const Result<std::size_t> size = view_ring(bytes.subspan(good), record);
        if (!size.ok()) {
            status = size.status().at("record " + std::to_string(index_));
            break;
        }
        if (*size == 0) break;
        status = next(record);
        if (!status.ok()) break;
        good += *size;
    }
    return good;
}

}  // namespace casmotion
