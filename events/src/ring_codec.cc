// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/ring_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "casmotion/taxonomy.h"

namespace casmotion {

// The ABI is little-endian and both sides of a ring run on the same x86 host.
static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::size_t pad8(std::size_t bytes) {
    return (bytes + 7) & ~std::size_t{7};
}

Status bad_header(const casm_rec& header, const std::string& what) {
    return log_invalid("ring record of class " + std::to_string(header.cls) + " (" +
                       std::string(class_name(header.cls)) + "): " + what);
}

// Reads and checks a header of which all 8 bytes are there. `size_bytes` is set on success.
Status read_header(std::span<const std::byte> bytes, casm_rec& header, std::size_t& size_bytes) {
    std::memcpy(&header, bytes.data(), sizeof(header));
    const RecordLayout& layout = kLayouts[header.cls];
    if (!layout.known) return bad_header(header, "no such class");
    if (!layout.has_kind && header.kind != 0)
        return bad_header(header,
                          "has no field in 'kind', which is " + std::to_string(header.kind) + ", not 0");
    if (!layout.has_aux && header.aux != 0)
        return bad_header(header,
                          "has no field in 'aux', which is " + std::to_string(header.aux) + ", not 0");
    std::size_t blob_bytes = 0;
    if (layout.has_blob) {
        blob_bytes = header.check;
        if (blob_bytes == 0 || blob_bytes > CASM_BLOB_MAX_BYTES)
            return bad_header(header, "blob of " + std::to_string(blob_bytes) + " bytes, must be 1 to " +
                                          std::to_string(CASM_BLOB_MAX_BYTES));
    } else if (!layout.has_check && header.check != 0) {
        return bad_header(header,
                          "has no field in 'check', which is " + std::to_string(header.check) + ", not 0");
    }
    size_bytes = sizeof(casm_rec) + layout.words * std::size_t{8} + pad8(blob_bytes);
    return {};
}

Status out_of_range(const RecordView& record, std::string_view field, std::uint64_t value,
                    const std::string& range) {
    return {Category::kRefuted, std::string(class_name(record.cls)) + "." + std::string(field) + " is " +
                                    std::to_string(value) + ", must be " + range};
}

}  // namespace

std::size_t ring_size_bytes(const Record& record) {
    const RecordLayout& layout = kLayouts[record.cls];
    return sizeof(casm_rec) + layout.words * std::size_t{8} +
           (layout.has_blob ? pad8(record.blob.size()) : 0);
}

Result<std::size_t> peek_ring_size(std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(casm_rec)) return std::size_t{0};
    casm_rec header;
    std::size_t size_bytes = 0;
    CASM_TRY(read_header(bytes, header, size_bytes));
    return size_bytes;
}

Status encode_ring(const Record& record, std::vector<std::byte>& out) {
    const RecordLayout& layout = kLayouts[record.cls];
    casm_rec header{.cls = record.cls, .kind = record.kind, .check = record.check, .aux = record.aux};
    if (layout.has_blob) {
        // More than 65535 bytes do not fit into `check`; anything over the limit is refused by read_header
        // below.
        header.check = static_cast<std::uint16_t>(std::min<std::size_t>(record.blob.size(), 0xffff));
    } else if (!record.blob.empty()) {
        return {Category::kInternal, "class " + std::string(class_name(record.cls)) + " has no blob"};
    }
    for (std::size_t i = layout.words; i < record.w.size(); ++i)
        if (record.w[i] != 0)
            return {Category::kInternal,
                    "class " + std::string(class_name(record.cls)) + " has no word " + std::to_string(i)};
    std::byte head[sizeof(header)];
    std::memcpy(head, &header, sizeof(header));
    std::size_t size_bytes = 0;
    if (Status status = read_header(head, header, size_bytes); !status.ok())
        return {Category::kInternal, status.message()};

    const std::size_t start = out.size();
    out.resize(start + size_bytes);  // zero-fills the padding
    std::byte* at = out.data() + start;
    std::memcpy(at, head, sizeof(head));
    at += sizeof(head);
    std::memcpy(at, record.w.data(), layout.words * std::size_t{8});
    at += layout.words * std::size_t{8};
    if (!record.blob.empty()) std::memcpy(at, record.blob.data(), record.blob.size());
    return {};
}

Result<std::size_t> view_ring(std::span<const std::byte> bytes, RecordView& record) {
    if (bytes.size() < sizeof(casm_rec)) return std::size_t{0};
    casm_rec header;
    std::size_t size_bytes = 0;
    CASM_TRY(read_header(bytes, header, size_bytes));
    if (bytes.size() < size_bytes) return std::size_t{0};

    const RecordLayout& layout = kLayouts[header.cls];
    record.cls = header.cls;
    record.kind = header.kind;
    record.check = header.check;
    record.aux = header.aux;
    record.w = {};
    std::memcpy(record.w.data(), bytes.data() + sizeof(header), layout.words * std::size_t{8});
    record.blob = {};
    if (layout.has_blob) {
        const std::size_t start = sizeof(header) + layout.words * std::size_t{8};
        const auto* blob = reinterpret_cast<const std::uint8_t*>(bytes.data() + start);
        record.blob = {blob, header.check};
        for (std::size_t i = start + header.check; i < size_bytes; ++i)
            if (bytes[i] != std::byte{0}) return bad_header(header, "padding behind the blob is not zero");
    }
    return size_bytes;
}

