// SPDX-License-Identifier: GPL-2.0-or-later
//
// Version of the program, as the build states it.
#pragma once

namespace casmotion {

/// "0.1.0".
extern const char* const kVersion;

}  // namespace casmotion
