// SPDX-License-Identifier: GPL-2.0-or-later
//
// The hypervisor files of CASMotion, for C++. Standard headers first: what they declare must not get C
// linkage.
#pragma once

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {
#include "private.h"
#include "shim.h"

// The parser of casm_pool= and the check at start-up, as Xen registers them.
extern int (*const shim_param_parse_casm_pool)(const char*);
extern int (*const shim_initcall_casm_pool_check)(void);
}
