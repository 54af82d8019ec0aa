// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/log_writer.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "chunk_codec.h"
#include "crc32c.h"
#include "file.h"
#include "frame.h"
#include "index.h"
#include "sha256.h"

namespace casmotion {

namespace {

// A level of zstd at which it only looks whether the data could be compressed at all.
constexpr int kNoEffort = -100;

struct ContextDeleter {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

bool exists(const std::string& path) {
    struct stat info;
    return ::lstat(path.c_str(), &info) == 0;
}

// Copies the file at `source` into `folder`/`name` if it is to be embedded, and fills in its identity.
Status take_boot_file(const BootFileSource& source, const std::string& folder, const std::string& name,
                      BootFile& out) {
    CASM_ASSIGN(out, identify_boot_file(source.path));
    if (!source.embed) return {};
    const FileDescriptor from(::open(source.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from.valid())
        return {Category::kUsage, errno_status("cannot read '" + source.path + "'", errno).message()};
    const std::string path = folder + "/" + name;
    const FileDescriptor to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!to.valid()) return errno_status("cannot create '" + path + "'", errno);
    Sha256Stream hash;
    std::vector<std::byte> buffer(1u << 18);
    for (;;) {
        const ssize_t got = read_some(from.get(), buffer);
        if (got < 0)
            return {Category::kUsage, errno_status("cannot read '" + source.path + "'", errno).message()};
        if (got == 0) break;
        const auto part = std::span<const std::byte>(buffer).first(static_cast<std::size_t>(got));
        hash.update(part);
        CASM_TRY(write_all(to.get(), part, path));
    }
    CASM_TRY(sync_file(to.get(), path));
    if (hash.finish() != out.sha256)
        return {Category::kUsage, "'" + source.path + "' changed while it was copied into the log"};
    out.embedded = true;
    return {};
}

// rename(2) that never replaces; for file systems without RENAME_NOREPLACE (9p) a check just before comes
// close.
Status rename_new(const std::string& from, const std::string& to) {
    long done = ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (done != 0 && (errno == EINVAL || errno == ENOSYS)) {
        if (exists(to))
            errno = EEXIST;
        else
            done = ::rename(from.c_str(), to.c_str());
    }
    if (done == 0) return {};
    if (errno == EEXIST || errno == ENOTEMPTY)
        return {Category::kUsage, "'" + to + "' was created meanwhile: the log stays in '" + from + "'"};
    return errno_status("cannot rename '" + from + "' to '" + to + "'", errno);
}

// Removes the files that a writer makes, then the folder; anything else in it is left alone.
Status remove_log(const std::string& folder) {
    for (const char* name : {"manifest", "events", "index", "summary", "kernel", "ramdisk"})
        if (::unlink((folder + "/" + name).c_str()) != 0 && errno != ENOENT)
            return errno_status("cannot remove '" + folder + "/" + name + "'", errno);
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT)
        return errno_status("cannot remove '" + folder + "'", errno);
    return {};
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string without_trailing_slashes(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

}  // namespace

std::string incomplete_path(const std::string& path) {
    return without_trailing_slashes(path) + ".incomplete";
}

struct LogWriter::Impl {
    std::string path;    // the final name
    std::string folder;  // where the log is now
    Manifest manifest;
    FileDescriptor events;
    std::unique_ptr<ZSTD_CCtx, ContextDeleter> zstd;
    int zstd_level = 1;
    ChunkEncoder encoder;
    std::vector<char> stored;
    std::vector<std::byte> scratch;

    std::vector<ChunkInfo> chunks;
    std::uint64_t digest = 0;
    Summary written;           // of the chunks written
    mutable Summary progress;  // including the chunk that is being encoded; made when asked for
    bool ended = false;        // END was appended
    bool finished = false;     // index and summary are durable; only the rename is left
    bool open = true;          // neither closed nor abandoned nor discarded
    Status failure;            // the first failure to write; final

