# SPDX-License-Identifier: GPL-2.0-or-later
# The same guest while it is recorded. What creates it is not counted; boot files are left out of the log.
. /lab-lib.sh
xl create -q -p -e "/guest/$guest.cfg" >/tmp/xl.log 2>&1 || fail "xl create: $(cat /tmp/xl.log)"
sleep 1
lab-mark 1
{ casmotion record "$guest" -o /tmp/bench.log --by-hash 2>&1 || echo "exit code $?"; } | while read -r line; do
    case $line in *"recording domain"*) lab-mark 3 ;; esac # the guest runs
    echo "$line"
done >/tmp/record.out
lab-mark 2
cat /tmp/record.out
grep -q "recording domain" /tmp/record.out && [ -d /tmp/bench.log ] || fail "the recording failed"
xl destroy "$guest" 2>/dev/null
printed_done "$guest"
casmotion info /tmp/bench.log
casmotion replay /tmp/bench.log --console-to /tmp/console --kernel /guest/vmlinuz --ramdisk /guest/initrd || fail "replay: exit code $?"
