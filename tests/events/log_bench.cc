// SPDX-License-Identifier: GPL-2.0-or-later
//
// Size and cost of a log that looks like the boot of a Debian guest (support/synthetic_log.h). Judges
// nothing.
//
//   log_bench             table of sizes and rates
//   log_bench --ring FILE the same table of sizes for recorded ring records, and what the checks say of them
//   log_bench --append N  only appends N entry-only chunks of 65,536 records, for counting instructions by a
//   profiler
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "casmotion/log_check.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

void must(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "log_bench: %s\n", status.message().c_str());
    std::abort();
}

// Counts instructions of this thread in user space, where the host allows it.
class InstructionCounter {
  public:
    InstructionCounter() {
        perf_event_attr attr{};
        attr.type = PERF_TYPE_HARDWARE;
        attr.size = sizeof(attr);
        attr.config = PERF_COUNT_HW_INSTRUCTIONS;
        attr.exclude_kernel = 1;
        attr.exclude_hv = 1;
        fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
    }
    ~InstructionCounter() {
        if (fd_ >= 0) ::close(fd_);
    }
    InstructionCounter(const InstructionCounter&) = delete;
    InstructionCounter& operator=(const InstructionCounter&) = delete;

    [[nodiscard]] bool works() const { return fd_ >= 0; }
    [[nodiscard]] std::uint64_t read() const {
        std::uint64_t count = 0;
        if (fd_ < 0 || ::read(fd_, &count, sizeof(count)) != sizeof(count)) return 0;
        return count;
    }

  private:
    int fd_ = -1;
};

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::uint64_t log_bytes(const std::vector<Record>& records, int level) {
    const TempFolder folder;
    auto writer = LogWriter::create(folder / "log", {}, {.zstd_level = level});
    must(writer.status());
    must((*writer)->append_ring(ring_of(records)).status());
    must((*writer)->flush());
    return (*writer)->progress().events_bytes;
}

// Appends `ring` in pieces as a recorder would drain them; returns seconds.
double append_seconds(std::span<const std::byte> ring, int level, const std::string& path) {
    auto writer = LogWriter::create(path, {}, {.zstd_level = level});
    must(writer.status());
    const double start = seconds();
    while (!ring.empty()) {
        const auto piece = ring.first(std::min<std::size_t>(ring.size(), 256u << 10));
        auto taken = (*writer)->append_ring(piece);
        must(taken.status());
        ring = ring.subspan(*taken);
    }
    must((*writer)->flush());
    const double end = seconds();
    return end - start;
}

void sizes(const std::vector<Record>& log) {
    std::printf("%zu records, %zu bytes as ring records\n", log.size(), ring_of(log).size());
    std::printf("%-24s %10s %8s %8s %8s\n", "", "records", "level 1", "level 2", "level 3");
    const auto line = [](const char* name, const std::vector<Record>& records) {
        if (records.empty()) return;
        std::printf("%-24s %10zu", name, records.size());
        for (const int level : {1, 2, 3})
            std::printf(" %8.3f",
                        static_cast<double>(log_bytes(records, level)) / static_cast<double>(records.size()));
        std::printf("  bytes per record\n");
    };
    line("all", log);
    for (const ClassInfo& info : kClasses) {
        std::vector<Record> only;
        for (const Record& record : log)
            if (record.cls == info.id && record.cls != CASM_CLS_END) only.push_back(record);
        line(std::string(info.name).c_str(), only);
    }
    unsigned width = 16;  // bits that the checks of this log have
    std::uint16_t used = 0;
    for (const Record& record : log)
        if (record.cls == CASM_CLS_ENTRY) used |= record.check;
    while (width > 0 && used >> (width - 1) == 0) --width;
    for (const unsigned bits : {16u, 8u, 4u, 2u}) {
        if (bits > width) continue;
        std::vector<Record> fewer = log;
        for (Record& record : fewer)
            if (record.cls == CASM_CLS_ENTRY)
                record.check = static_cast<std::uint16_t>(record.check >> (width - bits));
        std::printf("whole log with %2u check bits, level 1: %llu bytes\n", bits,
                    static_cast<unsigned long long>(log_bytes(fewer, 1)));
    }
}

