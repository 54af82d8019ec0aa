// SPDX-License-Identifier: GPL-2.0-or-later
//
// Record <-> the bytes of a ring record (struct casm_rec, payload words, blob, padding; see casm_abi.h).
//
// The codec is strict: what has no field in the taxonomy must be zero, because the log stores fields only and
// a replay would otherwise be fed something else than was recorded. Ranges of values are a separate question:
// check_fields(). All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "casm_abi.h"
#include "casmotion/record.h"
#include "casmotion/status.h"

namespace casmotion {

// Bytes that `record` takes in a ring: 8 to CASM_REC_MAX_BYTES, a multiple of 8. A class that is not in the
// taxonomy counts as 8.
[[nodiscard]] std::size_t ring_size_bytes(const Record& record);

// Size in bytes of the ring record that starts at `bytes`, from its first 8 bytes; 0 if fewer than 8 are
// there. kLogInvalid if no record can start like this (unknown class, a header word without a field that is
// not zero, a blob length outside 1 .. CASM_BLOB_MAX_BYTES). The size may exceed bytes.size().
[[nodiscard]] Result<std::size_t> peek_ring_size(std::span<const std::byte> bytes);

// Appends the ring form of `record` to `out`. The blob's length overrides record.check in classes with a
// blob. Failure (kInternal; `out` is unchanged): unknown class, words or blob that the class does not have,
// blob empty or too long.
[[nodiscard]] Status encode_ring(const Record& record, std::vector<std::byte>& out);

// Decodes the ring record at the start of `bytes` into `record` and returns its size in bytes; 0 if `bytes`
// ends before the record does (`record` is then unspecified). kLogInvalid as peek_ring_size, and for padding
// that is not zero. Reuses the memory of record.blob.
[[nodiscard]] Result<std::size_t> decode_ring(std::span<const std::byte> bytes, Record& record);

// The same without a copy: `record.blob` points into `bytes`. Failures and sizes as decode_ring.
[[nodiscard]] Result<std::size_t> view_ring(std::span<const std::byte> bytes, RecordView& record);

// Two of the ranges that check_fields() knows, for who has no RecordView.
[[nodiscard]] constexpr bool is_entry_kind(std::uint8_t kind) {
    return kind >= CASM_ENTRY_HYPERCALL && kind <= CASM_ENTRY_TOGGLE;
}
// The guest gets quanta << CASM_TSC_QUANTUM_BITS: bits above would mean nothing.
[[nodiscard]] constexpr bool is_tsc_quanta(std::uint64_t quanta) {
    return quanta >> (64 - CASM_TSC_QUANTUM_BITS) == 0;
}

// Are all values in the ranges that the taxonomy and casm_abi.h state (entry kinds, ports, page offsets,
// reasons)? kRefuted with the field, its value and the range if not. The record must be well-formed
// (encode_ring accepts it).
[[nodiscard]] Status check_fields(const RecordView& record);

}  // namespace casmotion
