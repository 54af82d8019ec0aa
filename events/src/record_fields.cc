// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/record_fields.h"

#include <cstring>

namespace casmotion {

std::optional<std::uint64_t> value_at(const Record& record, Place place) {
    switch (place) {
        case Place::kKind:
            return record.kind;
        case Place::kCheck:
            return record.check;
        case Place::kAux:
            return record.aux;
        case Place::kW0:
            return record.w[0];
        case Place::kW1:
            return record.w[1];
        case Place::kW2:
            return record.w[2];
        case Place::kBlob:
            return std::nullopt;
    }
    return std::nullopt;
}

std::optional<ApointState> apoint_state(const Record& record) {
    std::uint64_t words[3];
    if (record.cls != CASM_CLS_APOINT || record.blob.size() != sizeof(words)) return std::nullopt;
    std::memcpy(words, record.blob.data(), sizeof(words));
    return ApointState{words[0], words[1], words[2]};
}

}  // namespace casmotion
