# SPDX-License-Identifier: GPL-2.0-or-later
# Replays a log of another boot, of a machine with other memory.
#   argument: the log
. /lab-lib.sh

casmotion -q replay "$1" --console-to /dev/null >/tmp/said 2>&1 || fail "replay: exit code $?: $(cat /tmp/said)"
tail -n 1 /tmp/said
no_domains
