# SPDX-License-Identifier: GPL-2.0-or-later
# On a Xen without our patches (argument: stock), and on a patched one without a memory pool (no-pool): what needs them says so,
# what does not works.
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
    *) fail "usage: faults_stock.sh stock|no-pool" ;;
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
