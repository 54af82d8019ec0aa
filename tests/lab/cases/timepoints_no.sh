# SPDX-License-Identifier: GPL-2.0-or-later
# A record of a point between entries that is not true is noticed at that record; the branch count of the check records too.
. /lab-lib.sh

probe_config /tmp/probe.cfg loops=4
record_for 120 probe /tmp/said /tmp/probe.cfg -o /tmp/log
tail -n 3 /tmp/said
casmotion -q replay /tmp/log --console-to /dev/null || fail "the log itself does not replay"

printf '%-12s %8s %9s  %s\n' changed record reported what
for change in branches+1 branches-1 rip+1 rcx+1 rsp+8 hash+1 from+1; do
    rm -rf /tmp/mutant
    record=$(casm-forge-log apoint "$change" /tmp/log /tmp/mutant) || fail "no mutant: $change"
    casmotion -q replay /tmp/mutant --console-to /dev/null >/dev/null 2>/tmp/error
    code=$?
    reported=$(sed -n 's/^replay diverged from the log at record \([0-9,]*\).*/\1/p' /tmp/error | tr -d ,)
    printf '%-12s %8s %9s  %s\n' "$change" "$record" "${reported:--}" "$(head -n 1 /tmp/error | cut -c1-80)"
    [ $code = 1 ] || fail "$change: exit code $code: $(cat /tmp/error)"
    [ "$reported" = "$record" ] || fail "$change: reported at $reported: $(cat /tmp/error)"
    { grep -q 'expected (log):' /tmp/error && grep -q 'actual (replay):' /tmp/error; } || fail "$change: no comparison: $(cat /tmp/error)"
done
no_domains
