# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that attacks Xen and dom0 with random hypercalls, ring indexes, grant entries and instructions harms nobody but
# itself: Xen, dom0 and the recorder go on, and what it did is replayed to its end. And each of its attacks reached what it is
# aimed at: guest/probe/attacks.def says what each must have come to in all guests together.
# Arguments: number of guests, first seed, attacks by each.
. /lab-lib.sh

guests=${1:-12} seed=${2:-1} steps=${3:-3000}
last=$((seed + guests - 1)) failures=0 lived=0
: >/tmp/attacks
wrong() {
    echo "WRONG: seed $seed: $* (scripts/lab run ... --script tests/lab/cases/hostile.sh -- 1 $seed $steps)" >&2
    rm -rf "/share/hostile-$seed"
    cp -r /tmp/log* "/share/hostile-$seed" 2>/dev/null
    failures=$((failures + 1))
}

xl dmesg -c >/dev/null
printf '%6s  %-8s %10s %10s  %s\n' seed recorded entries records "how it ended / replay"
while [ "$seed" -le $last ]; do
    # Half of them also do what cannot be taken back, and have a memory map to ask for.
    [ $((seed % 2)) = 0 ] && for_good=for-good || for_good=
    probe_config /tmp/probe.cfg "hostile seed=$seed steps=$steps $for_good"
    echo "e820_host = 1" >>/tmp/probe.cfg
    rm -rf /tmp/log /tmp/log.incomplete "$(guest_log probe)"
    # Some make themselves wait for ever.
    casmotion record /tmp/probe.cfg -o /tmp/log --for 20 --digest-interval 2000 >/tmp/out 2>/tmp/err
    code=$?
    xl destroy probe 2>/dev/null
    wait_gone probe 20
    said=$(tail -n 1 /tmp/err | sed "s/^record: //; s/, log .*//")
    # Two tables, the second if the guest lived: the last line of each attack has all.
    tr -d '\r' <"$(guest_log probe)" | grep '^attack: .* aimed [0-9 ]* random [0-9 ]*$' | awk -F: '{ line[$2] = $0 }
        END { for (name in line) print line[name] }' >>/tmp/attacks
    [ "$(grep -c 'attack: at the end' "$(guest_log probe)")" = 0 ] || lived=$((lived + 1))
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
    xl debug-keys h
    xl dmesg -c >/tmp/dmesg
    grep -q "'h' pressed" /tmp/dmesg || wrong "what Xen says is not seen"
    grep -E "Xen BUG|Assertion|Xen WARN|FATAL|hypervisor memory|Debugging connection" /tmp/dmesg && wrong "Xen complains"
    seed=$((seed + 1))
done
# What the attacks came to: "attack: NAME: EXPECT aimed TRIED DONE REFUSED WRONG random TRIED DONE REFUSED WRONG".
printf '\n%-58s %8s %8s %8s %8s %8s   (%s guests lived to their end)\n' attack expected tried done refused wrong $lived
sed 's/^attack: //; s/: \([A-Z]*\) aimed/ : \1 aimed/' /tmp/attacks | awk -F' : ' -v guests="$guests" '
    { split($2, f, " "); expect[$1] = f[1]; seen[$1]++
      for (i = 0; i < 4; i++) n[$1, i] += f[3 + i] + f[8 + i] }
    END {
        for (name in expect) {
            if (seen[name] * 2 < guests) continue # not what a guest printed: random bytes in its console ring
            e = expect[name]; tried = n[name, 0]; done = n[name, 1]; refused = n[name, 2]; wrong = n[name, 3]
            bad = ""
            if (!tried && e != "SELDOM") bad = "never tried"
            else if ((e == "BOTH" || e == "DONE") && !done) bad = "never done: it did not arrive"
            else if (e == "BOTH" && !refused) bad = "never refused"
            else if ((e == "REFUSED" || e == "PERM" || e == "NOSYS" || e == "NOTSUPP") && done) bad = "done, and must be refused"
            else if ((e == "REFUSED" || e == "PERM" || e == "NOSYS" || e == "NOTSUPP") && !refused) bad = "never refused"
            else if (wrong) bad = "refused for another reason"
            printf "%-58s %8s %8d %8d %8d %8d %s\n", name, e, tried, done, refused, wrong, bad ? "<-- WRONG: " bad : ""
        }
    }' | sort >/tmp/table
cat /tmp/table
[ "$(wc -l </tmp/table)" -ge 130 ] || wrong "only $(wc -l </tmp/table) attacks are in the table"
! grep -q WRONG /tmp/table || wrong "an attack did not come to what it must: $(grep WRONG /tmp/table)"
[ $lived -gt 0 ] || wrong "no guest lived to its end"

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
