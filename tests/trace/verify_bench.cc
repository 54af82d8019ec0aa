// SPDX-License-Identifier: GPL-2.0-or-later
//
// Cost of verify. Judges nothing; prints.
//   verify_bench             cost per record of synthetic logs of 10^4 to 10^7 records, made by the writer
//   verify_bench LOG...      the same for logs, compared with the time of their recording
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "casmotion/trace/trace_check.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void must(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "verify_bench: %s\n", status.message().c_str());
    std::exit(status.exit_code());
}

// A log of about `records` records: one synthetic trip log after the other would not be in order, so the
// trips of one are repeated, with ordinals, TSC and counters carried on.
void write_long_log(const std::string& path, std::uint64_t records) {
    SyntheticOptions options{.entries = 2000, .digest_interval = 0};
    Manifest manifest = synthetic_manifest(options);
    manifest.options.counter = 0;
    std::vector<Record> trips;
    std::uint64_t tsc_first = 0, tsc_last = 0;
    bool between = false;
    for (Record& record : synthetic_log(options)) {
        if (record.cls == CASM_CLS_ENTRY) between = false;
        if (record.cls == CASM_CLS_APOINT) between = true;
        const bool check = record.cls == CASM_CLS_APOINT || record.cls == CASM_CLS_BRANCHES ||
                           record.cls == CASM_CLS_INIT || record.cls == CASM_CLS_DIGEST ||
                           record.cls == CASM_CLS_END;
        if (check || (between && (record.cls == CASM_CLS_EVTCHN || record.cls == CASM_CLS_RING))) continue;
        if (record.cls == CASM_CLS_TSC) {
            if (tsc_first == 0) tsc_first = record.w[0];
            tsc_last = record.w[0];
        }
        trips.push_back(record);
    }
    auto writer = LogWriter::create(path, manifest, {});
    must(writer.status());
    std::array<std::uint64_t, CASM_CLASSES_MAX> applied{};
    std::uint64_t written = 0, ordinal = 0, last_check = 0;
    const auto append = [&](const Record& record) {
        must((*writer)->append(record));
        ++applied[record.cls];
        ++written;
    };
    append({.cls = CASM_CLS_INIT, .check = 4096, .blob = std::vector<std::uint8_t>(4096)});
    append({.cls = CASM_CLS_DIGEST, .kind = CASM_DIGEST_START, .w = {0, 65538, 1}});
    for (std::uint64_t round = 0; written < records; ++round)
        for (Record record : trips) {
            if (record.cls == CASM_CLS_TSC) record.w[0] += round * (tsc_last - tsc_first);
            if (record.cls == CASM_CLS_ENTRY) {
                ++ordinal;
                last_check = record.check;
            }
            append(record);
        }
    append({.cls = CASM_CLS_DIGEST, .kind = CASM_DIGEST_END, .w = {ordinal, 65538, 2}});
    Record end{.cls = CASM_CLS_END,
               .kind = CASM_END_SHUTDOWN,
               .check = sizeof(applied),
               .w = {ordinal, last_check << 48, 0}};
    end.blob.resize(sizeof(applied));
    std::memcpy(end.blob.data(), applied.data(), sizeof(applied));
    must((*writer)->append(end));
    must((*writer)->close({}));
}

void measure(const std::string& path, const std::string& name) {
    auto reader = LogReader::open(path);
    must(reader.status());
    double best[2] = {1e9, 1e9};
    TraceReport report;
    for (const bool queries : {false, true})
        for (int i = 0; i < 3; ++i) {
            const double start = now_s();
            report = check_trace(**reader, {.queries = queries});
            best[queries ? 1 : 0] = std::min(best[queries ? 1 : 0], now_s() - start);
        }
    const auto records = static_cast<double>(report.log.records);
    std::printf(
        "%-28s %10llu records  direct checks %7.1f ns/record %6.1f M/s   with queries %7.1f ns/record %8.3f "
        "s   %llu shapes  %s",
        name.c_str(), static_cast<unsigned long long>(report.log.records), best[0] / records * 1e9,
        records / best[0] / 1e6, best[1] / records * 1e9, best[1],
        static_cast<unsigned long long>(report.queries.shapes),
        report.verdict().ok() ? "verified" : report.verdict().message().c_str());
    const auto& summary = (*reader)->summary();
    if (summary && summary->measurements.contains("duration_ns")) {
        const double recording = static_cast<double>(summary->measurements.at("duration_ns")) / 1e9;
        std::printf("   recorded in %.2f s: %.1f %% of it", recording, best[1] / recording * 100);
    }
    std::printf("\n");
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    using namespace casmotion::test;
    for (int i = 1; i < argc; ++i) measure(argv[i], argv[i]);
    if (argc > 1) return 0;
    const TempFolder folder;
    for (const std::uint64_t records : {10'000u, 100'000u, 1'000'000u, 10'000'000u}) {
        const std::string path = folder / std::to_string(records);
        write_long_log(path, records);
        measure(path, "synthetic, in order");
    }
    return 0;
}