void rates() {
    std::vector<Record> log = boot_like_log(1, 16);
    // Without INIT and the digest of the start no reader takes a log.
    const std::vector<Record> start = synthetic_log({.entries = 1});
    log.insert(log.begin(), start.begin(), start.begin() + 2);
    const std::vector<std::byte> ring = ring_of(log);
    const auto mib = [&](double s) { return static_cast<double>(ring.size()) / s / (1 << 20); };
    std::vector<std::byte> copy(ring.size());
    double best = 1e9;
    for (int i = 0; i < 5; ++i) {
        const double start = seconds();
        std::memcpy(copy.data(), ring.data(), ring.size());
        asm volatile("" : : "r"(copy.data()) : "memory");  // the copy is used
        best = std::min(best, seconds() - start);
    }
    std::printf("\nrates of a log of %zu records, best of 5, in MiB of ring records per second\n",
                log.size());
    std::printf("memcpy %32.0f\n", mib(best));
    const TempFolder folder;
    for (const int level : {1, 2, 3}) {
        best = 1e9;
        for (int i = 0; i < 5; ++i)
            best =
                std::min(best, append_seconds(ring, level, folder / ("a" + std::to_string(10 * level + i))));
        std::printf("append_ring, zstd level %d %14.0f  %6.1f M records/s\n", level, mib(best),
                    static_cast<double>(log.size()) / best / 1e6);
    }
    for (const bool as_records : {false, true}) {
        best = 1e9;
        for (int i = 0; i < 5; ++i) {
            auto reader = LogReader::open(folder / "a10");
            must(reader.status());
            Record record;
            const double start = seconds();
            for (;;) {
                if (as_records) {
                    auto more = (*reader)->next(record);
                    must(more.status());
                    if (!*more) break;
                } else {
                    auto part = (*reader)->next_ring();
                    must(part.status());
                    if (part->empty()) break;
                }
            }
            best = std::min(best, seconds() - start);
        }
        std::printf("%-24s %14.0f  %6.1f M records/s\n", as_records ? "next" : "next_ring", mib(best),
                    static_cast<double>(log.size()) / best / 1e6);
    }
    const InstructionCounter counter;
    if (!counter.works()) {
        std::printf("instructions per record: skipped: this host gives no instruction counter\n");
        return;
    }
    for (const int level : {1, 2, 3}) {
        const std::uint64_t before = counter.read();
        append_seconds(ring, level, folder / ("i" + std::to_string(level)));
        std::printf("append_ring, zstd level %d %14.1f  instructions per record\n", level,
                    static_cast<double>(counter.read() - before) / static_cast<double>(log.size()));
    }
}

// The records of a log, or of a file of ring records, in ring form.
std::vector<std::byte> load_ring(const std::string& path) {
    std::vector<std::byte> ring;
    if (!std::filesystem::is_directory(path)) {
        const std::string file = read_file(path);
        const auto bytes = std::as_bytes(std::span(file));
        ring.assign(bytes.begin(), bytes.end());
        return ring;
    }
    auto reader = LogReader::open(path);
    must(reader.status());
    for (;;) {
        const auto part = (*reader)->next_ring();
        must(part.status());
        if (part->empty()) return ring;
        ring.insert(ring.end(), part->begin(), part->end());
    }
}

int measure_file(const std::string& path) {
    const std::vector<std::byte> ring = load_ring(path);
    std::vector<Record> log;
    Record record;
    for (auto rest = std::span(ring); !rest.empty();) {
        const auto size = decode_ring(rest, record);
        must(size.status());
        if (*size == 0) break;
        log.push_back(record);
        rest = rest.subspan(*size);
    }
    sizes(log);
    if (!std::filesystem::is_directory(path)) return 0;
    auto reader = LogReader::open(path);
    must(reader.status());
    std::printf("\n%s", to_text(check_log(**reader)).c_str());
    return 0;
}

int append_only(int times, const char* path) {
    const TempFolder folder;
    std::vector<std::byte> ring;
    if (path != nullptr) {
        ring = load_ring(path);
        std::size_t last = 0;  // without END, which nothing may follow
        for (std::size_t at = 0; at < ring.size(); at += peek_ring_size(std::span(ring).subspan(at)).value())
            last = at;
        ring.resize(last);
    } else {
        std::vector<Record> entries;
        for (const Record& record : boot_like_log(1, 16))
            if (record.cls == CASM_CLS_ENTRY && entries.size() < 65536) entries.push_back(record);
        ring = ring_of(entries);
    }
    auto writer = LogWriter::create(folder / "log", {}, {});
    must(writer.status());
    for (int i = 0; i < times; ++i) {
        must((*writer)->append_ring(ring).status());
        must((*writer)->flush());
    }
    std::printf("%llu records, %llu bytes\n", static_cast<unsigned long long>((*writer)->progress().records),
                static_cast<unsigned long long>((*writer)->progress().events_bytes));
    return 0;
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    if (argc >= 3 && std::strcmp(argv[1], "--append") == 0)
        return casmotion::test::append_only(std::atoi(argv[2]), argc > 3 ? argv[3] : nullptr);
    if (argc == 2) return casmotion::test::measure_file(argv[1]);
    casmotion::test::sizes(casmotion::test::boot_like_log(1, 16));
    casmotion::test::rates();
    return 0;
}
