# SPDX-License-Identifier: GPL-2.0-or-later
# A guest on stock Xen, on a processor of its own. What creates it is not counted.
. /lab-lib.sh
{ cat "/guest/$guest.cfg"; echo "tsc_mode=\"$tsc_mode\""; echo 'on_poweroff="preserve"'; } >/tmp/guest.cfg
run_marked /tmp/guest.cfg "$guest"
xl destroy "$guest"
printed_done "$guest"
