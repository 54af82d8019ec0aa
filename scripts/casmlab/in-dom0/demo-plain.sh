# SPDX-License-Identifier: GPL-2.0-or-later
# The demo's guest on an unpatched Xen, on a processor of its own: what the recording is compared with.
. /lab-lib.sh
type_line_when_there work "hello, replay" &
run_marked /guest/work.cfg work
printed_done work
printed work "work: echo hello, replay"
