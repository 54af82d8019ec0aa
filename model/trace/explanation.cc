// SPDX-License-Identifier: GPL-2.0-or-later
#include "explanation.h"

#include <algorithm>
#include <optional>

#include "casmotion/order_check.h"
#include "casmotion/record_text.h"

namespace casmotion::trace {

namespace {

constexpr std::size_t kWindowMax = 64;  // records of a trip that are looked at, the last ones

struct Placed {
    Record record;
    std::uint64_t index = 0, ordinal = 0;
};

// Why the rules, in the state `before`, refuse the last of `records`; nothing if they accept it or refuse
// another one.
std::optional<std::string> refusal_of_last(OrderCheck before, const std::vector<const Placed*>& records) {
    for (std::size_t i = 0; i < records.size(); ++i)
        if (const auto bad = before.next(records[i]->record))
            return i + 1 == records.size() ? std::optional(bad->reason) : std::nullopt;
    return std::nullopt;
}

}  // namespace

std::vector<std::string> show_record(LogReader& reader, std::uint64_t index) {
    if (index >= reader.records() || !reader.seek({index}).ok()) return {};
    const SyncOrdinal ordinal = reader.ordinal();
    Record record;
    const auto more = reader.next_unchecked(record);
    if (!more.ok() || !*more) return {};
    return {to_text(record, {index}, ordinal)};
}

std::vector<std::string> explain_order(LogReader& reader, std::uint64_t index) {
    OrderCheck rules(reader.manifest().options);  // in the state before trip.front()
    std::vector<Placed> trip;
    if (!reader.seek({0}).ok()) return {};
    for (std::uint64_t at = 0; at <= index; ++at) {
        Placed placed{.record = {}, .index = at, .ordinal = reader.ordinal().value};
        const auto more = reader.next_unchecked(placed.record);
        if (!more.ok() || !*more) return {};
        const bool trip_ends = !trip.empty() && trip.back().record.cls == CASM_CLS_ENTRY;
        if (trip_ends || trip.size() == kWindowMax) {
            // What was accepted once is accepted again: only the record at `index` is refused.
            const std::size_t done = trip_ends ? trip.size() : 1;
            for (std::size_t i = 0; i < done; ++i)
                if (rules.next(trip[i].record)) return show_record(reader, index);
            trip.erase(trip.begin(), trip.begin() + static_cast<std::ptrdiff_t>(done));
        }
        trip.push_back(std::move(placed));
    }
    std::vector<const Placed*> needed;
    for (const Placed& placed : trip) needed.push_back(&placed);
    const auto reason = refusal_of_last(rules, needed);
    if (!reason) return show_record(reader, index);
    for (std::size_t i = 0; i + 1 < needed.size();) {
        std::vector<const Placed*> fewer = needed;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
        if (refusal_of_last(rules, fewer) == reason) {
            needed = std::move(fewer);
        } else {
            ++i;
        }
    }
    std::vector<std::string> lines;
    for (const Placed* placed : needed)
        lines.push_back(to_text(placed->record, {placed->index}, {placed->ordinal}));
    return lines;
}

}  // namespace casmotion::trace
