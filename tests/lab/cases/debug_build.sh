# SPDX-License-Identifier: GPL-2.0-or-later
# The hypervisor says that it is a debug build, so the tests "on a debug build" ran on one.
. /lab-lib.sh

xl dmesg > /tmp/dmesg
grep 'Xen version .* debug=y' /tmp/dmesg || fail "this is no debug build: $(grep 'Xen version' /tmp/dmesg)"
