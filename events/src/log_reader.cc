// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "casmotion/log_writer.h"
#include "casmotion/record_check.h"
#include "casmotion/ring_codec.h"
#include "chunk_codec.h"
#include "crc32c.h"
#include "file.h"
#include "frame.h"
#include "index.h"
#include "sha256.h"

namespace casmotion {

namespace {

struct ContextDeleter {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::string chunk_at(std::uint64_t chunk, std::uint64_t offset) {
    return "chunk " + std::to_string(chunk) + " at offset " + std::to_string(offset) + " of 'events'";
}

}  // namespace

struct LogReader::Impl {
    std::unique_ptr<LogSource> source;
    Manifest manifest;
    std::optional<Summary> summary;
    std::optional<TornTail> torn;
    std::vector<ChunkInfo> chunks;
    std::uint64_t events_bytes = 0;  // size of `events`
    std::uint64_t first_digest = 0;  // content digest before the first record
    std::uint64_t records = 0;

    std::unique_ptr<ZSTD_DCtx, ContextDeleter> zstd{ZSTD_createDCtx()};
    std::vector<std::byte> stored, ring;
    std::string raw;
    std::size_t loaded = kNone;  // number of the chunk that is in `ring`
    std::size_t at = 0;          // offset of the next record in `ring`
    std::uint64_t position = 0;  // index of the next record
    std::uint64_t ordinal = 0;   // ENTRY records before it
    Status failure;              // of next(); repeats until seek()
    RecordCheck check;           // of the records that are given out; stands at `position`

    static constexpr std::size_t kNone = ~std::size_t{0};

