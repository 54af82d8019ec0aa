# SPDX-License-Identifier: GPL-2.0-or-later
# What it costs to find time points: a program recorded and replayed without points and with them. The host sets:
#   program      of casm-timepoints
# Marks: 2n-1 and 2n around run n (record and replay without points, record and replay with them). What the commands report
# goes to /share/<run>.json.
. /lab-lib.sh
program_configs /tmp/user casm-timepoints "$program"

for kind in none points; do
    case $kind in none) mark=1 options=--no-counter ;; points) mark=5 options= ;; esac
    xl create -q -p -e /tmp/user/recorded.cfg >/tmp/xl.log 2>&1 || fail "xl create: $(cat /tmp/xl.log)"
    sleep 1
    lab-mark $mark
    # shellcheck disable=SC2086  # options are words
    casmotion -q record recorded -o /tmp/$kind.log --json --by-hash $options >/share/record-$kind.json || fail "record: $?"
    lab-mark $((mark + 1))
    xl destroy recorded 2>/dev/null
    wait_gone recorded 30
    printed_done recorded
    lab-mark $((mark + 2))
    casmotion -q replay /tmp/$kind.log --json --kernel /guest/vmlinuz --ramdisk /tmp/user/initrd >/share/replay-$kind.json ||
        fail "replay: $?"
    lab-mark $((mark + 3))
done
