# SPDX-License-Identifier: GPL-2.0-or-later
# The descriptor of a segment register is taken away behind it, in three ways. Xen loads the register again when it switches to
# the vCPU, and the guest gets a failsafe callback; recorded, it gets it where it took the descriptor away, whatever happens to the vCPU.
#   arguments: rounds
. /lab-lib.sh

rounds=$1
probe_config /tmp/probe.cfg "segments=$rounds"
# Xen saves the vCPU at each pause and loads it behind it, many times in each loop of the guest.
while usleep 5000; do
    xl pause probe && xl unpause probe
done 2>/dev/null &
others=$!
record_for 200 probe /tmp/said /tmp/probe.cfg -o /tmp/log
printed probe "probe: done"
tr -d '\r' <"$(guest_log probe)" | grep '^segments: ' >/tmp/seen
cat /tmp/seen
for way in "descriptor cleared" "GDT moved" "LDT gone"; do
    n=$(grep -c "^segments: $way: failsafe callback, es 0\$" /tmp/seen)
    [ "$n" = "$rounds" ] || fail "$way: $n failsafe callbacks, not $rounds"
done
! grep '^segments: loops' /tmp/seen || fail "a failsafe callback came after the call that took the descriptor away"
for what in update table; do
    grep -q "^segments: 16 bits, $what refused with 16\$" /tmp/seen || fail "a stack of 16 bits, by its $what, was not refused (-EINVAL)"
done
for i in 1 2; do
    casmotion -q replay /tmp/log --console-to /tmp/again || fail "replay $i: exit code $?"
    cmp /tmp/again "$(guest_log probe)" || fail "replay $i printed something else"
done
kill $others
no_domains
echo "equal: $((3 * rounds)) failsafe callbacks, each where its cause is"
