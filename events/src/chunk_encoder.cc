// SPDX-License-Identifier: GPL-2.0-or-later
//
// The encoder writes the protobuf wire format itself: the generated code walks every value twice and costs
// several times more, and this runs while the guest waits. The reader parses with the generated code, so that
// the two check each other.
#define XXH_INLINE_ALL  // no library to link, and no call
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "chunk_codec.h"

namespace casmotion {

namespace {

constexpr std::size_t kFieldCount = kFields.size();

// A chunk is closed when its records take this much in a ring; one more record may follow the last byte below
// it.
constexpr std::size_t kChunkTargetBytes = 1u << 20;
static_assert(kChunkTargetBytes + CASM_REC_MAX_BYTES <= kChunkRingBytesMax);

// Longest varint of a value that comes from `place`.
constexpr std::size_t varint_bytes_max(Place place, Encoding encoding) {
    if (encoding == Encoding::kDelta) return 10;
    switch (place) {
        case Place::kKind:
            return 2;
        case Place::kCheck:
            return 3;
        case Place::kAux:
            return 5;
        case Place::kW0:
        case Place::kW1:
        case Place::kW2:
            return 10;
        case Place::kBlob:
            return 2;  // its length, at most CASM_BLOB_MAX_BYTES
    }
    return 10;
}

inline std::uint8_t* put_varint(std::uint8_t* at, std::uint64_t value) {
    while (value >= 0x80) {
        *at++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    *at++ = static_cast<std::uint8_t>(value);
    return at;
}

constexpr std::uint64_t zigzag(std::uint64_t value) {
    return (value << 1) ^ (0 - (value >> 63));
}

std::size_t varint_bytes(std::uint64_t value) {
    std::size_t bytes = 1;
    while (value >= 0x80) {
        value >>= 7;
        ++bytes;
    }
    return bytes;
}

// A buffer whose memory is only reserved, not cleared, so that growing to the worst case costs nothing.
class Buffer {
  public:
    // Makes room for `bytes`; the content is lost.
    std::uint8_t* reserve(std::size_t bytes) {
        if (bytes > capacity_) {
            memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);
            capacity_ = bytes;
        }
        return memory_.get();
    }
    [[nodiscard]] std::uint8_t* begin() const { return memory_.get(); }

  private:
    std::unique_ptr<std::uint8_t[]> memory_;
    std::size_t capacity_ = 0;
};

// Tag of a protobuf field with a number below 16.
constexpr std::uint8_t kVarint = 0, kBytes = 2;
constexpr std::uint8_t tag(unsigned number, std::uint8_t type) {
    return static_cast<std::uint8_t>(number << 3 | type);
}

// Has this field a column for records whose shape is `open`?
constexpr bool has_column(const FieldInfo& field, bool open) {
    return open || (field.place != Place::kKind && field.place != Place::kAux);
}

template <std::size_t kIndex, bool kOpen>
inline void put_field(std::uint8_t*& values, std::uint8_t*& blobs, std::uint64_t& state, std::uint64_t header,
                      const std::byte* payload) {
    constexpr FieldInfo kField = kFields[kIndex];
    if constexpr (!has_column(kField, kOpen)) return;
    std::uint64_t value = 0;
    if constexpr (kField.place == Place::kKind) {
        value = (header >> 8) & 0xff;
    } else if constexpr (kField.place == Place::kCheck || kField.place == Place::kBlob) {
        value = (header >> 16) & 0xffff;
    } else if constexpr (kField.place == Place::kAux) {
        value = header >> 32;
    } else {
        constexpr std::size_t word =
            static_cast<std::size_t>(kField.place) - static_cast<std::size_t>(Place::kW0);
        std::memcpy(&value, payload + 8 * word, sizeof(value));
    }

    if constexpr (kField.encoding == Encoding::kPlain) {
        values = put_varint(values, value);
    } else if constexpr (kField.encoding == Encoding::kDelta) {
        values = put_varint(values, zigzag(value - state));
        state = value;
    } else if constexpr (kField.encoding == Encoding::kFixed16) {
        const auto word = static_cast<std::uint16_t>(value);
        std::memcpy(values, &word, sizeof(word));
        values += sizeof(word);
        state |= value;
    } else {
        values = put_varint(values, value);
        std::memcpy(blobs, payload + kLayouts[kField.cls].words * std::size_t{8}, value);
        blobs += value;
    }
}

// Records whose KIND and AUX rarely repeat have open shapes: those with a blob (offsets), and those with a
// key in AUX (MSR numbers, CPUID leaves), which would fill the dictionary. Those without KIND and AUX too: an
// open shape needs no look-up.
constexpr bool is_open(std::uint8_t id) {
    if (!kLayouts[id].has_kind && !kLayouts[id].has_aux) return true;
    for (const FieldInfo& field : fields_of(id))
        if (field.place == Place::kAux && field.role == Role::kKey) return true;
    return kLayouts[id].has_blob;
}

// A shape, as the header of a record without its check word.
constexpr std::uint64_t shape_of(std::uint64_t header) {
    return header & ~(std::uint64_t{0xffff} << 16);
}

// The shapes of one chunk. A hash table with open addressing, so big for so few shapes that the first look
// nearly always hits.
class Dictionary {
  public:
    static constexpr std::size_t kShapesMax = 256;

