# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that names each frame of the machine in every call that takes a frame number (guest/probe/steal.c) gets at none but
# its own: rings and stand-ins, which dom0 reads and writes, included. Each attack does work on a frame of the guest's own, and
# the replay is equal. With a folder: the log is kept there, to be replayed on a machine with other memory (replay_kept.sh).
#   arguments: least number of frames that each attack must name, number of attacks; attacks as a mask (all), folder (none)
. /lab-lib.sh

fewest=$1 attacks=$2 mask=${3:-$(((1 << $2) - 1))} keep=$4
probe_config /tmp/probe.cfg "steal=$mask"
record_for 600 probe /tmp/said /tmp/probe.cfg -o /tmp/log
printed probe "probe: done"
tr -d '\r' <"$(guest_log probe)" | grep '^steal: ' >/tmp/stolen
cat /tmp/stolen

# "steal: NAME: own done, others A of B"
sed -n 's/^steal: \(.*\): own \(done\|NOT done\), others \([0-9]*\) of \([0-9]*\).*/\3 \4 \2: \1/p' /tmp/stolen >/tmp/attacks
[ "$(wc -l </tmp/attacks)" = "$attacks" ] || fail "$(wc -l </tmp/attacks) attacks, not $attacks"
while read -r had named own; do
    case $own in "done: "*) ;; *) fail "an attack does not work on a frame of the guest's own either: $own" ;; esac
    [ "$named" -ge "$fewest" ] || fail "an attack named only $named frames: $own"
    [ "$had" = 0 ] || fail "$had of $named foreign frames: $own"
done </tmp/attacks

verified /tmp/log
casmotion -q replay /tmp/log --console-to /tmp/again >/tmp/said 2>&1 || fail "replay: exit code $?: $(cat /tmp/said)"
tail -n 1 /tmp/said
cmp "$(guest_log probe)" /tmp/again || fail "the replay printed something else"
no_domains
[ -z "$keep" ] || { rm -rf "$keep/log" && cp -r /tmp/log "$keep/log"; } || fail "cannot keep the log in $keep"
echo "0 foreign frames in $(awk '{ n += $2 } END { print n }' /tmp/attacks) attempts by $attacks attacks"
