# SPDX-License-Identifier: GPL-2.0-or-later
# Records the guest whose log is mutated (mutants.sh) into /share/log: every class, points of both kinds. The log itself is
# accepted.
. /lab-lib.sh

# Often a digest, so that what is wrong in memory is seen before it is overwritten; not so often that a timer event of the loops
# is due before they begin.
probe_config /tmp/probe.cfg "rounds=8 loops=1"
record_for 120 probe /tmp/said /tmp/probe.cfg -o /tmp/log --digest-interval 16
grep 'between entries' /tmp/said
casmotion -q verify /tmp/log --replay --console-to /dev/null >/tmp/said 2>&1 || fail "the log itself: exit code $?: $(cat /tmp/said)"
for kind in canonical "by state"; do
    casmotion events /tmp/log | grep -q "apoint *kind=$kind " || fail "no point of kind '$kind' was recorded"
done
no_domains
rm -rf /share/log
cp -r /tmp/log /share/log || fail "cannot copy the log to the host"
