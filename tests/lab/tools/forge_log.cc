// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm-forge-log: logs for tests that no recording makes. Every checksum is right, so that what is wrong is
// the meaning.
//   casm-forge-log memory MIB LOG OUT    a log of the same guest with another memory size
//   casm-forge-log config TEXT LOG OUT   the log with TEXT, JSON, at the beginning of its b_info
//   casm-forge-log version N LOG OUT     a log of another format version
//   casm-forge-log apoint FIELD+N LOG OUT  the log with the middle one of its canonical apoints changed:
//   FIELD is branches, rip,
//                                        hash, from, rcx or rsp; N may be negative. Prints the number of the
//                                        record
//   casm-forge-log record SPEC LOG OUT   the log with one forged record, as tests/events/support/forgery.h
//                                        describes it: end,at=end:last,kind=4,bytes=4096. Prints its number
//   casm-forge-log length CLASS N LOG OUT  the log with a record of CLASS that is said to have N bytes behind
//   its
//                                        words, and has them. Where the format holds no such thing (a class
//                                        without bytes, one that is in no log, no byte at all) they are put
//                                        into the columns of the class all the same
//   casm-forge-log classes               the classes of records, and for how many bytes there is room: 0 if
//   it has none casm-forge-log cuts LOG              where to cut 'events': at each end of a chunk, and in
//   the middle of each
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "casmotion/log/v1/log.pb.h"
#include "casmotion/log_reader.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "crc32c.h"
#include "support/forgery.h"
#include "support/log_files.h"
#include "support/raw_log.h"

