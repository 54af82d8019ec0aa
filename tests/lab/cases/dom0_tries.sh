# SPDX-License-Identifier: GPL-2.0-or-later
# dom0 tries all that a privileged domain can do to another (tools/dom0_tries.cc) on a guest that is being recorded: each is
# refused, or changes nothing, and the replay is equal. On a guest that is not recorded the same calls do what they did before.
#   argument: first machine frame of the recording pool
. /lab-lib.sh

frame=$(($1 + 1024)) # in the guest's RAM
probe_config /tmp/probe.cfg "forever"
sed -e '/^pool/d' -e 's/^name.*/name = "plain"/' /tmp/probe.cfg >/tmp/plain.cfg

# The tool reaches what it tries: ordinary domains are found by it, and something is accepted.
xl create -q /tmp/plain.cfg || fail "xl create"
wait_printed plain "probe: round" 30
casm-dom0-tries "$(xl domid plain)" 0 >/tmp/plain.tried
[ "$(grep -c ': ACCEPTED$' /tmp/plain.tried)" -ge 5 ] || fail "hardly anything is accepted of an ordinary domain: $(cat /tmp/plain.tried)"
for what in "domctl 11" "memory_op 3" "alloc_unbound" "setup_table" "shutdown from outside" "machine check's address"; do
    grep -qE "^$what: 0: (ACCEPTED|looked)\$|^$what: [1-9][0-9]*: looked\$" /tmp/plain.tried ||
        fail "refused of an ordinary domain: $(grep "^$what:" /tmp/plain.tried)"
done
xl destroy plain
wait_gone plain 20

casmotion record /tmp/probe.cfg -o /tmp/log 2>/tmp/said &
recorder=$!
wait_printed probe "probe: round" 60
xl dmesg -c >/dev/null
id=$(xl domid probe)
casm-dom0-tries "$id" "$frame" >/tmp/tried
code=$?
grep -v ': refused$' /tmp/tried
[ $code = 0 ] || fail "the above of a recorded domain: exit code $code"
[ "$(grep -c ': refused$' /tmp/tried)" -ge 250 ] || fail "only $(grep -c ': refused$' /tmp/tried) were refused"
# ... and no domctl for another reason than that it is not on the list: what is on it fails or looks.
others=$(grep '^domctl .*: refused$' /tmp/tried | grep -v 'Operation not permitted') || :
[ -z "$others" ] || fail "refused, but not as they are of a recorded domain: $others"
# The last of them; Xen's log is too short for all.
xl dmesg | grep -q "casm: d$id: a hypercall of d0 refused: the domain is recorded or replayed" ||
    fail "Xen does not say what it refused: $(xl dmesg | tail -n 20)"
# It goes on, and a back end may come again.
rounds=$(grep -c "probe: round" "$(guest_log probe)")
more_rounds() { [ "$(grep -c "probe: round" "$(guest_log probe)")" -gt $((rounds + 5)) ]; }
within 30 more_rounds || stuck probe "the guest does not go on"
kill -INT $recorder
wait $recorder || fail "record: exit code $?: $(cat /tmp/said)"
xl destroy probe 2>/dev/null
wait_gone probe 20

verified /tmp/log
casmotion -q replay /tmp/log --console-to /dev/null >/tmp/said 2>&1 || fail "replay: exit code $?: $(cat /tmp/said)"
tail -n 1 /tmp/said
no_domains
echo "$(wc -l </tmp/tried) attempts of dom0: $(grep -c ': refused$' /tmp/tried) refused, the others changed nothing"
