# SPDX-License-Identifier: GPL-2.0-or-later
# A guest on stock Xen, on a processor of its own. What creates it is not counted.
. /lab-lib.sh
{ cat "/guest/$guest.cfg"; echo "tsc_mode=\"$tsc_mode\""; } >/tmp/guest.cfg
xl create -q -p -e /tmp/guest.cfg >/tmp/xl.log 2>&1 || fail "xl create: $(cat /tmp/xl.log)"
sleep 1
lab-mark 1
xl unpause "$guest"
# Each look costs dom0 some ten million instructions: the first one finds the guest at its end.
sleep 15
until xl list "$guest" | grep -q -- "---s-"; do sleep 2; done
lab-mark 2
xl destroy "$guest"
printed_done "$guest"
