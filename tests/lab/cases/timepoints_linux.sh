# SPDX-License-Identifier: GPL-2.0-or-later
# Programs of a Linux guest that hardly enter Xen, or look for flags that are not theirs (tests/lab/guest/timepoints): recorded
# they print what they print unrecorded, and every replay passes through the same states and prints the same.
#   arguments: number of replays, options of "casmotion record" as one word ("-" for none; OWN stands for where the programs'
#   code is), programs as NAME[=ROUNDS]
. /lab-lib.sh

replays=$1 options=$2
shift 2
[ "$options" != - ] || options=
case $options in *OWN*) options=$(echo "$options" | sed "s/OWN/$(casm-timepoints code)/") ;; esac
limit_s=${TIMEPOINTS_LIMIT_S:-150}
mkdir -p /tmp/tp
program_configs /tmp/tp casm-timepoints "$@"

started=$(clock_s)
xl create -q /tmp/tp/plain.cfg || fail "xl create"
wait_gone plain "$limit_s"
printed_done plain
program_output "$(guest_log plain)" >/tmp/tp/expected
[ "$(wc -l </tmp/tp/expected)" -gt 2 ] || fail "the unrecorded guest printed nothing: $(cat "$(guest_log plain)")"
plain_s=$(($(clock_s) - started))

started=$(clock_s)
# shellcheck disable=SC2086  # options are words
record_for "$limit_s" recorded /tmp/tp/said /tmp/tp/recorded.cfg -o /tmp/tp/log $options
recorded_s=$(($(clock_s) - started))
printed_done recorded
program_output "$(guest_log recorded)" >/tmp/tp/printed
diff /tmp/tp/expected /tmp/tp/printed >&2 || fail "recorded (second column) it printed something else"
tail -n 4 /tmp/tp/said
dense_points /tmp/tp/log "$options" 10000

i=0
while [ $i -lt "$replays" ]; do
    i=$((i + 1))
    if [ $i = 1 ]; then
        verified_by_replay /tmp/tp/log /tmp/tp/again
    else
        casmotion -q replay /tmp/tp/log --console-to /tmp/tp/again || fail "replay $i: exit code $?"
    fi
    tr -d '\r' <"$(guest_log recorded)" >/tmp/tp/recorded
    tr -d '\r' </tmp/tp/again | cmp - /tmp/tp/recorded || fail "replay $i printed something else"
done
no_domains
for kind in plain recorded; do
    grep '^time: ' "$(guest_log $kind)" | tr -d '\r' | sed "s/^time:/$kind:/"
done
echo "equal: $* (unrecorded $plain_s s, recorded $recorded_s s, $replays replays)"
