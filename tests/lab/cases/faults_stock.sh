# SPDX-License-Identifier: GPL-2.0-or-later
# On a Xen without our patches (argument: stock), and on a patched one without a memory pool (no-pool), or with one that lies where
# dom0's initrd is loaded (taken FIRST END, its addresses): what needs them says so, what does not works.
. /lab-lib.sh

failures=0
refused() { # name code pattern command...
    name=$1 want=$2 pattern=$3
    shift 3
    "$@" >/tmp/out 2>/tmp/err
    code=$?
    printf '%-12s %4s  %s\n' "$name" $code "$(head -n 1 /tmp/err | cut -c1-150)"
    if [ $code != "$want" ] || ! grep -qE -- "$pattern" /tmp/err || [ "$(wc -l </tmp/err)" != 1 ]; then
        echo "WRONG: $name: $code: $(cat /tmp/out /tmp/err)" >&2
        failures=$((failures + 1))
    fi
    no_domains
}

case $1 in
    stock) lack="does not have CASMotion's patches" ;;
    no-pool) lack="no memory pool" ;;
    taken)
        lack="no memory pool"
        # shellcheck disable=SC2046  # two words
        set -- "$@" $(xl dmesg | sed -n 's/.*Init\. ramdisk: *\([0-9a-f]*\)->\([0-9a-f]*\).*/0x\1 0x\2/p')
        [ $# = 5 ] || fail "Xen does not say where dom0's initrd is"
        [ $(($4)) -lt $(($3)) ] && [ $(($5)) -gt $(($2)) ] || fail "dom0's initrd is at $4 to $5, not in the pool: nothing is tested"
        said=$(xl dmesg | grep "casm: ")
        mfn=$(echo "$said" | sed -n "s/.*casm_pool= range is not free RAM at MFN \([0-9a-f]*\) (Xen, dom0's kernel or initrd.*/0x\1/p")
        [ "$(echo "$said" | wc -l)" = 1 ] && [ -n "$mfn" ] || fail "Xen says: $said"
        [ $((mfn << 12)) -ge $(($4)) ] && [ $((mfn << 12)) -lt $(($5)) ] || fail "the first frame that is not free is not the initrd's: $said"
        ;;
    *) fail "usage: faults_stock.sh stock|no-pool|taken FIRST END" ;;
esac
probe_config /tmp/probe.cfg "rounds=1"
refused doctor 69 "$lack|cannot record" casmotion doctor
cat /tmp/out
grep -q '^bad ' /tmp/out || fail "doctor finds nothing bad"
refused setup 69 "$lack" casmotion -q setup
refused record 69 "$lack" casmotion -q record /tmp/probe.cfg -o /tmp/log
[ ! -e /tmp/log ] && [ ! -e /tmp/log.incomplete ] || fail "a log was left"

# An ordinary guest does not mind.
sed '/^pool/d' /tmp/probe.cfg >/tmp/plain.cfg
xl create -q /tmp/plain.cfg || fail "xl create"
wait_gone probe 30
printed probe "probe: done"
[ $failures = 0 ] || fail "$failures of the above"
echo "what needs the patches says so"
