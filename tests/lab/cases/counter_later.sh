# SPDX-License-Identifier: GPL-2.0-or-later
# A counter that passed its self-test and counts a branch twice later: the next check record says so, and names it.
. /lab-lib.sh

probe_config /tmp/probe.cfg "rounds=12000"
# Without points between entries: at one, the wrong count would be met before the next check record.
casmotion record /tmp/probe.cfg -o /tmp/log --max-delay 1000000 >/tmp/said 2>&1 || fail "$(cat /tmp/said)"
tail -n 1 /tmp/said
casmotion -q replay /tmp/log --console-to /dev/null >/tmp/report 2>&1
code=$?
grep 'counter fault' /tmp/report || fail "no counter fault: exit code $code: $(cat /tmp/report)"
[ $code = 1 ] || fail "exit code $code: $(cat /tmp/report)"
grep -q 'class branches' /tmp/report || fail "not at a check record: $(cat /tmp/report)"
# The counts differ by the one branch.
set -- $(sed -n 's/.*exact: \([0-9,]*\) branches expected, \([0-9,]*\) counted.*/\1 \2/p' /tmp/report | tr -d ,)
[ $(($1 - $2)) = 1 ] || [ $(($2 - $1)) = 1 ] || fail "not one branch: $1 and $2"
no_domains
