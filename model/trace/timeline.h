// SPDX-License-Identifier: GPL-2.0-or-later
//
// Collects the event mix over the log's length.
#pragma once

#include "casmotion/record.h"
#include "casmotion/trace/trace_report.h"

namespace casmotion::trace {

class TimelineBuilder {
  public:
    // `entries`: ENTRY records of the whole log, as its chunks say.
    explicit TimelineBuilder(std::uint64_t entries);

    void add(const Record& record, std::uint64_t ordinal);

    [[nodiscard]] Timeline take() { return std::move(timeline_); }

  private:
    Timeline timeline_;
    std::uint64_t next_bucket_at_ = 0;
    Timeline::Bucket* bucket_ = nullptr;  // that of the ordinal before next_bucket_at_
};

}  // namespace casmotion::trace
