// SPDX-License-Identifier: GPL-2.0-or-later
#include "mutate/mutation.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "casmotion/log_reader.h"
#include "casmotion/record_text.h"
#include "casmotion/taxonomy.h"
#include "support/log_files.h"
#include "support/raw_log.h"

namespace casmotion::test {

namespace {

// Flips one bit of one field, both chosen by `seed`.
void change(Record& record, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto below = [&random](std::size_t n) { return static_cast<unsigned>(random() % n); };
    const auto fields = fields_of(record.cls);
    const FieldInfo& field = fields[below(fields.size())];
    switch (field.place) {
        case Place::kKind:
            record.kind = static_cast<std::uint8_t>(record.kind ^ 1u << below(8));
            return;
        case Place::kCheck:
            record.check = static_cast<std::uint16_t>(record.check ^ 1u << below(16));
            return;
        case Place::kAux:
            record.aux ^= 1u << below(32);
            return;
        case Place::kW0:
            record.w[0] ^= std::uint64_t{1} << below(64);
            return;
        case Place::kW1:
            record.w[1] ^= std::uint64_t{1} << below(64);
            return;
        case Place::kW2:
            record.w[2] ^= std::uint64_t{1} << below(64);
            return;
        case Place::kBlob: {
            std::uint8_t& byte = record.blob[below(record.blob.size())];
            byte = static_cast<std::uint8_t>(byte ^ 1u << below(8));
            return;
        }
    }
}

void fix_counts(std::vector<Record>& records) {
    std::array<std::uint64_t, CASM_CLASSES_MAX> counts{};
    for (const Record& record : records) ++counts[record.cls];
    counts[CASM_CLS_END] = 0;  // END does not count itself
    for (Record& record : records)
        if (record.cls == CASM_CLS_END && record.blob.size() == sizeof(counts))
            std::memcpy(record.blob.data(), counts.data(), sizeof(counts));
}

// The record to exchange with records[at].
std::size_t swap_partner(const std::vector<Record>& records, std::size_t at) {
    for (std::size_t i = at + 1; i < records.size(); ++i)
        if (records[i].cls == records[at].cls && records[i] != records[at]) return i;
    return at + 1 < records.size() ? at + 1 : at - 1;
}

}  // namespace

Result<MutationReport> mutate_records(std::vector<Record>& records, const Mutation& mutation) {
    std::size_t at = 0;
    std::uint64_t seen = 0, ordinal = 0;
    for (; at < records.size(); ++at) {
        if (records[at].cls == mutation.cls && seen++ == mutation.nth) break;
        ordinal += records[at].cls == CASM_CLS_ENTRY ? 1 : 0;
    }
    if (at == records.size())
        return Status(Category::kUsage, "the log has " + std::to_string(seen) + " records of class " +
                                            std::string(class_name(mutation.cls)) + ", there is no number " +
                                            std::to_string(mutation.nth));
    MutationReport report;
    report.record = at;
    report.before = to_text(records[at], {at}, {ordinal});
    const auto position = records.begin() + static_cast<std::ptrdiff_t>(at);
    switch (mutation.op) {
        case MutationOp::kChange:
            change(records[at], mutation.seed);
            break;
        case MutationOp::kDrop:
            records.erase(position);
            break;
        case MutationOp::kDuplicate: {
            const Record copy = *position;  // inserting an element of the vector itself would be wrong
            records.insert(position, copy);
            break;
        }
        case MutationOp::kSwap: {
            if (records.size() < 2) return Status(Category::kUsage, "the log has no record to swap with");
            const std::size_t partner = swap_partner(records, at);
            std::swap(records[at], records[partner]);
            report.record = std::min(at, partner);
            break;
        }
    }
    if (mutation.fix_counts) fix_counts(records);
    if (mutation.op != MutationOp::kDrop) report.after = to_text(records[at], {at}, {ordinal});
    return report;
}

Result<MutationReport> mutate_log(const std::string& log, const std::string& out, const Mutation& mutation) {
    std::unique_ptr<LogReader> reader;
    CASM_ASSIGN(reader, LogReader::open(log));
    std::vector<Record> records;
    Record record;
    for (;;) {
        bool more = false;
        CASM_ASSIGN(more, reader->next_unchecked(record));
        if (!more) break;
        records.push_back(record);
    }
    MutationReport report;
    CASM_ASSIGN(report, mutate_records(records, mutation));
    std::error_code error;
    if (!std::filesystem::create_directory(out, error))
        return Status(Category::kUsage,
                      "cannot create folder '" + out + "': " + (error ? error.message() : "it exists"));
    const bool ended =
        std::any_of(records.begin(), records.end(), [](const Record& r) { return r.cls == CASM_CLS_END; });
    const std::string manifest = read_file(reader->name() + "/manifest");
    for (const auto& [name, content] : raw_log(manifest, records, 65536, ended))
        write_file(out + "/" + name, content);
    if (reader->manifest().kernel.embedded) CASM_TRY(reader->extract("kernel", out + "/kernel"));
    if (reader->manifest().ramdisk && reader->manifest().ramdisk->embedded)
        CASM_TRY(reader->extract("ramdisk", out + "/ramdisk"));
    return report;
}

}  // namespace casmotion::test