Result<std::size_t> decode_ring(std::span<const std::byte> bytes, Record& record) {
    RecordView view;
    std::size_t size_bytes = 0;
    CASM_ASSIGN(size_bytes, view_ring(bytes, view));
    record.cls = view.cls;
    record.kind = view.kind;
    record.check = view.check;
    record.aux = view.aux;
    record.w = view.w;
    record.blob.assign(view.blob.begin(), view.blob.end());
    return size_bytes;
}

namespace {

// The blob of an APOINT: address of the branch that retired last, RCX, RSP.
constexpr std::size_t kApointStateBytes = 3 * sizeof(std::uint64_t);

// Where code of a 64-bit PV guest can be: what lies between is not canonical, or Xen's. The same rule as
// casm_tm_guest_address() of timematch/core, which never sets a breakpoint elsewhere.
bool is_guest_address(std::uint64_t address) {
    return address < 0x0000'8000'0000'0000 || address >= 0xffff'8800'0000'0000;
}

std::uint64_t word_at(std::span<const std::uint8_t> blob, std::size_t offset) {
    std::uint64_t word;
    std::memcpy(&word, blob.data() + offset, sizeof(word));
    return word;
}

Status check_apoint(const RecordView& record) {
    if (apoint_kind_name(record.kind).empty())
        return out_of_range(record, "kind", record.kind, "1 (canonical) or 2 (by state)");
    if (record.w[0] >> 63 != 0) return out_of_range(record, "branches", record.w[0], "less than 2^63");
    if (!is_guest_address(record.w[1]))
        return out_of_range(record, "rip", record.w[1], "an address that guest code can have");
    if (record.blob.size() != kApointStateBytes)
        return {Category::kRefuted, "apoint.state has " + std::to_string(record.blob.size()) +
                                        " bytes, must be " + std::to_string(kApointStateBytes)};
    const std::uint64_t from = word_at(record.blob, 0);
    if (record.kind == CASM_APOINT_CANONICAL && (record.w[0] == 0 || from == 0 || !is_guest_address(from)))
        return {
            Category::kRefuted,
            "a canonical apoint needs a branch: branches must not be 0, and the branch's address not 0 and "
            "one that guest code can have"};
    if (record.kind == CASM_APOINT_BY_STATE && from != 0 && from >> 62 != CASM_APOINT_TRANSFERS >> 62)
        return {Category::kRefuted,
                "an apoint named by state has no branch: it says where to look for it, or 0"};
    return {};
}

}  // namespace

Status check_fields(const RecordView& record) {
    const auto cls = static_cast<casm_class>(record.cls);
    switch (cls) {
        case CASM_CLS_ENTRY:
            if (!is_entry_kind(record.kind))
                return out_of_range(record, "kind", record.kind, "an entry kind, 1 to 6");
            return {};
        case CASM_CLS_TSC:
            if (!is_tsc_quanta(record.w[0]))
                return out_of_range(record, "quanta", record.w[0], "less than 2^56");
            return {};
        case CASM_CLS_EVTCHN:
            if (record.aux == 0 || record.aux >= CASM_PORTS_MAX)
                return out_of_range(record, "port", record.aux, "1 to " + std::to_string(CASM_PORTS_MAX - 1));
            return {};
        case CASM_CLS_RING:
            if (bridge_page_name(record.kind).empty())
                return out_of_range(record, "page", record.kind, "0 (console) or 1 (xenstore)");
            if (record.blob.size() > CASM_BRIDGE_WRITE_MAX_BYTES)
                return out_of_range(record, "bytes", record.blob.size(),
                                    "at most " + std::to_string(CASM_BRIDGE_WRITE_MAX_BYTES) + " of them");
            [[fallthrough]];
        case CASM_CLS_INIT:
            if (record.blob.empty() || record.aux > 4096 || record.aux + record.blob.size() > 4096)
                return out_of_range(
                    record, "offset", record.aux,
                    "at most " + std::to_string(4096 - std::min<std::size_t>(record.blob.size(), 4096)) +
                        " with " + std::to_string(record.blob.size()) + " bytes in a page of 4096");
            return {};
        case CASM_CLS_DIGEST:
            if (digest_when_name(record.kind).empty())
                return out_of_range(record, "when", record.kind,
                                    "0 (start), 1 (periodic), 2 (end) or 3 (stop)");
            return {};
        case CASM_CLS_END:
            if (record.kind == CASM_END_NONE || record.kind >= CASM_END_DIVERGED)
                return out_of_range(record, "reason", record.kind, "1 to 4");
            if (record.kind != CASM_END_SHUTDOWN && record.kind != CASM_END_CRASHED && record.aux != 0)
                return out_of_range(record, "code", record.aux, "0 unless the guest shut down or crashed");
            if (record.blob.size() != CASM_CLASSES_MAX * sizeof(std::uint64_t))
                return {Category::kRefuted, "end.applied has " + std::to_string(record.blob.size()) +
                                                " bytes, must be " +
                                                std::to_string(CASM_CLASSES_MAX * sizeof(std::uint64_t))};
            return {};
        case CASM_CLS_APOINT:
            return check_apoint(record);
        case CASM_CLS_MSR:
        case CASM_CLS_CPUID:
        case CASM_CLS_RESULT:
        case CASM_CLS_OUTMEM:
        case CASM_CLS_CONSOLE:
        case CASM_CLS_BRANCHES:
            return {};  // any value: the codec bounds the blob
    }
    return {Category::kRefuted, "class " + std::to_string(record.cls) + " does not exist"};
}

}  // namespace casmotion
