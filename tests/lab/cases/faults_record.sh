# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong while recording: one clear line, the documented exit code, no leaked domain, no half-written log under the
# final name, and nothing lost of what a log that ended early holds.
. /lab-lib.sh

failures=0
wrong() {
    echo "WRONG: $*" >&2
    failures=$((failures + 1))
}

judge() { # name code-wanted pattern code: of /tmp/err
    printf '%-34s %4s  %s\n' "$1" "$4" "$(tail -n 1 /tmp/err | cut -c1-150)"
    [ "$4" = "$2" ] || wrong "$1: exit code $4 instead of $2: $(cat /tmp/err)"
    tail -n 1 /tmp/err | grep -qE -- "$3" || wrong "$1: no '$3' in: $(cat /tmp/err)"
}

refused() { # name code pattern command...
    name_=$1 want_=$2 pattern_=$3
    shift 3
    "$@" >/tmp/out 2>/tmp/err
    judge "$name_" "$want_" "$pattern_" $?
    [ "$(wc -l </tmp/err)" = 1 ] || wrong "$name_: not one line: $(cat /tmp/err)"
    [ ! -e /tmp/no ] && [ ! -e /tmp/no.incomplete ] || wrong "$name_: a log was left: $(ls -d /tmp/no*)"
}

record() { casmotion -q record "$@"; }
replays() { # name code log: what the log holds is replayed without a difference
    casmotion -q replay --console-to /dev/null "$3" >/tmp/out 2>/tmp/err
    code=$?
    printf '%-34s %4s  %s\n' "  replay of it" $code "$(cat /tmp/out /tmp/err | tail -n 1 | cut -c1-150)"
    [ $code = "$2" ] || wrong "$1: its replay: exit code $code instead of $2: $(cat /tmp/out /tmp/err)"
    grep -q equal /tmp/out /tmp/err || wrong "$1: its replay is not equal: $(cat /tmp/out /tmp/err)"
}

# Starts a recording in the background and waits until the guest runs. Leaves its process id in $recorder.
begin() { # target log options...
    target_=$1 log_=$2
    shift 2
    rm -f "$(guest_log probe)" # what an earlier guest printed
    casmotion record "$target_" -o "$log_" "$@" >/tmp/begin.out 2>/tmp/begin.err &
    recorder=$!
    tenths=200
    until grep -q "recording domain" /tmp/begin.err; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] && kill -0 $recorder 2>/dev/null || fail "the recording does not begin: $(cat /tmp/begin.err)"
        usleep 100000
    done
}

finish() { # name code pattern
    wait $recorder
    code=$?
    cp /tmp/begin.err /tmp/err
    judge "$1" "$2" "$3" $code
}

gone() {
    xl destroy probe 2>/dev/null
    wait_gone probe 20
}

probe_config /tmp/probe.cfg "rounds=20"
probe_config /tmp/forever.cfg forever
sed '/^pool/d' /tmp/forever.cfg >/tmp/outside.cfg
sed 's/^memory.*/memory = 400/' /tmp/probe.cfg >/tmp/big.cfg
sed 's/^vcpus.*/vcpus = 2/' /tmp/probe.cfg >/tmp/smp.cfg

echo "== what cannot be recorded"
refused "unknown domain id" 2 "no.* domain|domain.*(not|no)" record 999 -o /tmp/no
refused "unknown name" 2 "nobody" record nobody -o /tmp/no
refused "no such file" 2 "/tmp/nothing.cfg" record /tmp/nothing.cfg -o /tmp/no
refused "domain 0" 2 "domain 0" record 0 -o /tmp/no
refused "guest bigger than the pool" 69 "too small" record /tmp/big.cfg -o /tmp/no
refused "two vCPUs" 2 "vCPU" record /tmp/smp.cfg -o /tmp/no
refused "ring too small" 2 "ring" record /tmp/probe.cfg -o /tmp/no --ring 1000
refused "ring too big" 2 "ring" record /tmp/probe.cfg -o /tmp/no --ring 128M
no_domains
xl create -q -p /tmp/outside.cfg
refused "not in the pool" 2 'pool="casmotion"' record probe -o /tmp/no
gone
xl create -q /tmp/forever.cfg
refused "running already" 2 "running already" record probe -o /tmp/no
refused "pool in use" 69 "in use by domain" record /tmp/probe.cfg -o /tmp/no
gone
mkdir /tmp/there
refused "the log exists" 2 "/tmp/there" record /tmp/probe.cfg -o /tmp/there
[ -z "$(ls -A /tmp/there)" ] || wrong "something was written into a folder that exists"
no_domains

