/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a processor may lack of what fpu_programs[] executes; bits, for C and assembler. */
#ifndef SELFTEST_FEATURES_H
#define SELFTEST_FEATURES_H

#define HAS_XSAVE 1
#define HAS_XSAVEOPT 2
#define HAS_AVX 4
#define HAS_AVX2 8
#define HAS_SSE4A 16
#define HAS_SSE42 32
#define HAS_BMI 64
#define HAS_POPCNT 128

#endif /* SELFTEST_FEATURES_H */
