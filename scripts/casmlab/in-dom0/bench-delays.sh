# SPDX-License-Identifier: GPL-2.0-or-later
# How long effects wait in programs that hardly enter Xen: recorded without points and with them. The host sets:
#   programs     of casm-timepoints, each in a guest of its own
#   limit_s      a recording without points that is not at its end by then is given up
# What record reports goes to /share/<program>-{none,points}.json, what a sleeper measured to /share/<program>-{plain,points}.late.
. /lab-lib.sh

for program in $programs; do
    name=${program%%=*}
    program_configs "/tmp/$name" casm-timepoints "$program"
    xl create -q "/tmp/$name/plain.cfg" || fail "xl create"
    wait_gone plain 240
    grep '^time: ' "$(guest_log plain)" | tr -d '\r' >"/share/$name-plain.late"

    casmotion -q record "/tmp/$name/recorded.cfg" -o "/tmp/$name.none" --no-counter --json >"/share/$name-none.json" &
    recorder=$!
    tenths=$((limit_s * 10))
    while kill -0 $recorder 2>/dev/null && [ $tenths -gt 0 ]; do
        usleep 100000
        tenths=$((tenths - 1))
    done
    [ $tenths -gt 0 ] || xl destroy recorded
    wait $recorder || fail "$name: record without points: $?"
    wait_gone recorded 30
    rm -rf "/tmp/$name.none" "$(guest_log recorded)"

    casmotion -q record "/tmp/$name/recorded.cfg" -o "/tmp/$name.points" --json >"/share/$name-points.json" || fail "$name: record: $?"
    wait_gone recorded 30
    printed_done recorded
    grep '^time: ' "$(guest_log recorded)" | tr -d '\r' >"/share/$name-points.late"
    rm -rf "/tmp/$name.points" "$(guest_log recorded)" "/tmp/$name"
done