namespace casmotion::test {
namespace {

constexpr std::size_t kVersionOffset = 8, kHeaderCrcOffset = 20;  // of a framed file: docs/log-format.md

Result<std::vector<Record>> read_records(LogReader& reader) {
    std::vector<Record> records;
    for (Record record;;) {
        CASM_ASSIGN(const bool more, reader.next_unchecked(record));
        if (!more) return records;
        records.push_back(record);
    }
}

void write_raw_log(const Manifest& manifest, const std::vector<Record>& records, const std::string& out) {
    for (const auto& [name, content] : raw_log(manifest_file(manifest), records))
        write_file(out + "/" + name, content);
}

Status write_with_manifest(const Manifest& manifest, LogReader& reader, const std::string& out) {
    CASM_ASSIGN(const std::vector<Record> records, read_records(reader));
    write_raw_log(manifest, records, out);
    return {};
}

Status forge_memory(std::uint64_t mib, LogReader& reader, const std::string& out) {
    Manifest manifest = reader.manifest();
    const std::uint64_t kib = mib * 1024;
    manifest.guest.memory_kib = kib;
    const std::regex size("(\"(?:max|target)_memkb\": *)[0-9]+");
    manifest.guest.config_json =
        std::regex_replace(manifest.guest.config_json, size, "$01" + std::to_string(kib));
    return write_with_manifest(manifest, reader, out);
}

Status forge_config(const std::string& text, LogReader& reader, const std::string& out) {
    Manifest manifest = reader.manifest();
    std::string& json = manifest.guest.config_json;
    const std::size_t object = json.find("\"b_info\"");
    const std::size_t begin = object == std::string::npos ? object : json.find('{', object);
    if (begin == std::string::npos) return Status{Category::kUsage, "the log's configuration has no b_info"};
    json.insert(begin + 1, text);
    return write_with_manifest(manifest, reader, out);
}

Status forge_apoint(const std::string& change, LogReader& reader, const std::string& out) {
    static const std::vector<std::string> kFields = {"branches", "rip", "hash", "from", "rcx", "rsp"};
    const std::size_t split = change.find_first_of("+-");
    const auto field = std::find(kFields.begin(), kFields.end(), change.substr(0, split));
    if (split == std::string::npos || field == kFields.end())
        return Status{Category::kUsage, "which field, and by how much? " + change};
    const auto delta = static_cast<std::uint64_t>(std::strtoll(change.c_str() + split, nullptr, 10));
    CASM_ASSIGN(std::vector<Record> records, read_records(reader));
    std::vector<std::size_t> points;
    for (std::size_t i = 0; i < records.size(); ++i) {
        // Not at its smallest count: one less must still be a point of the same entry.
        if (records[i].cls == CASM_CLS_APOINT && records[i].kind == CASM_APOINT_CANONICAL &&
            records[i].w[0] > 2)
            points.push_back(i);
    }
    if (points.empty()) return Status{Category::kUsage, "the log has no canonical apoint"};
    const std::size_t nth = points[points.size() / 2];
    const auto at = static_cast<std::size_t>(field - kFields.begin());
    if (at < 3) {
        records[nth].w[at] += delta;
    } else {
        std::uint64_t value = 0;
        std::memcpy(&value, records[nth].blob.data() + (at - 3) * 8, sizeof(value));
        value += delta;
        std::memcpy(records[nth].blob.data() + (at - 3) * 8, &value, sizeof(value));
    }
    std::cout << nth << '\n';
    write_raw_log(reader.manifest(), records, out);
    return {};
}

Status forge_record(const std::string& spec, LogReader& reader, const std::string& out) {
    CASM_ASSIGN(const Forgery forgery, parse_forgery(spec));
    CASM_ASSIGN(std::vector<Record> records, read_records(reader));
    const std::optional<std::size_t> place = place_of(forgery, records);
    CASM_ASSIGN(records, forged_log(forgery, std::move(records)));
    std::cout << place.value_or(0) << '\n';
    write_raw_log(reader.manifest(), records, out);
    return {};
}

// What a reader takes for a record of `cls`, of which the payload has one at least, with `bytes` bytes.
void put_bytes_into_columns(std::uint8_t cls, std::uint32_t bytes, std::string& payload) {
    log::v1::Chunk chunk;
    if (!chunk.ParseFromString(payload)) std::abort();
    const RecordLayout& layout = kLayouts[cls];
    // The bytes of a class that has some, else its last field: the first ones may have no column.
    const auto field = static_cast<std::uint32_t>(std::max<std::size_t>(fields_of(cls).size(), 1) - 1);
    log::v1::Column* column = nullptr;
    for (auto& other : *chunk.mutable_columns())
        if (other.cls() == cls && other.field() == field) column = &other;
    if (column == nullptr) {
        column = chunk.add_columns();
        column->set_cls(cls);
        column->set_field(field);
    }
    if (column->lengths_size() == 0) {
        column->add_lengths(bytes);
    } else {
        column->mutable_blob()->erase(0, column->lengths(0));
        column->set_lengths(0, bytes);
    }
    column->mutable_blob()->insert(0, bytes, 'A');
    if (!layout.logged) {
        // A record of it, in place of another.
        log::v1::Shape* shape = chunk.add_dictionary();
        shape->set_cls(cls);
        shape->set_open(true);
        chunk.mutable_shapes()->back() = static_cast<char>(chunk.dictionary_size() - 1);
    }
    payload = chunk.SerializeAsString();
}

Status forge_length(const std::string& name, std::uint32_t bytes, LogReader& reader, const std::string& out) {
    CASM_ASSIGN(Forgery forgery, parse_forgery(name));
    CASM_ASSIGN(std::vector<Record> records, read_records(reader));
    const RecordLayout& layout = kLayouts[forgery.cls];
    if (layout.logged) {
        if (!place_of(forgery, records)) {
            forgery.how = Forgery::How::kInsert;
            forgery.anchor = CASM_CLS_EVTCHN;  // an injection point
            if (forgery.cls == CASM_CLS_APOINT) {
                forgery.kind = CASM_APOINT_CANONICAL;
                forgery.w[0] = 1;
            }
        }
        if (layout.has_blob) forgery.blob_bytes = std::max<std::uint32_t>(bytes, 1);
        CASM_ASSIGN(records, forged_log(forgery, std::move(records)));
    }
    PayloadEdit edit;
    if (!layout.has_blob || !layout.logged || bytes == 0)
        edit = [&](std::string& payload) { put_bytes_into_columns(forgery.cls, bytes, payload); };
    for (const auto& [file, content] :
         raw_log(manifest_file(reader.manifest()), records, 65536, true, true, edit))
        write_file(out + "/" + file, content);
    return {};
}

// Of the lengths that a record may have, the longest that is not refused by itself.
std::size_t longest_bytes(std::uint8_t cls) {
    std::size_t longest = 0;
    for (std::size_t bytes = 1; kLayouts[cls].has_blob && bytes <= CASM_BLOB_MAX_BYTES; ++bytes) {
        Record record{.cls = cls, .kind = kLayouts[cls].has_kind ? std::uint8_t{1} : std::uint8_t{0}};
        record.w[0] = 1;
        record.blob.assign(bytes, 0);
        record.blob[0] = 1;
        record.check = static_cast<std::uint16_t>(bytes);
        if (check_fields(record).ok()) longest = bytes;
    }
    return longest;
}

void print_classes() {
    for (const ClassInfo& info : kClasses)
        std::cout << info.name << ' ' << longest_bytes(static_cast<std::uint8_t>(info.id)) << '\n';
}

void forge_version(std::uint32_t version, const std::string& out) {
    std::string file = read_file(out + "/manifest");
    std::memcpy(file.data() + kVersionOffset, &version, sizeof(version));
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(file)).first(kHeaderCrcOffset));
    std::memcpy(file.data() + kHeaderCrcOffset, &crc, sizeof(crc));
    write_file(out + "/manifest", file);
}

