# SPDX-License-Identifier: GPL-2.0-or-later
# Without a branch counter an event waits until the guest enters Xen, and code that never does gets no timer: the recorder says
# that somebody waits, once, and what to do. The guest can be destroyed then, and its log is whole. A guest that enters Xen, or
# sleeps, makes it say nothing.
. /lab-lib.sh

probe_config /tmp/probe.cfg asleep
casmotion record /tmp/probe.cfg -o /tmp/asleep --for 8 2>/tmp/said || fail "record: exit code $?: $(cat /tmp/said)"
! grep -E "events (have )?waited" /tmp/said || fail "nobody waited in a guest that sleeps: $(cat /tmp/said)"
grep -q "^record: .* entries" /tmp/said || fail "no closing line: $(cat /tmp/said)"
xl destroy probe
wait_gone probe 20

probe_config /tmp/probe.cfg loops=1
casmotion record /tmp/probe.cfg -o /tmp/log --no-counter 2>/tmp/said &
recorder=$!
notice="record: [0-9]* events have waited [0-9.]* s for the guest to enter Xen.*needs a host with a branch counter"
within 60 grep -q "$notice" /tmp/said || stuck probe "nothing was said about events that wait: $(cat /tmp/said)"
usleep 5000000
! ended $recorder || fail "the guest does not enter Xen, and its recording is over: $(cat /tmp/said)"
xl destroy probe
wait $recorder || fail "record: exit code $?: $(cat /tmp/said)"
wait_gone probe 20
[ "$(grep -c "$notice" /tmp/said)" = 1 ] || fail "it was not said once: $(cat /tmp/said)"
grep -q "^record: .*, events waited [0-9.]* s or more for the guest to enter Xen" /tmp/said || fail "the closing line does not tell: $(cat /tmp/said)"
(verified /tmp/log) || fail "its log"
no_domains
grep -E "events (have )?waited" /tmp/said
