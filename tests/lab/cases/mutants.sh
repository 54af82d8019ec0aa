# SPDX-License-Identifier: GPL-2.0-or-later
# Mutants of a log that are consistent in themselves, so that 'verify' alone has to accept them, are refuted by
# 'verify --replay'. One of each class and kind of mutation.
. /lab-lib.sh

probe_config /tmp/probe.cfg "rounds=30"
casmotion -q record /tmp/probe.cfg -o /tmp/log --digest-interval 100 || fail "record"
casmotion -q verify /tmp/log --replay --console-to /dev/null >/tmp/said 2>&1 || fail "the log itself: $(cat /tmp/said)"
casm-trace-mutants /tmp/log /tmp/survivors || fail "verify alone accepts what it must refuse"

failures=0 refuted=0 same=0 signals=0
echo
printf '%-44s %4s  %s\n' mutant code "verify --replay says"
for mutant in /tmp/survivors/*; do
    name=${mutant##*/}
    casmotion -q verify "$mutant" --replay --console-to /dev/null >/tmp/said 2>/tmp/err
    code=$?
    printf '%-44s %4s  %s\n' "$name" $code "$(head -n 1 /tmp/err | sed 's/^casmotion: verify: //' | cut -c1-100)"
    case $name.$code in
        *.1 | *.65) refuted=$((refuted + 1)) ;;
        *.same-states.0) same=$((same + 1)) ;;
        # A signal more or less on a port that is pending anyway, or that the guest does not look at, changes no state that it sees.
        *.evtchn.*.0) signals=$((signals + 1)) ;;
        *)
            failures=$((failures + 1))
            echo "WRONG: $name: exit code $code: $(cat /tmp/said /tmp/err)" >&2
            ;;
    esac
done
echo "$refuted refuted by a replay, $same pass through the same states, $signals signals that change nothing"
[ $failures = 0 ] || fail "$failures mutants were accepted"
[ $refuted -ge 25 ] || fail "only $refuted were refuted"
no_domains
