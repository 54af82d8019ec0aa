// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline.h"

#include <algorithm>

#include "casmotion/ring_codec.h"

namespace casmotion::trace {

namespace {
constexpr std::uint64_t kBucketsMax = 240;
}

TimelineBuilder::TimelineBuilder(std::uint64_t entries) {
    timeline_.entries_per_bucket = std::max<std::uint64_t>(1, (entries + kBucketsMax) / kBucketsMax);
    timeline_.buckets.resize(entries / timeline_.entries_per_bucket + 1);
}

void TimelineBuilder::add(const Record& record, std::uint64_t ordinal) {
    if (bucket_ == nullptr || ordinal >= next_bucket_at_) {
        const std::size_t at =
            std::min<std::size_t>(ordinal / timeline_.entries_per_bucket, timeline_.buckets.size() - 1);
        bucket_ = &timeline_.buckets[at];
        next_bucket_at_ = (at + 1) * timeline_.entries_per_bucket;
    }
    ++bucket_->records[record.cls];
    timeline_.ring_bytes[record.cls] += ring_size_bytes(record);
    if (record.cls == CASM_CLS_TSC && !bucket_->first_tsc) bucket_->first_tsc = record.w[0];
}

}  // namespace casmotion::trace
