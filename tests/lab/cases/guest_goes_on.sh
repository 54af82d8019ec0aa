# SPDX-License-Identifier: GPL-2.0-or-later
# A guest of 'record CFG' that goes on unrecorded: what CFG says about its end is done, although 'record' is gone. And a device
# that is attached while it is recorded: said, and nothing of it reaches the guest.
. /lab-lib.sh

began() { # file: 'record' has said that it records
    within 60 grep -q "record: recording domain" "$1" || fail "the recording did not begin: $(cat "$1")"
}

echo "== a device, attached while the guest is recorded"
probe_config /tmp/device.cfg forever
casmotion record /tmp/device.cfg -o /tmp/device.log >/dev/null 2>/tmp/said &
recorder=$!
began /tmp/said
xl network-attach probe >/tmp/attached 2>&1 &
within 30 grep -q "network interface 0 was attached to the guest" /tmp/said || fail "nothing was said: $(cat /tmp/said /tmp/attached)"
kill -INT $recorder
wait $recorder || fail "record: $(cat /tmp/said)"
grep -q "'casmotion attend' acts on the guest's end" /tmp/said || fail "no attendant: $(cat /tmp/said)"
casmotion -q replay /tmp/device.log --console-to /dev/null >/tmp/replayed 2>&1 && fail "the pool is taken, and a replay ran"
xl destroy probe
wait # for xl, which waited for a back end
within 10 grep -q "somebody else destroyed it" /var/log/xen/casmotion-probe.log || fail "the attendant: $(cat /var/log/xen/casmotion-probe.log)"
casmotion -q replay /tmp/device.log --console-to /dev/null >/tmp/replayed 2>&1 || fail "replay: $(cat /tmp/replayed)"
no_domains

echo "== off after the recording: destroyed, and the pool is free"
casmotion record /guest/boot.cfg -o /tmp/off.log --for 3 >/dev/null 2>/tmp/said || fail "record: $(cat /tmp/said)"
grep -q "goes on unrecorded" /tmp/said || fail "it ended before: $(cat /tmp/said)"
xl domid boot >/dev/null || fail "the guest does not go on"
wait_gone boot 180
printed boot "work: start boot"
grep "destroyed (on_poweroff" /var/log/xen/casmotion-boot.log || fail "the attendant: $(cat /var/log/xen/casmotion-boot.log)"

echo "== rebooted after the recording: created again"
sed 's/^on_reboot.*/on_reboot = "restart"/' /guest/reboot.cfg >/tmp/reboot.cfg
casmotion record /tmp/reboot.cfg -o /tmp/reboot.log --for 3 >/dev/null 2>/tmp/said || fail "record: $(cat /tmp/said)"
first=$(xl domid reboot) || fail "the guest does not go on"
another() { now=$(xl domid reboot 2>/dev/null) && [ "$now" != "$first" ]; }
within 180 another || fail "it was not created again: $(cat /var/log/xen/casmotion-reboot.log)"
within 60 grep "created again" /var/log/xen/casmotion-reboot.log || fail "the attendant: $(cat /var/log/xen/casmotion-reboot.log)"
xl destroy reboot
no_domains

echo "each end was acted on"