echo "== where it cannot be written"
mkdir /tmp/full /tmp/tiny /tmp/fixed
mount -t tmpfs -o size=128k none /tmp/full
mount -t tmpfs -o size=16k none /tmp/tiny
mount -t tmpfs -o ro none /tmp/fixed
refused "no such folder" 2 "/tmp/nowhere" record /tmp/probe.cfg -o /tmp/nowhere/log
refused "read-only" 69 "[Rr]ead-only" record /tmp/probe.cfg -o /tmp/fixed/log
refused "full at the start" 69 "space" record /tmp/probe.cfg -o /tmp/tiny/log
[ -z "$(ls /tmp/tiny)" ] || wrong "left on the full disk: $(ls /tmp/tiny)"
no_domains
refused "full while recording" 69 "space" record /tmp/forever.cfg -o /tmp/full/log
[ ! -e /tmp/full/log ] && [ -d /tmp/full/log.incomplete ] || wrong "full disk: $(ls /tmp/full)"
gone
replays "full while recording" 65 /tmp/full/log.incomplete

echo "== how a guest ends"
for end in crash:crash fault:crash reboot:reboot; do
    probe_config /tmp/end.cfg "rounds=2 ${end%:*}"
    begin /tmp/end.cfg /tmp/end
    finish "guest: ${end%:*}" 0 "${end#*:}"
    no_domains
    replays "guest: ${end%:*}" 0 /tmp/end
    rm -r /tmp/end
done

echo "== how a recording ends"
begin /tmp/forever.cfg /tmp/for --for 2
finish "--for 2" 0 "goes on"
xl list probe >/dev/null || wrong "--for: the guest is gone"
refused "the same domain again" 2 "recorded already" record probe -o /tmp/no
gone
replays "--for" 0 /tmp/for
begin /tmp/forever.cfg /tmp/max --max-log 20K
finish "--max-log 20K" 0 "goes on"
gone
bytes=$(wc -c </tmp/max/events)
[ "$bytes" -gt 0 ] && [ "$bytes" -le 40000 ] || wrong "--max-log 20K made $bytes bytes"
replays "--max-log" 0 /tmp/max

begin /tmp/forever.cfg /tmp/int
wait_printed probe "round 3" 30
refused "already recording" 2 "being recorded" record probe -o /tmp/no
refused "pool in use by a recording" 69 "in use by domain" record /tmp/probe.cfg -o /tmp/no
xl list probe | grep -q '^probe ' || wrong "xl list while recording: $(xl list)"
xl vcpu-list probe >/dev/null && xl dmesg | grep -q "Xen version" && xl info >/dev/null || wrong "xl while recording"
{ sleep 3 | xenconsole --interactive "$(xl domid probe)"; } 2>/dev/null | grep -qa "probe: round" ||
    wrong "nothing on the console while recording"
kill -INT $recorder
finish "^C" 0 "goes on"
[ -d /tmp/int ] && [ ! -e /tmp/int.incomplete ] || wrong "^C: $(ls -d /tmp/int*)"
xl list probe >/dev/null || wrong "^C: the guest is gone"
gone
replays "^C" 0 /tmp/int

begin /tmp/forever.cfg /tmp/term
kill -TERM $recorder
finish "SIGTERM" 0 "goes on"
gone

