// SPDX-License-Identifier: GPL-2.0-or-later
//
// Decodes a chunk in two steps: first everything is parsed, counted and checked, then the records are put
// together in a buffer of the right size, which cannot fail.
#include <google/protobuf/io/coded_stream.h>

#include <cstring>
#include <utility>

#include "casmotion/log/v1/log.pb.h"
#include "chunk_codec.h"

namespace casmotion {

namespace pb = log::v1;

namespace {

constexpr std::size_t kFieldCount = kFields.size();

std::uint64_t max_of(Place place) {
    switch (place) {
        case Place::kKind:
            return 0xff;
        case Place::kCheck:
            return 0xffff;
        case Place::kAux:
            return 0xffffffff;
        case Place::kW0:
        case Place::kW1:
        case Place::kW2:
            return ~std::uint64_t{0};
        case Place::kBlob:
            return CASM_BLOB_MAX_BYTES;
    }
    return 0;
}

Status bad_column(const FieldInfo& field, const std::string& what) {
    return log_invalid("column " + std::string(class_name(field.cls)) + "." + std::string(field.name) + ": " +
                       what);
}

struct Shape {
    std::uint8_t cls = 0;
    bool open = false;
    std::uint64_t header = 0;  // of a closed shape: what its records have in common
};

struct Columns {
    std::string_view shapes;  // of the records
    std::vector<Shape> dictionary;
    std::array<pb::Column, kFieldCount> column;
    std::array<bool, kFieldCount> present{};
};

constexpr std::size_t index_of(const FieldInfo& field) {
    return static_cast<std::size_t>(&field - kFields.data());
}

constexpr std::size_t kShapesMax = 256;

Status parse_shape(std::string_view part, Columns& out) {
    pb::Shape shape;
    if (!shape.ParseFromArray(part.data(), static_cast<int>(part.size())))
        return log_invalid("a shape is not a valid message");
    if (out.dictionary.size() == kShapesMax) return log_invalid("more than 256 shapes");
    const std::string what =
        "shape " + std::to_string(out.dictionary.size()) + " of class " + std::to_string(shape.cls());
    if (shape.cls() > 0xff || !kLayouts[shape.cls()].logged)
        return log_invalid(what + ", which is in no log");
    const RecordLayout& layout = kLayouts[shape.cls()];
    if (shape.kind() > (layout.has_kind && !shape.open() ? 0xff : 0) ||
        (shape.aux() != 0 && (!layout.has_aux || shape.open())))
        return log_invalid(what + " has a kind or aux that the class cannot have");
    out.dictionary.push_back(
        {static_cast<std::uint8_t>(shape.cls()), shape.open(),
         shape.cls() | std::uint64_t{shape.kind()} << 8 | std::uint64_t{shape.aux()} << 32});
    return {};
}

Status parse_column(std::string_view part, Columns& out) {
    pb::Column column;
    if (!column.ParseFromArray(part.data(), static_cast<int>(part.size())))
        return log_invalid("a column is not a valid message");
    const auto fields = fields_of(static_cast<std::uint8_t>(column.cls()));
    if (column.cls() > 0xff || column.field() >= fields.size())
        return log_invalid("column for field " + std::to_string(column.field()) + " of class " +
                           std::to_string(column.cls()) + ", which does not exist");
    const std::size_t field = index_of(fields[column.field()]);
    if (out.present[field]) return bad_column(kFields[field], "occurs twice");
    out.present[field] = true;
    out.column[field].Swap(&column);
    return {};
}

// Splits the message Chunk into its parts. Not by the generated code: millions of empty columns in a small
// payload would take hundreds of megabytes. Shapes and columns are few, so nothing here grows by more than a
// constant factor.
Status split(std::string_view raw, Columns& out) {
    using google::protobuf::io::CodedInputStream;
    const auto* data = reinterpret_cast<const std::uint8_t*>(raw.data());
    CodedInputStream in(data, static_cast<int>(raw.size()));
    bool have_shapes = false;
    while (const std::uint32_t tag = in.ReadTag()) {
        std::uint32_t bytes = 0;
        if ((tag & 7) != 2 || tag > (3 << 3 | 2) || !in.ReadVarint32(&bytes) ||
            bytes > raw.size() - static_cast<std::size_t>(in.CurrentPosition()))
            return log_invalid("the payload is not a valid message");
        const std::string_view part = raw.substr(static_cast<std::size_t>(in.CurrentPosition()), bytes);
        if (!in.Skip(static_cast<int>(bytes))) return log_invalid("the payload is not a valid message");
        switch (tag >> 3) {
            case 1:
                if (have_shapes) return log_invalid("two lists of shapes");
                have_shapes = true;
                out.shapes = part;
                break;
            case 2:
                CASM_TRY(parse_shape(part, out));
                break;
            default:
                CASM_TRY(parse_column(part, out));
                break;
        }
    }
    if (!in.ConsumedEntireMessage()) return log_invalid("the payload is not a valid message");
    if (!have_shapes) return log_invalid("no list of shapes");
    return {};
}

// Unpacks the values of a FIXED16 column into `plain`.
Status unpack_bits(const FieldInfo& field, pb::Column& column, std::size_t count) {
    const std::uint32_t bits = column.bits();
    if (bits > 16) return bad_column(field, std::to_string(bits) + " bits per value, must be 0 to 16");
    const std::string packed = std::move(*column.mutable_packed());
    if (packed.size() != (count * bits + 7) / 8)
        return bad_column(field, std::to_string(packed.size()) + " bytes for " + std::to_string(count) +
                                     " values of " + std::to_string(bits) + " bits");
    auto* plain = column.mutable_plain();
    plain->Reserve(static_cast<int>(count));
    std::uint64_t pending = 0;
    unsigned pending_bits = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
        while (pending_bits < bits) {
            pending |= std::uint64_t{static_cast<std::uint8_t>(packed[at++])} << pending_bits;
            pending_bits += 8;
        }
        plain->AddAlreadyReserved(pending & ((std::uint64_t{1} << bits) - 1));
        pending >>= bits;
        pending_bits -= bits;
    }
    if (pending != 0) return bad_column(field, "the bits behind the last value are not zero");
    return {};
}

// Brings a column into its final form, its values in `plain` (lengths of blobs too), and checks count and
// ranges. Adds the bytes that its blobs take in a ring to `blob_ring_bytes`.
Status check_column(const FieldInfo& field, pb::Column& column, std::size_t count,
                    std::uint64_t& blob_ring_bytes) {
    const Encoding encoding = field.encoding;
    if ((encoding != Encoding::kPlain && column.plain_size() != 0) ||
        (encoding != Encoding::kDelta && column.delta_size() != 0) ||
        (encoding != Encoding::kFixed16 && (column.bits() != 0 || !column.packed().empty())) ||
        (encoding != Encoding::kBytes && (column.lengths_size() != 0 || !column.blob().empty())))
        return bad_column(field, "holds values of another encoding than " + std::string(name_of(encoding)));
    auto* plain = column.mutable_plain();
    switch (encoding) {
        case Encoding::kPlain:
            break;
        case Encoding::kDelta: {
            plain->Reserve(column.delta_size());
            std::uint64_t value = 0;
            for (const std::int64_t delta : column.delta()) {
                value += static_cast<std::uint64_t>(delta);
                plain->AddAlreadyReserved(value);
            }
            break;
        }
        case Encoding::kFixed16:
            CASM_TRY(unpack_bits(field, column, count));
            break;
        case Encoding::kBytes:
            plain->Reserve(column.lengths_size());
            for (const std::uint32_t length : column.lengths()) plain->AddAlreadyReserved(length);
            break;
    }
    if (static_cast<std::size_t>(plain->size()) != count)
        return bad_column(
            field, std::to_string(plain->size()) + " values for " + std::to_string(count) + " records");
    const std::uint64_t max = max_of(field.place);
    std::uint64_t blob_bytes = 0;
    for (const std::uint64_t value : *plain) {
        if (value > max || (encoding == Encoding::kBytes && value == 0))
            return bad_column(field, "value " + std::to_string(value) + " is out of range");
        blob_bytes += value;  // meaningful for BYTES only
        blob_ring_bytes += encoding == Encoding::kBytes ? (value + 7) & ~std::uint64_t{7} : 0;
    }
    if (encoding == Encoding::kBytes && blob_bytes != column.blob().size())
        return bad_column(field, std::to_string(column.blob().size()) + " bytes, the lengths add up to " +
                                     std::to_string(blob_bytes));
    return {};
}

// Where the next values of each class and field are.
struct Position {
    std::array<std::size_t, CASM_CLASSES_MAX> record{};
    std::array<std::size_t, CASM_CLASSES_MAX> open_record{};
    std::array<std::size_t, kFieldCount> blob{};
};

template <casm_class kClass>
std::byte* take_record(const Columns& columns, const Shape& shape, Position& position, std::byte* to) {
    constexpr RecordLayout kLayout = kLayouts[kClass];
    constexpr auto kMine = fields_of(kClass);
    constexpr std::size_t kFirst = static_cast<std::size_t>(kMine.data() - kFields.data());
    const auto index = static_cast<int>(position.record[kClass]++);
    const auto open_index = static_cast<int>(shape.open ? position.open_record[kClass]++ : 0);
    std::uint64_t header = shape.header;
    std::array<std::uint64_t, 3> words{};
    const char* blob = nullptr;
    std::size_t blob_bytes = 0;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        const auto take = [&]<std::size_t kIndex>() {
            constexpr Place place = kFields[kIndex].place;
            const pb::Column& column = columns.column[kIndex];
            if constexpr (place == Place::kKind) {
                if (shape.open) header |= column.plain(open_index) << 8;
            } else if constexpr (place == Place::kAux) {
                if (shape.open) header |= column.plain(open_index) << 32;
            } else if constexpr (place == Place::kCheck) {
                header |= column.plain(index) << 16;
            } else if constexpr (place == Place::kBlob) {
                blob_bytes = column.plain(index);
                header |= std::uint64_t{blob_bytes} << 16;
                blob = column.blob().data() + position.blob[kIndex];
                position.blob[kIndex] += blob_bytes;
            } else {
                words[static_cast<std::size_t>(place) - static_cast<std::size_t>(Place::kW0)] =
                    column.plain(index);
            }
        };
        (take.template operator()<kFirst + I>(), ...);
    }
    (std::make_index_sequence<kMine.size()>());
    std::memcpy(to, &header, sizeof(header));
    to += sizeof(header);
    std::memcpy(to, words.data(), kLayout.words * std::size_t{8});
    to += kLayout.words * std::size_t{8};
    if constexpr (kLayout.has_blob) {
        std::memcpy(to, blob, blob_bytes);
        const std::size_t padded = (blob_bytes + 7) & ~std::size_t{7};
        std::memset(to + blob_bytes, 0, padded - blob_bytes);
        to += padded;
    }
    return to;
}

}  // namespace

