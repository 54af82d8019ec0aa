// SPDX-License-Identifier: GPL-2.0-or-later
//
// One record as a line of text or as one JSON object; what `casmotion events` prints.
#pragma once

#include <string>

#include "casmotion/record.h"

namespace casmotion {

// "      12 @7        entry   kind=hypercall check=0x1a2b detail=29(sched_op)": index, ordinal, class, fields
// by name. No newline. Blobs are printed as hexadecimal, those over 32 bytes shortened; text pages (console)
// also as text. The blob of an APOINT is printed as what it is: from=0x... rcx=0x... rsp=0x...
[[nodiscard]] std::string to_text(const Record& record, RecordIndex index, SyncOrdinal ordinal);

// {"record":12,"at":7,"class":"entry","kind":"hypercall","check":"0x1a2b",...}: every field under its
// name, blobs whole as hexadecimal. Numbers that are addresses, hashes or registers are strings "0x..."; the
// rest are JSON integers, which may exceed 2^53. No newline.
[[nodiscard]] std::string to_json(const Record& record, RecordIndex index, SyncOrdinal ordinal);

}  // namespace casmotion
