# SPDX-License-Identifier: GPL-2.0-or-later
# The probe at kernel level: loops that do not enter Xen until a timer event ends them (loops=), and looks at flags and debug
# registers that would show somebody else's (flags=). What depends on nothing but the program is printed as in an unrecorded
# guest; how often loops went round follows from when events came, so only a replay prints the same.
#   arguments: number of replays, options of "casmotion record" as one word ("-" for none), words for the probe's command line
. /lab-lib.sh

replays=$1 options=$2
shift 2
[ "$options" != - ] || options=
limit_s=${TIMEPOINTS_LIMIT_S:-120}
probe_config /tmp/probe.cfg "$*"
sed -e '/^pool/d' -e 's/^name.*/name = "plain"/' /tmp/probe.cfg >/tmp/plain.cfg

xl create -q /tmp/plain.cfg || fail "xl create"
wait_gone plain "$limit_s"
printed plain "probe: done"

# shellcheck disable=SC2086  # options are words
record_for "$limit_s" probe /tmp/said /tmp/probe.cfg -o /tmp/log $options
printed probe "probe: done"
for kind in plain probe; do
    tr -d '\r' <"$(guest_log $kind)" | grep '^flags: ' >"/tmp/$kind.flags"
    tr -d '\r' <"$(guest_log $kind)" | sed -n 's/^loops: \(.*\) [0-9a-f]*$/\1/p' >"/tmp/$kind.loops"
done
diff /tmp/plain.flags /tmp/probe.flags >&2 || fail "recorded (second column) it saw something else"
cmp /tmp/plain.loops /tmp/probe.loops || fail "recorded it went through other loops"
case "$*" in *flags=* | *loops=*) ;; *) fail "the probe does nothing; give it loops= or flags=" ;; esac
for kind in flags loops; do
    case "$*" in *$kind=*) [ -s /tmp/probe.$kind ] || fail "the probe printed nothing of $kind" ;; esac
done
tail -n 4 /tmp/said
dense_points /tmp/log "$options" 10000

i=0
while [ $i -lt "$replays" ]; do
    i=$((i + 1))
    if [ $i = 1 ]; then
        verified_by_replay /tmp/log /tmp/again
    else
        casmotion -q replay /tmp/log --console-to /tmp/again || fail "replay $i: exit code $?"
    fi
    cmp "$(guest_log probe)" /tmp/again || fail "replay $i printed something else"
done
no_domains
for kind in plain probe; do
    tr -d '\r' <"$(guest_log $kind)" | sed -n "s/^time:/$kind (hexadecimal):/p"
done
echo "equal: $* ($replays replays)"
