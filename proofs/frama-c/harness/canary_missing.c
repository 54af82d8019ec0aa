/* SPDX-License-Identifier: GPL-2.0-only */
/* A warning of the parser: a function that nobody declared. */
#include "hostile.h"

void undeclared(void)
{
    nobody_declared(1);
    THE_END(undeclared);
}
