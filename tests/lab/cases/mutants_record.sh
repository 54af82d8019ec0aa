# SPDX-License-Identifier: GPL-2.0-or-later
# Records the guest whose log is mutated (mutants.sh) into /share/log. The log itself is accepted.
. /lab-lib.sh

probe_config /tmp/probe.cfg "rounds=30"
casmotion -q record /tmp/probe.cfg -o /tmp/log --digest-interval 100 || fail "record"
casmotion -q verify /tmp/log --replay --console-to /dev/null >/tmp/said 2>&1 || fail "the log itself: $(cat /tmp/said)"
no_domains
rm -rf /share/log
cp -r /tmp/log /share/log || fail "cannot copy the log to the host"
