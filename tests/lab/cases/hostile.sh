# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that attacks Xen and dom0 with random hypercalls, ring indexes, grant entries and instructions harms nobody but
# itself: Xen, dom0 and the recorder go on, and what it did is replayed to its end.
# Arguments: number of guests, first seed, attacks by each.
. /lab-lib.sh

guests=${1:-12} seed=${2:-1} steps=${3:-3000}
last=$((seed + guests - 1)) failures=0
wrong() {
    echo "WRONG: seed $seed: $* (scripts/lab run ... --script tests/lab/cases/hostile.sh -- 1 $seed $steps)" >&2
    rm -rf "/share/hostile-$seed"
    cp -r /tmp/log* "/share/hostile-$seed" 2>/dev/null
    failures=$((failures + 1))
}

xl dmesg -c >/dev/null
printf '%6s  %-8s %10s %10s  %s\n' seed recorded entries records "how it ended / replay"
while [ "$seed" -le $last ]; do
    probe_config /tmp/probe.cfg "hostile seed=$seed steps=$steps"
    rm -rf /tmp/log /tmp/log.incomplete "$(guest_log probe)"
    # Some make themselves wait for ever.
    casmotion record /tmp/probe.cfg -o /tmp/log --for 10 --digest-interval 2000 >/tmp/out 2>/tmp/err
    code=$?
    xl destroy probe 2>/dev/null
    wait_gone probe 20
    said=$(tail -n 1 /tmp/err | sed "s/^record: //; s/, log .*//")
    counts=$(echo "$said" | sed -n 's/.*: \([0-9,]*\) entries, \([0-9,]*\) records.*/\1 \2/p')
    # shellcheck disable=SC2086
    printf '%6s  %-8s %10s %10s  %s\n' "$seed" $code ${counts:-- -} "$(echo "$said" | sed 's/:.*//' | cut -c1-70)"
    [ $code = 0 ] || wrong "the recording: exit code $code: $(cat /tmp/err)"
    (verified /tmp/log) >/tmp/said 2>&1 || wrong "its log: $(cat /tmp/said)"
    casmotion -q replay /tmp/log --console-to /dev/null >/tmp/replayed 2>&1
    code=$?
    printf '%6s  %-8s %21s  %s\n' "" $code "" "$(tail -n 1 /tmp/replayed | cut -c1-80)"
    [ $code = 0 ] || wrong "the replay: exit code $code: $(cat /tmp/replayed)"
    [ "$(xl list | wc -l)" = 2 ] || wrong "xl list: $(xl list)"
    xl dmesg -c >/tmp/dmesg
    grep -E "Xen BUG|Assertion|Xen WARN|FATAL|hypervisor memory|Debugging connection" /tmp/dmesg && wrong "Xen complains"
    seed=$((seed + 1))
done
# Everybody else is well: an ordinary guest, and a recording.
kill -0 "$(cat /run/xenstored.pid)" && kill -0 "$(cat /run/xenconsoled.pid)" || wrong "a daemon of dom0 died"
probe_config /tmp/probe.cfg "rounds=5"
sed '/^pool/d' /tmp/probe.cfg >/tmp/plain.cfg
rm -f "$(guest_log probe)"
xl create -q /tmp/plain.cfg || wrong "xl create"
wait_gone probe 30
printed probe "probe: done"
casmotion -q record /tmp/probe.cfg -o /tmp/after && casmotion -q replay /tmp/after --console-to /dev/null >/dev/null ||
    wrong "record afterwards"
[ $failures = 0 ] || fail "$failures of the above"
no_domains
echo "$guests hostile guests harmed nobody"
