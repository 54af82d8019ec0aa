// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failures.h"
#include "base/host_text.h"
#include "casmotion/log_reader.h"
#include "casmotion/record_text.h"
#include "cli/command.h"
#include "cli/common.h"

namespace casmotion {
namespace {

struct Range {
    uint64_t begin = 0;
    uint64_t end = std::numeric_limits<uint64_t>::max();  // exclusive
};

/// "A:B" (A to B - 1), "A:", ":B", or "A" alone.
Result<Range> range_option(const std::string& text) {
    Range out;
    const auto bad = [&text] {
        return usage_error("--range: '" + printable(text) +
                           "' is not a range of records (examples: 100:200, 100:, :200, 100)");
    };
    const size_t colon = text.find(':');
    const std::string_view first = std::string_view(text).substr(0, colon);
    if (!first.empty()) {
        const auto begin = parse_u64(first);
        if (!begin) return bad();
        out.begin = *begin;
    }
    if (colon == std::string::npos) {
        if (first.empty() || out.begin == std::numeric_limits<uint64_t>::max()) return bad();
        out.end = out.begin + 1;
        return out;
    }
    const std::string_view second = std::string_view(text).substr(colon + 1);
    if (!second.empty()) {
        const auto end = parse_u64(second);
        if (!end || *end < out.begin) return bad();
        out.end = *end;
    }
    return out;
}

class EventsCommand final : public Command {
  public:
    explicit EventsCommand(CLI::App& app) {
        app.add_option("log", log_, "the log to print")->required()->type_name("LOG");
        app.add_option("--class", classes_, "only this class; may be given several times")
            ->type_name("NAME")
            ->allow_extra_args(false);
        app.add_option("--range", range_, "only records A to B - 1, counted from 0")->type_name("A:B");
        app.add_option("--limit", limit_text_, "at most that many records")->type_name("N");
        app.add_flag("--json", json_, "one JSON object per line");
        app.footer(
            "Examples:\n"
            "  casmotion events boot.log --range 0:20\n"
            "  casmotion events boot.log --class evtchn --class ring --json\n"
            "\n"
            "A line is: index of the record, @ synchronous entries before it, class, fields. Exit codes: 0, "
            "2 usage, 65 the\n"
            "log is damaged or has no end (what is good is printed), 69 it cannot be read.");
    }

    Status run(const GlobalOptions&) override {
        CASM_ASSIGN(const uint32_t wanted, classes_option(classes_));
        if (!limit_text_.empty()) {
            CASM_ASSIGN(limit_, count_option("--limit", limit_text_));
        }
        Range range;
        if (!range_.empty()) {
            CASM_ASSIGN(range, range_option(range_));
        }
        CASM_ASSIGN(const std::unique_ptr<LogReader> reader, LogReader::open(log_));
        CASM_TRY(print(*reader, wanted, range));
        if (const auto& tail = reader->torn_tail())
            return log_invalid(reader->name() + " was cut behind record " +
                               with_thousands(reader->records() - std::min<uint64_t>(1, reader->records())) +
                               ": " + tail->reason);
        return {};
    }

  private:
    Status print(LogReader& reader, uint32_t wanted, const Range& range) {
        CASM_TRY(reader.seek(RecordIndex{std::min(range.begin, reader.records())}));
        constexpr size_t kBufferBytes = 64u << 10;
        std::string buffer;
        Record record;
        uint64_t printed = 0;
        while (reader.position().value < range.end && (!limit_ || printed < *limit_)) {
            const RecordIndex index = reader.position();
            const SyncOrdinal ordinal = reader.ordinal();
            const Result<bool> got = reader.next(record);
            if (!got.ok()) {
                CASM_TRY(write_stdout(buffer));
                return got.status();
            }
            if (!*got) break;
            if (wanted != 0 && (wanted & (1u << record.cls)) == 0) continue;
            buffer += json_ ? to_json(record, index, ordinal) : to_text(record, index, ordinal);
            buffer += '\n';
            ++printed;
            if (buffer.size() >= kBufferBytes) {
                CASM_TRY(write_stdout(buffer));
                buffer.clear();
            }
        }
        return write_stdout(buffer);
    }

    std::string log_, range_, limit_text_;
    std::vector<std::string> classes_;
    std::optional<uint64_t> limit_;
    bool json_ = false;
};

}  // namespace

DeclaredCommand declare_events(CLI::App& parent) {
    CLI::App* app = parent.add_subcommand("events", "Print the records of a log");
    return {app, std::make_unique<EventsCommand>(*app)};
}

}  // namespace casmotion
