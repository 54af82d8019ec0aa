# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary guest, outside the recording cpupool, lives its life on our hypervisor, and the usual tools work.
. /lab-lib.sh

xl create -q /guest/plain.cfg || fail "xl create"
type_line plain "hello from dom0"
wait_gone plain 120
printed_done plain
printed plain "work: echo hello from dom0"

sed -e 's/work=light/work=idle work_s=1000/' /guest/plain.cfg >/tmp/idle.cfg
xl create -q /tmp/idle.cfg || fail "a second xl create"
wait_printed plain "work: start idle" 120
xl list plain | grep -q ' 128 ' || fail "xl list: $(xl list)"
xl pause plain && xl unpause plain || fail "xl pause, unpause"
xl destroy plain || fail "xl destroy"
no_domains
xl dmesg | grep -q "Xen version" || fail "xl dmesg"
echo "ordinary guest: boots, works, echoes, can be listed, paused and destroyed"
