# SPDX-License-Identifier: GPL-2.0-or-later
# The test guests end in the ways that tests of recordings count on: crash, reboot and power-off are told apart by Xen.
. /lab-lib.sh

for kind in boot:0 reboot:1 panic:3; do # SHUTDOWN_poweroff, _reboot, _crash
    name=${kind%:*} code=${kind#*:}
    xl create -q "/guest/$name.cfg" || fail "xl create $name"
    wait_gone "$name" 120
    printed "$name" "work: start $name"
    grep -q "reason code $code" "/var/log/xen/xl-$name.log" || fail "$name: $(cat "/var/log/xen/xl-$name.log")"
done
no_domains
echo "boot, reboot and panic end with their own reasons"
