# SPDX-License-Identifier: GPL-2.0-or-later
# The same guest while it is recorded. What creates it is not counted; boot files are left out of the log.
. /lab-lib.sh
xl create -q -p -e "/guest/$guest.cfg" >/tmp/xl.log 2>&1 || fail "xl create: $(cat /tmp/xl.log)"
sleep 1
record_marked /tmp/record.out "$guest" -o /tmp/bench.log --by-hash
cat /tmp/record.out
xl destroy "$guest" 2>/dev/null
printed_done "$guest"
casmotion info /tmp/bench.log
casmotion replay /tmp/bench.log --console-to /tmp/console --kernel /guest/vmlinuz --ramdisk /guest/initrd || fail "replay: exit code $?"
