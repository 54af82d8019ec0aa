/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real public header. */
#include_next <xen/sched.h>
