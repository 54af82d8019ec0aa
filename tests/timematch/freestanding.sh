#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The core compiles as Xen compiles its files, and needs nothing of a C library.
# usage: freestanding.sh CORE_FOLDER COMPILER
set -eu
core=$1
cc=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Xen's <xen/types.h>, as far as the core may use it.
mkdir -p "$folder/include/xen"
cat >"$folder/include/xen/types.h" <<'END'
typedef unsigned char uint8_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;
END
status=0
for source in "$core"/*.c; do
    name=$(basename "$source" .c)
    # Xen's flags of 4.17 for x86, as far as they bear on this; with no include folder of the host.
    for optimise in -O1 -O2; do
        "$cc" -std=gnu99 $optimise -Wall -Werror -Wstrict-prototypes -Wdeclaration-after-statement -Wno-unused-but-set-variable \
            -Wno-unused-local-typedefs -fno-strict-aliasing -fno-common -fno-builtin -ffreestanding -nostdinc -mno-red-zone \
            -mno-sse -msoft-float -fno-stack-protector -fno-exceptions -fno-asynchronous-unwind-tables -D__XEN__ \
            -I "$folder/include" -c "$source" -o "$folder/$name.o"
        needed=$(nm -u "$folder/$name.o")
        if [ -n "$needed" ]; then
            echo "$name.c at $optimise needs symbols: $needed"
            status=1
        fi
        data=$(size -A "$folder/$name.o" | awk '($1 == ".data" || $1 == ".bss") && $2 > 0')
        if [ -n "$data" ]; then
            echo "$name.c has global state: $data"
            status=1
        fi
    done
done
exit $status
