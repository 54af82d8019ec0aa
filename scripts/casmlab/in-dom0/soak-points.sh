# SPDX-License-Identifier: GPL-2.0-or-later
# Guests that hardly enter Xen, each recorded and replayed several times. The host sets:
#   runs         how often each
#   guests       names of functions below
#   seconds      how long a guest is recorded that is not waited for
# What record and replay say goes to /share/<guest>-<run>-{record,replay}.json.
. /lab-lib.sh

kernel() { # at kernel level: branches, none, a jump to itself, copies, counted loops, calls
    probe_config /tmp/kernel.cfg loops=2
    config=/tmp/kernel.cfg name=probe done="probe: done" limit=
}

user() { # under Linux: a jump to itself that a signal ends, an interpreter without branches, copies, hash, matrix, a hog beside a sleeper
    program_configs /tmp/user casm-timepoints jump=5 signals=20 interactive=20 spin=20000000 interpreter=1000000 strings=3 \
        hash=5 matrix=1
    config=/tmp/user/recorded.cfg name=recorded done="work: done" limit=
}

sleeper() { # any kernel, for a fixed time: a sleeper beside a hog
    program_configs /tmp/sleeper casm-timepoints interactive=100000
    config=/tmp/sleeper/recorded.cfg name=recorded done= limit="--for $seconds"
}

result=0
for guest in $guests; do
    $guest
    run=0
    while [ $run -lt "$runs" ]; do
        run=$((run + 1))
        log=/tmp/$guest.log
        rm -rf "$log" "$(guest_log $name)" # which would be appended to
        # shellcheck disable=SC2086  # options are words
        casmotion -q record "$config" -o "$log" --json $limit >"/share/$guest-$run-record.json" || fail "$guest: record: $?"
        [ -z "$done" ] || printed $name "$done"
        cp "$(guest_log $name)" /tmp/recorded
        [ -z "$limit" ] || xl destroy $name
        wait_gone $name 30
        casmotion -q replay "$log" --console-to /tmp/replayed --json >"/share/$guest-$run-replay.json" || result=1
        # What a guest printed after its recording is in the one file only.
        head -c "$(wc -c </tmp/replayed)" /tmp/recorded | cmp - /tmp/replayed || { echo "$guest: other output" >&2; result=1; }
        [ $result = 0 ] || { cp -r "$log" /share/; exit 1; }
    done
done
