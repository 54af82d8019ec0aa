# SPDX-License-Identifier: GPL-2.0-or-later
# Others' mappings of a recorded guest's memory, if only to read, hold references: a page that the guest gives back could not be taken
# again, in the recording only. None is made while a log is written, and no log is begun while there is one.
#   argument: first machine frame of the recording pool
. /lab-lib.sh

frame=$(($1 + 1024)) # in the guest's RAM
probe_config /tmp/forever.cfg "forever"
sed -e '/^pool/d' -e 's/^name.*/name = "plain"/' /tmp/forever.cfg >/tmp/plain.cfg

# A domain that is being built for a recording can be mapped; then the recording is refused.
xl create -q /tmp/plain.cfg || fail "xl create"
last=$(xl domid plain)
xl destroy plain
wait_gone plain 20
casm-dom0-tries $((last + 1)) "$frame" hold >/tmp/held 2>&1 &
holder=$!
casmotion record /tmp/forever.cfg -o /tmp/refused --for 5 >/tmp/said 2>&1
code=$?
grep -q held /tmp/held || fail "nothing was mapped, and so nothing tested: $(cat /tmp/held)"
[ $code = 69 ] || fail "record with a frame mapped: exit code $code: $(cat /tmp/said)"
grep -q "has memory of it mapped" /tmp/said || fail "record does not say why: $(cat /tmp/said)"
kill $holder
wait $holder 2>/dev/null
wait_gone probe 30
no_domains

# A guest that gives pages back and takes them again, while dom0 tries to map them.
probe_config /tmp/probe.cfg "balloon=60000"
rm -f "$(guest_log probe)"
casmotion record /tmp/probe.cfg -o /tmp/log 2>/tmp/said &
recorder=$!
wait_printed probe "balloon: frames from [0-9a-f]\{5\}" 60
pages=0x$(sed -n 's/^balloon: frames from \([0-9a-f]*\).*/\1/p' "$(guest_log probe)")
casm-dom0-tries "$(xl domid probe)" "$pages" map 1 >/tmp/tried
cat /tmp/tried
! ended $recorder || fail "the recording was over before the attempts, which are refused only until then: more exchanges are needed"
wait $recorder || fail "record: exit code $?: $(cat /tmp/said)"
[ "$(cut -d' ' -f1 /tmp/tried)" -ge 100 ] || fail "hardly a try: $(cat /tmp/tried)"
[ "$(cut -d' ' -f3 /tmp/tried)" = 0 ] || fail "a recorded guest was mapped: $(cat /tmp/tried)"
printed probe "balloon: failed 0"
verified /tmp/log
casmotion -q replay /tmp/log --console-to /dev/null >/tmp/said 2>&1 || fail "replay: exit code $?: $(cat /tmp/said)"
no_domains
echo "$(cut -d' ' -f1 /tmp/tried) mappings refused, one that was there first refused the recording"