    void clear() {
        slots_.fill({});
        last_ = {};
        shapes_.clear();
        open_.fill(-1);
    }

    // Index of closed shape `key`, or -1 if the dictionary has no room for it.
    int closed(std::uint64_t key) {
        if (key == last_.key) return last_.shape;
        std::size_t at = (key * 0x9e3779b97f4a7c15u) >> (64 - kSlotBits);
        while (slots_[at].key != key) {
            if (slots_[at].key == 0) return add_closed(key, at);
            at = (at + 1) % slots_.size();
        }
        last_ = slots_[at];
        return last_.shape;
    }

    // Index of the open shape of class `cls`; there is always room.
    std::uint8_t open(std::uint8_t cls) {
        if (open_[cls] < 0) add_open(cls);
        return static_cast<std::uint8_t>(open_[cls]);
    }

    struct Shape {
        std::uint64_t key;
        bool open;
    };
    [[nodiscard]] const std::vector<Shape>& shapes() const { return shapes_; }

  private:
    struct Slot {
        std::uint64_t key = 0;  // no record has class 0
        std::uint8_t shape = 0;
    };
    static constexpr unsigned kSlotBits = 10;

    [[gnu::noinline]] int add_closed(std::uint64_t key, std::size_t at) {
        const std::size_t index = shapes_.size();
        if (index >= kShapesMax - CASM_CLASSES_MAX) return -1;  // the rest is for the open ones
        shapes_.push_back({key, false});
        slots_[at] = {key, static_cast<std::uint8_t>(index)};
        return static_cast<int>(index);
    }

    [[gnu::noinline]] void add_open(std::uint8_t cls) {
        open_[cls] = static_cast<int>(shapes_.size());
        shapes_.push_back({cls, true});
    }

