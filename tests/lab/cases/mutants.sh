# SPDX-License-Identifier: GPL-2.0-or-later
# Mutants of a log that are consistent in themselves, so that 'verify' alone has to accept them, are refuted by
# 'verify --replay'. One of each class and kind of mutation; casm-trace-mutants made them of what mutants_record.sh recorded.
. /lab-lib.sh

[ -d /share/survivors ] || fail "no /share/survivors: run lab.mutants-record and lab.mutants-made first"

failures=0 refuted=0 same=0 unseen=0 stuck=0 refuted_classes=
echo
printf '%-44s %4s  %s\n' mutant code "verify --replay says"
for mutant in /share/survivors/*; do
    name=${mutant##*/}
    casmotion -q verify "$mutant" --replay --console-to /dev/null --stall-timeout 10 >/tmp/said 2>/tmp/err
    code=$?
    printf '%-44s %4s  %s\n' "$name" $code "$(head -n 1 /tmp/err | sed 's/^casmotion: verify: //' | cut -c1-100)"
    case $name.$code in
        *.1 | *.65)
            refuted=$((refuted + 1))
            refuted_classes="$refuted_classes $(echo "$name" | cut -d. -f2)"
            ;;
        *.75) stuck=$((stuck + 1)) ;; # a guest that waits for ever, on its own account: not accepted
        *.same-states.0) same=$((same + 1)) ;;
        # An index of a ring that the next one overwrites, or a signal on a port that is pending anyway, at another place or of
        # another value: in memory only, and neither the guest nor a digest looks before it is as it was. Not all are like that.
        *.ring.*.0 | *.evtchn.*.0) unseen=$((unseen + 1)) ;;
        *)
            failures=$((failures + 1))
            echo "WRONG: $name: exit code $code: $(cat /tmp/said /tmp/err)" >&2
            ;;
    esac
done
echo "$refuted refuted by a replay, $same pass through the same states, $unseen that nobody looked at in time, $stuck stuck"
for class in entry tsc msr cpuid result outmem evtchn ring init digest end; do
    echo "$refuted_classes " | grep -q " $class " || fail "no mutant of class $class was refuted by a replay"
done
[ $failures = 0 ] || fail "$failures mutants were accepted"
[ $refuted -ge 18 ] || fail "only $refuted were refuted"
no_domains