# The second ^C does not wait until the guest came to a point for the log's end. What asked it to come to one must not keep it awake.
cpu_s() { xl list probe | awk '$1 == "probe" { print $6 }'; }
probe_config /tmp/asleep.cfg asleep
begin /tmp/asleep.cfg /tmp/twice
wait_printed probe "probe: start" 30
xl pause probe
kill -INT $recorder
sleep 1
kill -0 $recorder || wrong "the first ^C did not wait for the guest"
kill -INT $recorder
finish "^C twice" 65 "incomplete"
xl unpause probe
before_s=$(cpu_s)
sleep 5
after_s=$(cpu_s)
echo "asleep after ^C twice: $before_s s of CPU time, 5 s later $after_s s"
awk "BEGIN { exit !($after_s - $before_s < 1) }" || wrong "after ^C twice the guest does not sleep: $before_s s, 5 s later $after_s s"
gone

begin /tmp/forever.cfg /tmp/destroy
wait_printed probe "round 3" 30
xl destroy probe || wrong "xl destroy while recording"
finish "xl destroy" 0 "destroyed"
no_domains
replays "xl destroy" 0 /tmp/destroy

echo "== a recorder that is killed"
begin /tmp/forever.cfg /tmp/kill --ring 64K
until [ -s /tmp/kill.incomplete/events ]; do usleep 100000; done
kill -KILL $recorder
wait $recorder 2>/dev/null
# The guest goes on until its ring is full, then stands still.
rounds=-1 more=$(grep -c "probe: round" "$(guest_log probe)")
at_kill=$more
while [ $rounds != $more ]; do
    [ $more -lt $((at_kill + 5000)) ] || { wrong "the guest runs on without a recorder"; break; }
    sleep 1
    rounds=$more
    more=$(grep -c "probe: round" "$(guest_log probe)")
done
echo "the guest stopped $((rounds - at_kill)) rounds after the recorder"
[ ! -e /tmp/kill ] && [ -d /tmp/kill.incomplete ] || wrong "SIGKILL: $(ls -d /tmp/kill*)"
refused "record after the kill" 2 "recorded already|being recorded" record probe -o /tmp/no
xl destroy probe || wrong "a guest without a recorder cannot be destroyed"
wait_gone probe 20
replays "SIGKILL" 65 /tmp/kill.incomplete

echo "== a recorder that is killed while xl builds"
xl_runs() { ps | grep -v grep | grep -q "xl $1 "; } # what guards it has it on its command line too
casmotion record /tmp/forever.cfg -o /tmp/early >/dev/null 2>&1 &
recorder=$!
tenths=200
until xl_runs create || [ $tenths = 0 ]; do
    tenths=$((tenths - 1))
    usleep 20000
done
[ $tenths -gt 0 ] || wrong "xl was never seen at work"
kill -KILL $recorder
wait $recorder 2>/dev/null
tenths=200
until [ "$(xl list | wc -l)" = 2 ] && ! xl_runs create; do
    tenths=$((tenths - 1))
    [ $tenths -gt 0 ] || { wrong "a domain was left: $(xl list)"; break; }
    usleep 100000
done
rm -rf /tmp/early.incomplete

echo "== the smallest ring: slow, nothing lost"
probe_config /tmp/long.cfg "rounds=800"
begin /tmp/long.cfg /tmp/small --ring 64K
wait_printed probe "round 20" 30
kill -STOP $recorder # so that it is full for certain
sleep 2
kill -CONT $recorder
finish "--ring 64K" 0 "powered off"
stalls=$(casmotion info /tmp/small | awk '$1 == "stalls_log" { print $2 }')
[ "${stalls:-0}" != 0 ] && echo "the guest waited for room $stalls times" || wrong "the ring was never full"
replays "--ring 64K" 0 /tmp/small

[ $failures = 0 ] || fail "$failures of the above"
no_domains
echo "every fault was met"
