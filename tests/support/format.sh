#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is all C++ formatted as .clang-format says? C follows Xen's coding style, which clang-format cannot express, and is
# left out, as are the headers beside it. With --canary: does the formatter notice a line that is not?
set -eu
cd "$(dirname "$0")/../.."

skip() {
    echo "skipped: $1"
    exit 77
}

# Other versions break lines elsewhere.
version=14
formatter=$(command -v "clang-format-$version" || command -v clang-format || true)
[ -n "$formatter" ] || skip "clang-format is not installed (scripts/setup installs it)"
"$formatter" --version | grep -q "version $version\." || skip "clang-format is not of version $version"

if [ "${1-}" = --canary ]; then
    if echo 'int  f( );' | "$formatter" --style=file --assume-filename=canary.cc --dry-run --Werror 2>/dev/null; then
        echo "format: a badly formatted line was not noticed" >&2
        exit 1
    fi
    exit 0
fi

[ -n "$(git ls-files -- '*.cc' 2>/dev/null)" ] || skip "git does not list the files here"
git ls-files -z -- '*.cc' '*.h' ':!xen-patches' ':!events/abi' ':!timematch/core' ':!scripts/casmlab/counter' \
    ':!tests/emulator' ':!tests/lab/guest' ':!tests/xen/pmu' ':!tests/xen/shim' ':!proofs/frama-c' |
    xargs -0 "$formatter" --style=file --dry-run --Werror