    std::array<Slot, std::size_t{1} << kSlotBits> slots_;
    Slot last_;  // that was found; the next is the same more often than not
    std::vector<Shape> shapes_;
    std::array<int, CASM_CLASSES_MAX> open_;
};

// Where the columns grow. A local of the loop that fills them: a member would be read and written back for
// every byte that is stored, because a byte may alias anything.
struct Cursors {
    std::array<std::uint8_t*, kFieldCount> values;  // varints, 16-bit words, or lengths of blobs
    std::array<std::uint8_t*, kFieldCount> blobs;
    std::array<std::uint64_t, kFieldCount> state;  // DELTA: the value before; FIXED16: OR of all values
    std::array<std::uint32_t, CASM_CLASSES_MAX> records;  // by class
    std::uint8_t* shapes;
};

// Index in kFields of the first field of class `id`.
constexpr std::size_t first_field(std::uint8_t id) {
    return static_cast<std::size_t>(fields_of(id).data() - kFields.data());
}

// Header bits for which class `id` has no field; they must be zero.
constexpr std::uint64_t unused_bits(std::uint8_t id) {
    const RecordLayout& layout = kLayouts[id];
    return (layout.has_kind ? 0 : std::uint64_t{0xff} << 8) |
           (layout.has_check || layout.has_blob ? 0 : std::uint64_t{0xffff} << 16) |
           (layout.has_aux ? 0 : std::uint64_t{0xffffffff} << 32);
}

// Encodes the record of class kClass at `at`, of which the header is there, and returns where it ends; `at`
// if it is not all there or not well-formed (ring_codec.h says how).
template <casm_class kClass>
[[gnu::always_inline]] inline const std::byte* put_record(const std::byte* at, const std::byte* end,
                                                          Dictionary& dictionary, Cursors& to) {
    constexpr std::size_t kFirst = first_field(kClass);
    constexpr std::size_t kCount = fields_of(kClass).size();
    constexpr RecordLayout kLayout = kLayouts[kClass];
    constexpr auto kIndices = std::make_index_sequence<kCount>();
    constexpr std::uint64_t kUnused = unused_bits(kClass);
    if constexpr (!kLayout.logged) return at;
    std::uint64_t header;
    std::memcpy(&header, at, sizeof(header));
    if constexpr (kUnused != 0)
        if ((header & kUnused) != 0) return at;
    const std::byte* const payload = at + sizeof(casm_rec);
    const std::byte* next = payload + kLayout.words * std::size_t{8};
    if constexpr (kLayout.has_blob) {
        const std::size_t blob_bytes = (header >> 16) & 0xffff, padded = (blob_bytes + 7) & ~std::size_t{7};
        if (blob_bytes == 0 || blob_bytes > CASM_BLOB_MAX_BYTES) return at;
        if (static_cast<std::size_t>(end - payload) < kLayout.words * std::size_t{8} + padded) return at;
        for (std::size_t i = blob_bytes; i < padded; ++i)
            if (next[i] != std::byte{0}) return at;
        next += padded;
    } else if constexpr (kLayout.words != 0) {
        if (end - payload < static_cast<std::ptrdiff_t>(kLayout.words * 8)) return at;
    }
    const auto put_fields = [&]<bool kOpen, std::size_t... I>(std::bool_constant<kOpen>,
                                                              std::index_sequence<I...>) {
        (put_field<kFirst + I, kOpen>(to.values[kFirst + I], to.blobs[kFirst + I], to.state[kFirst + I],
                                      header, payload),
         ...);
    };
    constexpr bool kOpenShape = is_open(kClass);
    const int shape = kOpenShape ? -1 : dictionary.closed(shape_of(header));
    if (shape >= 0) {
        *to.shapes++ = static_cast<std::uint8_t>(shape);
        put_fields(std::bool_constant<false>(), kIndices);
    } else {
        *to.shapes++ = dictionary.open(kClass);
        put_fields(std::bool_constant<true>(), kIndices);
    }
    ++to.records[kClass];
    return next;
}

}  // namespace

struct ChunkEncoder::Impl {
    std::array<Buffer, kFieldCount> value_buffers, blob_buffers;
    Buffer shape_buffer, out;
    Cursors cursors{};
    Dictionary dictionary;
    std::size_t ring_bytes = 0;
    casm_rec end_header{};
    XXH64_state_t digest;

