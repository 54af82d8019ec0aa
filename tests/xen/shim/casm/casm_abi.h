/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../../events/abi/casm_abi.h"