void print_cuts(const LogReader& reader) {
    std::uint64_t end = 0;
    for (const ChunkInfo& chunk : reader.chunks()) {
        const std::uint64_t next = chunk.offset + 80 + chunk.stored_bytes;
        std::cout << chunk.offset << '\n' << (chunk.offset + next) / 2 << '\n';
        end = next;
    }
    std::cout << end << '\n';
}

Status run(std::span<char*> arguments) {
    const std::string what = arguments[1];
    if (what == "classes") {
        print_classes();
        return {};
    }
    const std::string log = what == "cuts" ? arguments[2] : arguments[arguments.size() - 2];
    std::unique_ptr<LogReader> reader;
    CASM_ASSIGN(reader, LogReader::open(log));
    if (what == "cuts") {
        print_cuts(*reader);
        return {};
    }
    const std::string out = arguments.back();
    std::filesystem::copy(log, out, std::filesystem::copy_options::recursive);
    if (what == "memory") return forge_memory(std::strtoull(arguments[2], nullptr, 10), *reader, out);
    if (what == "config") return forge_config(arguments[2], *reader, out);
    if (what == "apoint") return forge_apoint(arguments[2], *reader, out);
    if (what == "record") return forge_record(arguments[2], *reader, out);
    if (what == "length")
        return forge_length(arguments[2], static_cast<std::uint32_t>(std::strtoul(arguments[3], nullptr, 10)),
                            *reader, out);
    forge_version(static_cast<std::uint32_t>(std::strtoul(arguments[2], nullptr, 10)), out);
    return {};
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    const int wanted =
        what == "classes"  ? 2
        : what == "cuts"   ? 3
        : what == "length" ? 6
        : what == "memory" || what == "config" || what == "version" || what == "apoint" || what == "record"
            ? 5
            : 0;
    if (argc != wanted) {
        std::cerr << "usage: casm-forge-log memory MIB LOG OUT | config TEXT LOG OUT | apoint FIELD+N LOG "
                     "OUT | version N LOG OUT | record SPEC LOG OUT | length CLASS N LOG OUT | classes | "
                     "cuts LOG\n";
        return 2;
    }
    const casmotion::Status status = casmotion::test::run({argv, static_cast<std::size_t>(argc)});
    if (!status.ok()) std::cerr << "casm-forge-log: " << status.message() << '\n';
    return status.ok() ? 0 : status.exit_code();
}