    // Packs the 16-bit words of field `i` to as many bits as they need; returns how many that is.
    unsigned pack_bits(std::size_t i) {
        unsigned bits = 0;
        while ((cursors.state[i] >> bits) != 0) ++bits;
        if (bits == 16) return bits;
        if (bits == 8) {  // what recordings use: every other byte
            const auto count = static_cast<std::size_t>(cursors.values[i] - value_buffers[i].begin()) / 2;
            std::uint8_t* const bytes = value_buffers[i].begin();
            for (std::size_t k = 0; k < count; ++k) bytes[k] = bytes[2 * k];
            cursors.values[i] = bytes + count;
            return bits;
        }
        std::uint8_t* const begin = value_buffers[i].begin();
        std::uint8_t* out_at = begin;  // never overtakes the words that are still to be read
        std::uint64_t pending = 0;
        unsigned pending_bits = 0;
        for (const std::uint8_t* in = begin; bits != 0 && in != cursors.values[i]; in += 2) {
            std::uint16_t word;
            std::memcpy(&word, in, sizeof(word));
            pending |= std::uint64_t{word} << pending_bits;
            pending_bits += bits;
            while (pending_bits >= 8) {
                *out_at++ = static_cast<std::uint8_t>(pending);
                pending >>= 8;
                pending_bits -= 8;
            }
        }
        if (pending_bits != 0) *out_at++ = static_cast<std::uint8_t>(pending);
        cursors.values[i] = out_at;
        return bits;
    }
};

ChunkEncoder::ChunkEncoder() : impl_(std::make_unique<Impl>()) {
    start(0);
}
ChunkEncoder::~ChunkEncoder() = default;

void ChunkEncoder::start(std::uint64_t digest_before) {
    Impl& impl = *impl_;
    for (std::size_t i = 0; i < kFieldCount; ++i) {
        const FieldInfo& field = kFields[i];
        // For the worst case; memory that is not written to is not taken.
        impl.cursors.values[i] =
            impl.value_buffers[i].reserve(kChunkRecordsMax * varint_bytes_max(field.place, field.encoding));
        impl.cursors.blobs[i] =
            field.place == Place::kBlob ? impl.blob_buffers[i].reserve(kChunkRingBytesMax) : nullptr;
    }
    impl.cursors.state.fill(0);
    impl.cursors.records.fill(0);
    impl.cursors.shapes = impl.shape_buffer.reserve(kChunkRecordsMax);
    impl.dictionary.clear();
    impl.ring_bytes = 0;
    impl.end_header = {};
    XXH64_reset(&impl.digest, digest_before);
}

std::size_t ChunkEncoder::add(std::span<const std::byte> bytes) {
    Impl& impl = *impl_;
    if (full() || bytes.size() < sizeof(casm_rec)) return 0;
    Cursors cursors = impl.cursors;
    const std::byte* const end = bytes.data() + bytes.size();
    // A record starts before `stop`: its header is there, the chunk has not reached its size, and there are
    // not too many, as none is smaller than a header. END moves it here.
    const std::byte* stop =
        bytes.data() + std::min({bytes.size() - sizeof(casm_rec) + 1, kChunkTargetBytes - impl.ring_bytes,
                                 (kChunkRecordsMax - records()) * sizeof(casm_rec)});
    const std::byte* at = bytes.data();
    const std::byte* end_record = nullptr;
    while (at < stop) {
        const std::byte* next = at;
        // The two that are nearly all, without a jump through a table.
        if (*at == std::byte{CASM_CLS_ENTRY}) {
            next = put_record<CASM_CLS_ENTRY>(at, end, impl.dictionary, cursors);
        } else if (*at == std::byte{CASM_CLS_TSC}) {
            next = put_record<CASM_CLS_TSC>(at, end, impl.dictionary, cursors);
        } else {
            switch (static_cast<casm_class>(*at)) {
#define CASM_CLASS(id, SYMBOL, ...)                                              \
    case CASM_CLS_##SYMBOL:                                                      \
        next = put_record<CASM_CLS_##SYMBOL>(at, end, impl.dictionary, cursors); \
        if constexpr (CASM_CLS_##SYMBOL == CASM_CLS_END) {                       \
            end_record = at;                                                     \
            stop = at;                                                           \
        }                                                                        \
        break;
#include "casm_taxonomy.def"
            }
        }
        if (next == at) break;
        at = next;
    }
    if (end_record != nullptr && end_record != at)
        std::memcpy(&impl.end_header, end_record, sizeof(casm_rec));
    impl.cursors = cursors;
    const auto taken = static_cast<std::size_t>(at - bytes.data());
    impl.ring_bytes += taken;
    XXH64_update(&impl.digest, bytes.data(), taken);
    return taken;
}

bool ChunkEncoder::full() const {
    return records() == kChunkRecordsMax || impl_->ring_bytes >= kChunkTargetBytes;
}

std::uint32_t ChunkEncoder::records() const {
    return static_cast<std::uint32_t>(impl_->cursors.shapes - impl_->shape_buffer.begin());
}

std::size_t ChunkEncoder::ring_bytes() const {
    return impl_->ring_bytes;
}

const std::array<std::uint32_t, CASM_CLASSES_MAX>& ChunkEncoder::class_records() const {
    return impl_->cursors.records;
}

casm_rec ChunkEncoder::end_header() const {
    return impl_->end_header;
}

std::uint64_t ChunkEncoder::digest() const {
    return XXH64_digest(&impl_->digest);
}

EncodedChunk ChunkEncoder::finish() {
    Impl& impl = *impl_;
    const std::size_t records = this->records();
    const auto& class_records = impl.cursors.records;
    // Message Chunk: tag and length of each part in front of it.
    std::size_t total = records + 16 + impl.dictionary.shapes().size() * 16;
    std::array<unsigned, kFieldCount> bits{};
    for (std::size_t i = 0; i < kFieldCount; ++i) {
        if (kFields[i].encoding == Encoding::kFixed16) bits[i] = impl.pack_bits(i);
        total += static_cast<std::size_t>(impl.cursors.values[i] - impl.value_buffers[i].begin()) + 64;
        if (kFields[i].place == Place::kBlob)
            total += static_cast<std::size_t>(impl.cursors.blobs[i] - impl.blob_buffers[i].begin());
    }
    std::uint8_t* const out = impl.out.reserve(total);
    std::uint8_t* to = out;
    const auto put_bytes = [&to](unsigned number, const std::uint8_t* from, std::size_t bytes) {
        *to++ = tag(number, kBytes);
        to = put_varint(to, bytes);
        std::memcpy(to, from, bytes);
        to += bytes;
    };
    put_bytes(1, impl.shape_buffer.begin(), records);
    for (const Dictionary::Shape& shape : impl.dictionary.shapes()) {
        std::array<std::uint8_t, 16> message;
        std::uint8_t* at = message.data();
        const auto put_number = [&at](unsigned number, std::uint64_t value) {
            if (value == 0) return;
            *at++ = tag(number, kVarint);
            at = put_varint(at, value);
        };
        put_number(1, shape.key & 0xff);
        put_number(2, shape.open ? 1 : 0);
        put_number(3, (shape.key >> 8) & 0xff);
        put_number(4, shape.key >> 32);
        put_bytes(2, message.data(), static_cast<std::size_t>(at - message.data()));
    }
    const auto put_column = [&](std::size_t i) {
        const FieldInfo& field = kFields[i];
        const std::uint8_t* const values = impl.value_buffers[i].begin();
        const auto value_bytes = static_cast<std::size_t>(impl.cursors.values[i] - values);
        // Without records, or with closed shapes only. A column of zeros is 0 bits wide but is there.
        if (value_bytes == 0 && (field.encoding != Encoding::kFixed16 || class_records[field.cls] == 0))
            return;
        const std::size_t position = i - first_field(field.cls);
        std::size_t blob_bytes = 0;
        std::size_t column_bytes = 2 + (position != 0 ? 2 : 0) + 1 + varint_bytes(value_bytes) + value_bytes;
        if (field.encoding == Encoding::kFixed16) column_bytes += 2;
        if (field.encoding == Encoding::kBytes) {
            blob_bytes = static_cast<std::size_t>(impl.cursors.blobs[i] - impl.blob_buffers[i].begin());
            column_bytes += 1 + varint_bytes(blob_bytes) + blob_bytes;
        }
        *to++ = tag(3, kBytes);
        to = put_varint(to, column_bytes);
        *to++ = tag(1, kVarint);
        *to++ = static_cast<std::uint8_t>(field.cls);  // class numbers and positions are below 128: one byte
        if (position != 0) {
            *to++ = tag(2, kVarint);
            *to++ = static_cast<std::uint8_t>(position);
        }
        switch (field.encoding) {
            case Encoding::kPlain:
                put_bytes(3, values, value_bytes);
                break;
            case Encoding::kDelta:
                put_bytes(4, values, value_bytes);
                break;
            case Encoding::kFixed16:
                *to++ = tag(5, kVarint);
                *to++ = static_cast<std::uint8_t>(bits[i]);
                put_bytes(6, values, value_bytes);
                break;
            case Encoding::kBytes:
                put_bytes(7, values, value_bytes);
                put_bytes(8, impl.blob_buffers[i].begin(), blob_bytes);
                break;
        }
    };
    for (std::size_t i = 0; i < kFieldCount; ++i)
        if (kFields[i].encoding != Encoding::kFixed16) put_column(i);
    const auto noise_at = static_cast<std::size_t>(to - out);
    for (std::size_t i = 0; i < kFieldCount; ++i)
        if (kFields[i].encoding == Encoding::kFixed16) put_column(i);
    const auto bytes = static_cast<std::size_t>(to - out);
    return {{reinterpret_cast<const char*>(out), bytes}, noise_at};
}

std::uint64_t content_digest(std::uint64_t before, std::span<const std::byte> ring) {
    return XXH64(ring.data(), ring.size(), before);
}

}  // namespace casmotion
