// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/record_check.h"

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

Result<std::size_t> RecordCheck::next_ring(std::span<const std::byte> bytes) {
    RecordView record;
    const Result<std::size_t> size = view_ring(bytes, record);
    if (!size.ok()) return size.status().at("record " + std::to_string(index_));
    if (*size == 0) return std::size_t{0};
    CASM_TRY(next(record));
    return *size;
}

}  // namespace casmotion