    Status open_all();
    Status scan();
    Status read_header(std::uint64_t offset, const ChunkInfo* before, ChunkInfo& chunk);
    Status read_payload(const ChunkInfo& chunk);
    Status load(std::size_t number);
    Result<bool> later_chunk(std::uint64_t offset);
    Status check_summary() const;
    // Makes `ring` hold the record at `position`; false at the end of the log.
    Result<bool> ready();
    // Its bytes and those behind it.
    std::span<const std::byte> rest() const { return std::span<const std::byte>(ring).subspan(at); }
    // Moves behind the record at `position`.
    void pass(std::uint8_t cls, std::size_t bytes);
};

// Reads the header at `offset` and checks it by itself and against the chunk before it (nullptr: there is
// none).
Status LogReader::Impl::read_header(std::uint64_t offset, const ChunkInfo* before, ChunkInfo& chunk) {
    if (events_bytes - offset < kChunkHeaderBytes) return log_invalid("the file ends inside the header");
    std::array<std::byte, kChunkHeaderBytes> bytes;
    CASM_TRY(source->read("events", offset, bytes));
    std::uint64_t sequence = 0;
    CASM_TRY(parse_chunk_header(bytes, chunk, sequence));
    chunk.offset = offset;
    const auto expect = [](const char* what, std::uint64_t actual, std::uint64_t expected) -> Status {
        if (actual == expected) return {};
        return log_invalid(std::string(what) + " is " + std::to_string(actual) + ", must be " +
                           std::to_string(expected));
    };
    CASM_TRY(expect("its number", sequence, chunks.size()));
    CASM_TRY(
        expect("its first record", chunk.first_record, before ? before->first_record + before->records : 0));
    CASM_TRY(expect("its first ordinal", chunk.first_ordinal,
                    before ? before->first_ordinal + before->ordinals : 0));
    CASM_TRY(expect("its content digest before", chunk.digest_before,
                    before ? before->digest_after : first_digest));
    if (events_bytes - offset - kChunkHeaderBytes < chunk.stored_bytes)
        return log_invalid("the file ends inside the payload");
    return {};
}

// Reads the payload of `chunk` into `stored` and checks its checksum.
Status LogReader::Impl::read_payload(const ChunkInfo& chunk) {
    stored.resize(chunk.stored_bytes);
    CASM_TRY(source->read("events", chunk.offset + kChunkHeaderBytes, stored));
    if (crc32c(stored) != chunk.payload_crc) return log_invalid("the payload's checksum is wrong");
    return {};
}

// Makes `ring` the records of chunk `number`.
Status LogReader::Impl::load(std::size_t number) {
    if (loaded == number) return {};
    loaded = kNone;
    const ChunkInfo& chunk = chunks[number];
    const Status status = [&]() -> Status {
        CASM_TRY(read_payload(chunk));
        if ((chunk.flags & kChunkFlagZstd) != 0) {
            raw.resize(chunk.raw_bytes);
            const std::size_t bytes =
                ZSTD_decompressDCtx(zstd.get(), raw.data(), raw.size(), stored.data(), stored.size());
            if (ZSTD_isError(bytes) != 0)
                return log_invalid(std::string("the payload cannot be decompressed: ") +
                                   ZSTD_getErrorName(bytes));
            if (bytes != chunk.raw_bytes)
                return log_invalid("the payload has " + std::to_string(bytes) + " bytes, the header says " +
                                   std::to_string(chunk.raw_bytes));
        } else {
            raw.assign(reinterpret_cast<const char*>(stored.data()), stored.size());
        }
        CASM_TRY(decode_chunk(raw, chunk, ring));
        if (content_digest(chunk.digest_before, ring) != chunk.digest_after)
            return log_invalid("the records do not match the content digest");
        return {};
    }();
    if (!status.ok()) return status.at(chunk_at(number, chunk.offset));
    loaded = number;
    return {};
}

// Is there a chunk header with a good checksum anywhere from `offset` on?
Result<bool> LogReader::Impl::later_chunk(std::uint64_t offset) {
    std::vector<std::byte> window(1u << 18);
    while (offset + kChunkHeaderBytes <= events_bytes) {
        const auto bytes =
            static_cast<std::size_t>(std::min<std::uint64_t>(window.size(), events_bytes - offset));
        const auto view = std::span(window).first(bytes);
        CASM_TRY(source->read("events", offset, view));
        for (std::size_t i = 0; i + kChunkHeaderBytes <= bytes; ++i) {
            if (std::memcmp(&view[i], &kChunkMagic, sizeof(kChunkMagic)) != 0) continue;
            ChunkInfo chunk;
            std::uint64_t sequence = 0;
            if (parse_chunk_header(std::span<const std::byte>(view).subspan(i).first<kChunkHeaderBytes>(),
                                   chunk, sequence)
                    .ok())
                return true;
        }
        offset += bytes - kChunkHeaderBytes + 1;
    }
    return false;
}

// Finds the chunks of `events`. With a summary all of the file must be good; without, a bad end is cut off.
Status LogReader::Impl::scan() {
    std::optional<std::uint64_t> size;
    CASM_ASSIGN(size, source->size_bytes("events"));
    if (!size) return log_invalid("no file 'events'");
    events_bytes = *size;
    std::uint64_t offset = 0;
    while (offset < events_bytes) {
        ChunkInfo chunk;
        const Status header = read_header(offset, chunks.empty() ? nullptr : &chunks.back(), chunk);
        Status status = header;
        if (status.ok() && !summary) status = read_payload(chunk);
        if (status.ok()) {
            chunks.push_back(chunk);
            offset += kChunkHeaderBytes + chunk.stored_bytes;
            continue;
        }
        if (status.category() != Category::kLogInvalid) return status;
        // Only the end of a log that was never closed may be bad: what is behind it tells damage from a cut.
        bool damaged = summary.has_value();
        if (!damaged) {
            CASM_ASSIGN(damaged, later_chunk(offset + 1));
        }
        if (damaged) return status.at(chunk_at(chunks.size(), offset));
        torn = TornTail{chunks.size(), offset, events_bytes - offset, status.message()};
        break;
    }
    if (!summary && !torn) torn = TornTail{chunks.size(), offset, 0, "the recording was not closed"};
    if (!chunks.empty()) records = chunks.back().first_record + chunks.back().records;
    return {};
}

// Do the totals in the summary agree with the chunks?
Status LogReader::Impl::check_summary() const {
    const auto expect = [](const char* what, std::uint64_t actual, std::uint64_t expected) -> Status {
        if (actual == expected) return {};
        return log_invalid(std::string("'events' has ") + std::to_string(actual) + " " + what +
                           ", the summary says " + std::to_string(expected));
    };
    std::uint64_t ordinals = 0, ring_bytes = 0;
    for (const ChunkInfo& chunk : chunks) {
        ordinals += chunk.ordinals;
        ring_bytes += chunk.ring_bytes;
    }
    CASM_TRY(expect("bytes", events_bytes, summary->events_bytes));
    CASM_TRY(expect("chunks", chunks.size(), summary->chunks));
    CASM_TRY(expect("records", records, summary->records));
    CASM_TRY(expect("entries", ordinals, summary->ordinals));
    CASM_TRY(expect("bytes as ring records", ring_bytes, summary->ring_bytes));
    if ((chunks.empty() ? first_digest : chunks.back().digest_after) != summary->content_digest)
        return log_invalid("the content digest of 'events' is not the one in the summary");
    return {};
}

Status LogReader::Impl::open_all() {
    std::optional<std::uint64_t> size;
    CASM_ASSIGN(size, source->size_bytes("manifest"));
    if (!size) return log_invalid("not a log: there is no file 'manifest'");
    std::string payload;
    CASM_ASSIGN(payload, read_framed(*source, "manifest", kManifestMagic, kManifestBytesMax));
    CASM_ASSIGN(manifest, parse_manifest(payload));
    first_digest = content_digest(0, as_bytes(payload));
    CASM_ASSIGN(size, source->size_bytes("summary"));
    if (size) {
        CASM_ASSIGN(payload, read_framed(*source, "summary", kSummaryMagic, kSummaryBytesMax));
        CASM_ASSIGN(summary, parse_summary(payload));
    }
    CASM_TRY(scan());
    if (!summary) return {};
    CASM_TRY(check_summary());
    CASM_ASSIGN(payload, read_framed(*source, "index", kIndexMagic, kIndexBytesMax));
    return check_index(payload, chunks);
}

Result<std::unique_ptr<LogReader>> LogReader::open(std::unique_ptr<LogSource> source) {
    auto impl = std::make_unique<Impl>();
    if (!impl->zstd) return Status(Category::kInternal, "cannot create a zstd context");
    impl->source = std::move(source);
    CASM_TRY(impl->open_all().at("log '" + impl->source->name() + "'"));
    impl->check = RecordCheck(impl->manifest.options.disabled_classes, impl->records);
    return std::unique_ptr<LogReader>(new LogReader(std::move(impl)));
}

Result<std::unique_ptr<LogReader>> LogReader::open(const std::string& path) {
    auto folder = open_folder(path);
    if (!folder.ok() && folder.status().category() == Category::kUsage) {
        auto incomplete = open_folder(incomplete_path(path));
        if (incomplete.ok()) return open(std::move(*incomplete));
    }
    if (!folder.ok()) return folder.status();
    return open(std::move(*folder));
}

LogReader::LogReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogReader::~LogReader() = default;

const Manifest& LogReader::manifest() const {
    return impl_->manifest;
}
const std::optional<Summary>& LogReader::summary() const {
    return impl_->summary;
}
const std::optional<TornTail>& LogReader::torn_tail() const {
    return impl_->torn;
}
const std::vector<ChunkInfo>& LogReader::chunks() const {
    return impl_->chunks;
}
std::string LogReader::name() const {
    return impl_->source->name();
}
std::uint64_t LogReader::records() const {
    return impl_->records;
}
RecordIndex LogReader::position() const {
    return {impl_->position};
}
SyncOrdinal LogReader::ordinal() const {
    return {impl_->ordinal};
}

Result<bool> LogReader::Impl::ready() {
    if (!failure.ok()) return failure;
    if (loaded != kNone && at < ring.size()) return true;
    if (position == records) return false;
    const std::size_t number = loaded == kNone ? 0 : loaded + 1;
    failure = load(number).at("log '" + source->name() + "'");
    CASM_TRY(failure);
    at = 0;
    return true;
}

void LogReader::Impl::pass(std::uint8_t cls, std::size_t bytes) {
    at += bytes;
    ++position;
    if (cls == CASM_CLS_ENTRY) ++ordinal;
}

Result<bool> LogReader::next(Record& record) {
    Impl& impl = *impl_;
    bool more = false;
    CASM_ASSIGN(more, impl.ready());
    if (!more) return false;
    std::size_t bytes = 0;
    CASM_ASSIGN(bytes, decode_ring(impl.rest(), record));
    impl.failure = impl.check.next(record).at("log '" + impl.source->name() + "'");
    CASM_TRY(impl.failure);
    impl.pass(record.cls, bytes);
    return true;
}

Result<bool> LogReader::next_unchecked(Record& record) {
    Impl& impl = *impl_;
    bool more = false;
    CASM_ASSIGN(more, impl.ready());
    if (!more) return false;
    std::size_t bytes = 0;
    CASM_ASSIGN(bytes, decode_ring(impl.rest(), record));
    impl.pass(record.cls, bytes);
    impl.check.move_to(impl.position);
    return true;
}

Result<std::span<const std::byte>> LogReader::next_ring() {
    Impl& impl = *impl_;
    bool more = false;
    CASM_ASSIGN(more, impl.ready());
    if (!more) return std::span<const std::byte>();
    const std::size_t first = impl.at;
    Status checked;
    const std::size_t end = first + impl.check.all_ring(impl.rest(), checked);
    while (impl.at < end) {
        const auto rest = impl.rest();
        std::size_t bytes = 0;
        CASM_ASSIGN(bytes, peek_ring_size(rest));
        impl.pass(static_cast<std::uint8_t>(rest[0]), bytes);
    }
    if (!checked.ok()) impl.failure = checked.at("log '" + impl.source->name() + "'");
    if (impl.at == first) return impl.failure;
    return std::span<const std::byte>(impl.ring).subspan(first, impl.at - first);
}

Status LogReader::seek(RecordIndex index) {
    Impl& impl = *impl_;
    if (index.value > impl.records)
        return {Category::kUsage, "no record " + std::to_string(index.value) + ": log '" + name() + "' has " +
                                      std::to_string(impl.records)};
    impl.failure = {};
    if (impl.chunks.empty()) return {};
    auto chunk =
        std::upper_bound(impl.chunks.begin(), impl.chunks.end(), index.value,
                         [](std::uint64_t value, const ChunkInfo& c) { return value < c.first_record; });
    --chunk;  // the first chunk starts with record 0
    impl.failure =
        impl.load(static_cast<std::size_t>(chunk - impl.chunks.begin())).at("log '" + name() + "'");
    CASM_TRY(impl.failure);
    impl.at = 0;
    impl.position = chunk->first_record;
    impl.ordinal = chunk->first_ordinal;
    while (impl.position < index.value) {
        const auto rest = impl.rest();
        std::size_t bytes = 0;
        CASM_ASSIGN(bytes, peek_ring_size(rest));
        impl.pass(static_cast<std::uint8_t>(rest[0]), bytes);
    }
    impl.check.move_to(impl.position);
    return {};
}

Status LogReader::extract(const std::string& file, const std::string& path) {
    Impl& impl = *impl_;
    const std::string what = "log '" + name() + "': embedded file '" + file + "'";
    const BootFile* identity = nullptr;
    if (file == "kernel") identity = &impl.manifest.kernel;
    if (file == "ramdisk" && impl.manifest.ramdisk) identity = &*impl.manifest.ramdisk;
    if (identity == nullptr || !identity->embedded)
        return log_invalid(what + ": the log holds no copy of it");
    std::optional<std::uint64_t> size;
    CASM_ASSIGN(size, impl.source->size_bytes(file));
    if (!size) return log_invalid(what + " is missing");
    if (*size != identity->size_bytes)
        return log_invalid(what + " has " + std::to_string(*size) + " bytes, the manifest says " +
                           std::to_string(identity->size_bytes));
    FileDescriptor to(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!to.valid()) return errno_status("cannot create '" + path + "'", errno);
    const Status status = [&]() -> Status {
        Sha256Stream hash;
        std::vector<std::byte> buffer(1u << 18);
        for (std::uint64_t offset = 0; offset < *size;) {
            const auto part = std::span(buffer).first(
                static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), *size - offset)));
            CASM_TRY(impl.source->read(file, offset, part));
            hash.update(part);
            CASM_TRY(write_all(to.get(), part, path));
            offset += part.size();
        }
        if (hash.finish() != identity->sha256)
            return log_invalid(what + ": its SHA-256 is not the one in the manifest");
        return {};
    }();
    if (!status.ok()) ::unlink(path.c_str());
    return status;
}

}  // namespace casmotion