Status decode_chunk(std::string_view raw, const ChunkInfo& chunk, std::vector<std::byte>& ring) {
    if (raw.size() > kChunkRawBytesMax) return log_invalid("the payload is too large");
    Columns columns;
    CASM_TRY(split(raw, columns));
    if (columns.shapes.size() != chunk.records)
        return log_invalid("the payload has " + std::to_string(columns.shapes.size()) +
                           " records, the header says " + std::to_string(chunk.records));
    std::array<std::size_t, CASM_CLASSES_MAX> count{}, open_count{};
    for (const char index : columns.shapes) {
        const auto at = static_cast<std::uint8_t>(index);
        if (at >= columns.dictionary.size()) return log_invalid("no shape " + std::to_string(at));
        const Shape& shape = columns.dictionary[at];
        ++count[shape.cls];
        open_count[shape.cls] += shape.open ? 1 : 0;
    }
    std::uint64_t ring_bytes = 0;
    for (std::size_t cls = 0; cls < count.size(); ++cls)
        ring_bytes += count[cls] * (sizeof(casm_rec) + kLayouts[cls].words * std::uint64_t{8});
    if (count[CASM_CLS_ENTRY] != chunk.ordinals)
        return log_invalid("the payload has " + std::to_string(count[CASM_CLS_ENTRY]) +
                           " entries, the header says " + std::to_string(chunk.ordinals));
    for (std::size_t i = 0; i < kFieldCount; ++i) {
        const FieldInfo& field = kFields[i];
        const bool by_shape = field.place == Place::kKind || field.place == Place::kAux;
        const std::size_t values = by_shape ? open_count[field.cls] : count[field.cls];
        if (columns.present[i] != (values != 0))
            return bad_column(field, columns.present[i] ? "there is no record for it" : "is missing");
        if (columns.present[i]) CASM_TRY(check_column(field, columns.column[i], values, ring_bytes));
    }
    if (ring_bytes != chunk.ring_bytes)
        return log_invalid("the records take " + std::to_string(ring_bytes) +
                           " bytes in a ring, the header says " + std::to_string(chunk.ring_bytes));

    ring.resize(ring_bytes);
    std::byte* to = ring.data();
    Position position;
    for (const char index : columns.shapes) {
        const Shape& shape = columns.dictionary[static_cast<std::uint8_t>(index)];
        switch (static_cast<casm_class>(shape.cls)) {
#define CASM_CLASS(id, SYMBOL, ...)                                        \
    case CASM_CLS_##SYMBOL:                                                \
        to = take_record<CASM_CLS_##SYMBOL>(columns, shape, position, to); \
        break;
#include "casm_taxonomy.def"
        }
    }
    return {};
}

}  // namespace casmotion
