# SPDX-License-Identifier: GPL-2.0-or-later
# Mutants of a log with every class of records and points of both kinds. Those that are consistent in themselves, so that
# 'verify' alone has to accept them, are refuted by 'verify --replay': one of each class and kind of mutation, as casm-trace-mutants
# made them of what mutants_record.sh recorded, or all (the same by hand, with "all" for casm-trace-mutants).
. /lab-lib.sh

[ -d /share/survivors ] || fail "no /share/survivors: run lab.mutants-record and lab.mutants-made first"
rm -f /share/replayed
# If the log itself is refuted here, all its mutants are, and that says nothing.
verified_by_replay /share/log /dev/null

failures=0
echo
for mutant in /share/survivors/*; do
    name=${mutant##*/}
    # Two seconds without a record: a guest that waits for ever, on its own account.
    casmotion -q verify "$mutant" --replay --console-to /dev/null --stall-timeout 2 >/tmp/said 2>/tmp/err
    code=$?
    case $name.$code in
        *.1 | *.65) says=refuted ;;
        # Not accepted: no record for that long, where the recording had one. For any other reason it says nothing.
        *.75) grep -q "made no progress" /tmp/err && says=stuck || { says=unclear; failures=$((failures + 1)); } ;;
        *.same-states.0) says=same ;;
        # An index of a ring that the next one overwrites, or a signal on a port that is pending anyway, at another place or of
        # another value: in memory only, and neither the guest nor a digest looks before it is as it was. Not all are like that.
        *.ring.*.0 | *.evtchn.*.0) says=unseen ;;
        # The same, where it is the point that moved and its effects took place at the injection point before it.
        *.apoint.swap.0 | *.apoint.part-from-its-effects.0 | *.apoint.give-it-the-effects-before-it.0) says=unseen ;;
        *)
            says=accepted
            failures=$((failures + 1))
            echo "WRONG: $name: exit code $code: $(cat /tmp/said /tmp/err)" >&2
            ;;
    esac
    condition=$(echo "$name" | cut -d. -f2) class=$(echo "$name" | cut -d. -f3)
    echo "$condition $class $says" >>/share/replayed
    printf '%-52s %4s  %-8s %s\n' "$name" $code $says "$(head -n 1 /tmp/err | sed 's/^casmotion: verify: //' | cut -c1-90)"
done

echo
printf '%-10s %12s %8s %12s %8s %8s\n' condition "by a replay:" refuted "same states" unseen stuck
for condition in C1 C2 C3 C4 C5 C6 C; do # C: all
    printf '%-10s %12s' $condition ""
    for says in refuted same unseen stuck; do
        printf ' %8s' "$(grep -c "^$condition.* $says\$" /share/replayed)"
    done
    echo
done
for class in entry tsc msr cpuid result outmem evtchn ring init digest end apoint branches manifest; do
    grep -q "$class refuted" /share/replayed || fail "no mutant of class $class was refuted by a replay"
done
[ $failures = 0 ] || fail "$failures mutants were accepted"
[ "$(grep -c refuted /share/replayed)" -ge 25 ] || fail "only $(grep -c refuted /share/replayed) were refuted"
no_domains
