# SPDX-License-Identifier: GPL-2.0-or-later
# Records the demo's guest, replays it, verifies it. What the steps say goes to /share as JSON, the log too.
. /lab-lib.sh

step() { echo "demo: $*"; }

rm -rf /share/work.log /share/work.log.incomplete
step "recording a guest that boots, forks, compresses, sleeps, reads clocks and echoes a line"
type_line_when_there work "hello, replay" &
record_marked /share/record.json /guest/work.cfg -o /share/work.log --json
printed_done work
printed work "work: echo hello, replay"
tr -d '\r' <"$(guest_log work)" >/share/recorded-console.txt

step "replaying it"
casmotion replay /share/work.log --json --console-to /tmp/console >/share/replay.json || fail "replay: exit code $?"
tr -d '\r' </tmp/console >/share/replayed-console.txt

step "verifying it: the log's own checks, and every state of another replay"
casmotion verify /share/work.log --replay --json >/share/verify.json || fail "verify: exit code $?"
casmotion info /share/work.log --json >/share/info.json || fail "info: exit code $?"
