/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing that the harness does not bring. */
