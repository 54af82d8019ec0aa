// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/version.h"

namespace casmotion {

const char* const kVersion = CASMOTION_VERSION;  // defined by the build for this file only

}  // namespace casmotion