    char* compress(const EncodedChunk& encoded, ChunkInfo& chunk);
    Status write_chunk();
    Status refuse(std::span<const std::byte> bytes) const;
    const Summary& update_progress() const;
    Status finish_files(const Summary& summary);
};

Result<std::unique_ptr<LogWriter>> LogWriter::create(const std::string& path, Manifest manifest,
                                                     const LogWriterOptions& options) {
    auto impl = std::make_unique<Impl>();
    impl->path = without_trailing_slashes(path);
    impl->folder = incomplete_path(path);
    if (path.empty()) return Status(Category::kUsage, "the name of the log is empty");
    if (exists(impl->path))
        return Status(Category::kUsage,
                      "'" + impl->path + "' exists already: choose another name for the log, or remove it");
    if (::mkdir(impl->folder.c_str(), 0777) != 0) {
        if (errno == EEXIST)
            return Status(Category::kUsage,
                          "'" + impl->folder +
                              "' exists already: another recording writes it, or one was interrupted; "
                              "choose another name, or remove it");
        return errno_status("cannot create folder '" + impl->folder + "'", errno);
    }
    manifest.format_version = kLogFormatVersion;
    const Status made = [&]() -> Status {
        if (options.kernel)
            CASM_TRY(take_boot_file(*options.kernel, impl->folder, "kernel", manifest.kernel));
        if (options.ramdisk)
            CASM_TRY(take_boot_file(*options.ramdisk, impl->folder, "ramdisk", manifest.ramdisk.emplace()));
        std::string payload;
        CASM_ASSIGN(payload, serialize(manifest));
        if (payload.size() > kManifestBytesMax)
            return {Category::kUsage, "the manifest would have " + std::to_string(payload.size()) +
                                          " bytes, the limit is " + std::to_string(kManifestBytesMax)};
        CASM_TRY(
            create_file(impl->folder + "/manifest", as_bytes(frame_file(kManifestMagic, payload)), true));
        impl->digest = content_digest(0, as_bytes(payload));
        const std::string events = impl->folder + "/events";
        impl->events = FileDescriptor(::open(events.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (!impl->events.valid()) return errno_status("cannot create '" + events + "'", errno);
        return sync_directory(impl->folder);
    }();
    if (!made.ok()) {
        remove_log(impl->folder).ignore();  // the first failure is the one to report
        return made;
    }
    impl->zstd.reset(ZSTD_createCCtx());
    if (!impl->zstd) return Status(Category::kInternal, "cannot create a zstd context");
    impl->zstd_level = options.zstd_level;
    impl->manifest = std::move(manifest);
    impl->encoder.start(impl->digest);
    return std::unique_ptr<LogWriter>(new LogWriter(std::move(impl)));
}

LogWriter::LogWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LogWriter::~LogWriter() {
    if (impl_->open) abandon().ignore();  // who wants to know calls it himself
}

// Why the encoder does not take the record at the start of `bytes`; ok if it only is not all there.
Status LogWriter::Impl::refuse(std::span<const std::byte> bytes) const {
    const std::string where = "record " + std::to_string(update_progress().records);
    Record record;
    const Result<std::size_t> size = decode_ring(bytes, record);
    if (!size.ok()) return size.status().at(where);
    if (*size == 0) return {};
    const std::string what = where + ": a record of class " + std::string(class_name(record.cls));
    if (ended) return {Category::kInternal, what + " follows END"};
    return {Category::kInternal, what + " is never stored in a log"};
}

const Summary& LogWriter::Impl::update_progress() const {
    progress = written;
    const auto& classes = encoder.class_records();
    for (std::size_t cls = 0; cls < classes.size(); ++cls) progress.class_records[cls] += classes[cls];
    progress.ordinals += classes[CASM_CLS_ENTRY];
    progress.records += encoder.records();
    progress.ring_bytes += encoder.ring_bytes();
    return progress;
}

Status LogWriter::append(const Record& record) {
    Impl& impl = *impl_;
    impl.scratch.clear();
    CASM_TRY(encode_ring(record, impl.scratch));
    std::size_t taken = 0;
    CASM_ASSIGN(taken, append_ring(impl.scratch));
    if (taken != impl.scratch.size()) return {Category::kInternal, "a whole record was not taken"};
    return {};
}

Result<std::size_t> LogWriter::append_ring(std::span<const std::byte> bytes) {
    Impl& impl = *impl_;
    if (!impl.failure.ok()) return impl.failure;
    if (!impl.open) return Status(Category::kInternal, "the log is closed already");
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const std::size_t more = impl.ended ? 0 : impl.encoder.add(bytes.subspan(taken));
        if (more == 0) {
            CASM_TRY(impl.refuse(bytes.subspan(taken)));
            break;
        }
        taken += more;
        if (const casm_rec end = impl.encoder.end_header(); end.cls == CASM_CLS_END) {
            impl.ended = true;
            impl.written.end_reason = end.kind;
            impl.written.end_code = end.aux;
        }
        if (impl.encoder.full()) CASM_TRY(impl.write_chunk());
    }
    return taken;
}

// Puts the payload as it will be stored into `stored`, behind room for the header, and says in `chunk` how.
// Two zstd frames: one for what compresses, one (with next to no effort) for the rest.
char* LogWriter::Impl::compress(const EncodedChunk& encoded, ChunkInfo& chunk) {
    const std::string_view raw = encoded.raw;
    const std::array<std::string_view, 2> parts = {raw.substr(0, encoded.noise_at),
                                                   raw.substr(encoded.noise_at)};
    const std::array<int, 2> levels = {zstd_level, kNoEffort};
    stored.resize(kChunkHeaderBytes + ZSTD_compressBound(parts[0].size()) +
                  ZSTD_compressBound(parts[1].size()));
    char* const payload = stored.data() + kChunkHeaderBytes;
    const std::size_t room = stored.size() - kChunkHeaderBytes;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < parts.size() && bytes < raw.size(); ++i) {
        if (parts[i].empty()) continue;
        ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_compressionLevel, levels[i]);
        const std::size_t part =
            ZSTD_compress2(zstd.get(), payload + bytes, room - bytes, parts[i].data(), parts[i].size());
        bytes = ZSTD_isError(part) != 0 ? raw.size() : bytes + part;
    }
    if (bytes < raw.size()) {
        chunk.flags = kChunkFlagZstd;
        chunk.stored_bytes = static_cast<std::uint32_t>(bytes);
    } else {
        std::memcpy(payload, raw.data(), raw.size());
        chunk.stored_bytes = chunk.raw_bytes;
    }
    return payload;
}

Status LogWriter::Impl::write_chunk() {
    if (!failure.ok()) return failure;
    if (encoder.records() == 0) return {};
    const auto& classes = encoder.class_records();

    ChunkInfo chunk;
    chunk.offset = written.events_bytes;
    chunk.first_record = written.records;
    chunk.first_ordinal = written.ordinals;
    chunk.records = encoder.records();
    chunk.ordinals = classes[CASM_CLS_ENTRY];
    chunk.ring_bytes = static_cast<std::uint32_t>(encoder.ring_bytes());
    chunk.digest_before = digest;
    chunk.digest_after = encoder.digest();
    const EncodedChunk encoded = encoder.finish();
    chunk.raw_bytes = static_cast<std::uint32_t>(encoded.raw.size());
    char* const payload = compress(encoded, chunk);
    chunk.payload_crc = crc32c(std::as_bytes(std::span(payload, chunk.stored_bytes)));
    const auto header = frame_chunk(chunk, chunks.size());
    std::memcpy(stored.data(), header.data(), header.size());

    // One write for header and payload. A part of it may reach the file when the disk is full: the reader
    // cuts that off.
    failure = write_all(events.get(),
                        std::as_bytes(std::span(stored)).first(kChunkHeaderBytes + chunk.stored_bytes),
                        folder + "/events");
    CASM_TRY(failure);
    update_progress();
    progress.events_bytes += kChunkHeaderBytes + chunk.stored_bytes;
    written = progress;
    chunks.push_back(chunk);
    digest = chunk.digest_after;
    encoder.start(digest);
    return {};
}

Status LogWriter::flush() {
    return impl_->write_chunk();
}

Status LogWriter::Impl::finish_files(const Summary& summary) {
    CASM_TRY(sync_file(events.get(), folder + "/events"));
    const std::string index = serialize_index(chunks);
    if (index.size() > kIndexBytesMax) return {Category::kInternal, "the index is too large"};
    CASM_TRY(create_file(folder + "/index", as_bytes(frame_file(kIndexMagic, index)), true));
    std::string payload;
    CASM_ASSIGN(payload, serialize(summary));
    if (payload.size() > kSummaryBytesMax)
        return {Category::kInternal, "the summary is too large: too many measurements"};
    CASM_TRY(create_file(folder + "/summary", as_bytes(frame_file(kSummaryMagic, payload)), true));
    return sync_directory(folder);
}

Status LogWriter::close(const Summary& summary) {
    Impl& impl = *impl_;
    if (!impl.open) return {Category::kInternal, "the log is closed already"};
    if (!impl.failure.ok()) return impl.failure;
    if (!impl.ended)
        return {Category::kInternal, "the recording has no END: the log stays in '" + impl.folder + "'"};
    if (exists(impl.path))
        return {Category::kUsage,
                "'" + impl.path + "' was created meanwhile: the log stays in '" + impl.folder + "'"};
    CASM_TRY(impl.write_chunk());
    impl.written.chunks = impl.chunks.size();
    impl.written.content_digest = impl.digest;
    impl.written.closed_unix_s = std::time(nullptr);
    impl.written.measurements = summary.measurements;
    if (!impl.finished) {
        const Status status = impl.finish_files(impl.written);
        if (!status.ok()) {
            // Not a whole log: no summary may say that it is.
            ::unlink((impl.folder + "/summary").c_str());
            ::unlink((impl.folder + "/index").c_str());
            return status;
        }
        impl.finished = true;
    }
    CASM_TRY(rename_new(impl.folder, impl.path));
    impl.folder = impl.path;
    impl.open = false;
    impl.events.reset();
    return sync_directory(parent_of(impl.path));
}

Status LogWriter::abandon() {
    Impl& impl = *impl_;
    if (!impl.open) return {};
    impl.open = false;
    Status status = impl.write_chunk();
    impl.events.reset();
    return status;
}

Status LogWriter::discard() {
    Impl& impl = *impl_;
    if (!impl.open) return {Category::kInternal, "the log is closed already"};
    impl.open = false;
    impl.events.reset();
    return remove_log(impl.folder);
}

const Manifest& LogWriter::manifest() const {
    return impl_->manifest;
}

const Summary& LogWriter::progress() const {
    return impl_->update_progress();
}

std::uint64_t LogWriter::size_estimate_bytes() const {
    // What is not compressed yet is taken to shrink like what was; an eighth is typical.
    const Summary& written = impl_->written;
    const std::uint64_t waiting = impl_->encoder.ring_bytes();
    if (written.ring_bytes == 0) return waiting / 8;
    return written.events_bytes + waiting * written.events_bytes / written.ring_bytes;
}

const std::string& LogWriter::folder() const {
    return impl_->folder;
}

}  // namespace casmotion
