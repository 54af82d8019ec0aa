# SPDX-License-Identifier: GPL-2.0-or-later
# The demo's guest on an unpatched Xen, on a processor of its own: what the recording is compared with.
. /lab-lib.sh
type_line_when_there work "hello, replay" &
lab-mark 1
xl create -q -F /guest/work.cfg >/tmp/xl.log 2>&1 || fail "xl create: $(cat /tmp/xl.log)"
lab-mark 2
printed_done work
printed work "work: echo hello, replay"
