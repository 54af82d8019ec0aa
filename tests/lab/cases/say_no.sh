# SPDX-License-Identifier: GPL-2.0-or-later
# The checker can say no. A log in which one record was changed, dropped, duplicated or swapped, every checksum made right
# again, is refused by 'verify' or by 'replay', at that record. A hook of the hypervisor that is switched off is noticed, and
# the report names its class. (Records that are dropped or duplicated while END counts them: tests/cli/say_no_test.py.)
. /lab-lib.sh

failures=0
wrong() {
    echo "WRONG: $*" | tee -a /tmp/wrong >&2
    failures=$((failures + 1))
}

# A mutant that passes through the same states as the log, so that no replay can differ, and that a hypervisor could have made:
# a call that writes the same bytes twice. Only END's counters give it away.
same_states() { [ "$1" = outmem.duplicate ]; }

# How far behind the record the report may be. An input shows in the registers at the next entry (of whose hash 8 bits are
# logged: three entries let one mutant in 2^24 pass); one that goes into memory, when it is read, or in the next digest.
# That a digest is missing shows when it is overdue.
limit_of() { # class record -> record
    case $1 in
        outmem | evtchn | ring | digest) awk -v from="$2" '$1 > from && ($3 == "digest" || $3 == "end") { print $1; exit }' /tmp/events ;;
        *) awk -v from="$2" '$1 >= from { last = $1 } $1 > from && $3 == "entry" && ++n == 3 { exit } END { print last }' \
            /tmp/events ;;
    esac
}

count_of() { awk -v class="$1" '$3 == class' /tmp/events | wc -l; }

# Which event is one of the timer's that stands alone, six entries from the signals before and behind it, so that the guest has
# handled each before the next. A signal of a port that is pending already, or that follows before the guest looked (a late guest
# on a busy host), changes no state that a replay could miss, nor do two at one point that change places.
lone_signal() {
    awk '
        $3 == "entry" { entries++ }
        $3 == "evtchn" {
            if (candidate != "" && entries - at >= 6) exit
            candidate = $4 == "port=3" && entries - at >= 6 ? n + 0 : ""
            at = entries
            n++
        }
        END { print candidate }' /tmp/events
}

# Which record of a class: one from the middle of the log. A result must be one that lands in a register, not in a
# multicall's memory: its own entry follows at once, and an entry is before it.
pick() { # class
    case $1 in
        init | end) echo 0 ;;
        digest) echo 2 ;;
        evtchn) lone_signal ;;
        result) awk -v half="$(($(count_of result) / 2))" '
            $3 == "entry" && held >= half { print held; exit }
            { held = -1 }
            $3 == "result" { if (before == "entry") held = n; n++ }
            { before = $3 }' /tmp/events ;;
        *) echo $(($(count_of "$1") / 2)) ;;
    esac
}

mutate() { # class op options...
    rm -rf /tmp/mutant
    class_=$1 op_=$2
    shift 2
    casmotion-mutate /tmp/log /tmp/mutant --class "$class_" --op "$op_" --nth "$(pick "$class_")" --seed 3 "$@" >/tmp/mutation ||
        fail "no mutant: $class_ $op_"
    mutated=$(awk '$1 == "record" { print $2 }' /tmp/mutation)
}

# Both leave: code, by (who said no, and with which check), reported (record), what (in their words).
ask_verify() {
    casmotion -q verify /tmp/mutant >/tmp/said 2>/tmp/error
    code=$?
    # Of no log can it tell C2 where plain CPUID does not trap, which is no "no".
    untold=$(grep -E '^C[1-6] .* cannot be told ' /tmp/said)
    case $code.$untold in 75."C2 "*"did not trap: "*) [ "$(echo "$untold" | wc -l)" != 1 ] || code=0 ;; esac
    # The first check that says no: "order  refuted  record 12 @3 (tsc): ...".
    line=$(grep -E '^[a-z]+ +refuted' /tmp/said | head -n 1)
    by="verify ${line%% *}"
    reported=$(echo "$line" | sed -n 's/^[a-z]* *refuted *record \([0-9,]*\).*/\1/p' | tr -d ,)
    what=$(echo "$line" | sed 's/^[a-z]* *refuted *//' | cut -c1-90)
    [ -n "$line" ] || what=$(head -n 1 /tmp/error | cut -c1-90)
}

ask_replay() {
    casmotion -q replay /tmp/mutant --console-to /dev/null >/tmp/said 2>/tmp/error
    code=$?
    by=replay
    reported=$(sed -n 's/^replay diverged from the log at record \([0-9,]*\).*/\1/p' /tmp/error | tr -d ,)
    what=$(head -n 1 /tmp/error | sed 's/^replay diverged from the log at //' | cut -c1-90)
    [ $code != 1 ] || { grep -q 'expected (log):' /tmp/error && grep -q 'actual (replay):' /tmp/error; } ||
        wrong "$class $op: the report lacks expected and actual: $(cat /tmp/error)"
}

at_the_record() { # class op
    first=$mutated last=$mutated
    # Of two records that changed places either may be the one that gives it away.
    [ "$2" != swap ] || last=$(awk -v class="$1" -v at="$mutated" '$1 > at && $3 == class { print $1; exit }' /tmp/events)
    last=$(limit_of "$1" "${last:-$mutated}")
    # A record more or less in front of it moves what follows by one.
    [ -n "$reported" ] && [ "$reported" -ge $((first - 1)) ] && [ "$reported" -le $((${last:-$first} + 1)) ]
}

row() { printf '%-7s %-10s %-20s %8s %8s  %s\n' "$class" "$op" "$by" "$mutated" "${reported:--}" "$what"; }

# A guest that is late all the time has no event that stands alone: recorded again.
probe_config /tmp/probe.cfg "rounds=30"
recordings=0
: >/tmp/events
while [ -z "$(lone_signal)" ]; do
    recordings=$((recordings + 1))
    [ $recordings -le 10 ] || fail "in 10 recordings no signal of the timer stands alone"
    rm -rf /tmp/log
    casmotion -q record /tmp/probe.cfg -o /tmp/log --digest-interval 100 || fail "record"
    casmotion events /tmp/log >/tmp/events || fail "events"
done
casmotion -q replay /tmp/log --console-to /dev/null >/dev/null || fail "the log itself does not replay"

echo "== one record, END's counters made right too: noticed at the record"
printf '%-7s %-10s %-20s %8s %8s  %s\n' class op "noticed by" mutated reported what
for class in entry tsc msr cpuid result outmem evtchn ring init digest end; do
    for op in change drop duplicate swap; do
        mutate $class $op --fix-counts
        ask_verify
        # What passes, and what shows in a later record only, is for the replay to find.
        if [ $code = 0 ] || { [ $code = 1 ] && ! at_the_record $class $op; }; then
            ask_replay
        fi
        row
        if [ $code = 0 ]; then
            same_states $class.$op || wrong "$class $op: accepted"
        elif [ $class.$op = end.drop ]; then # as a whole
            [ $code = 65 ] || wrong "$class $op: exit code $code"
        else
            [ $code = 1 ] || [ $code = 65 ] || wrong "$class $op: exit code $code: $(cat /tmp/error)"
            at_the_record $class $op || wrong "$class $op: not at the record but at ${reported:-none}"
        fi
    done
done

echo
echo "== a hook that is switched off"
printf '%-7s %-8s %-30s %-30s %s\n' class recorded "verify" "replay: the evidence" "replay: the first difference"
for class in entry tsc msr cpuid result outmem evtchn ring init digest end; do
    rm -rf /tmp/off /tmp/off.incomplete
    casmotion -q record /tmp/probe.cfg -o /tmp/off --digest-interval 100 --disable-class $class 2>/tmp/error
    recorded=$?
    log=/tmp/off
    [ -d $log ] || log=/tmp/off.incomplete
    casmotion -q verify $log >/tmp/said 2>/tmp/error.verify
    verified=$?
    named=$(sed -n "s/.*\(class $class: [0-9]* applied, [0-9]* logged\).*/\1/p" /tmp/said | head -n 1)
    casmotion -q replay $log --console-to /dev/null >/tmp/said.replay 2>/tmp/error.replay
    replayed=$?
    evidence=$(sed -n 's/.*evidence points to class: *//p' /tmp/error.replay)
    first=$(head -n 1 /tmp/error.replay | sed 's/^replay diverged from the log at //' | cut -c1-60)
    printf '%-7s %-8s %-30s %-30s %s\n' $class $recorded "$verified: ${named:--}" "$replayed: ${evidence:--}" "$first"
    if [ $class = end ]; then # which counts the others, and without which a log has no end
        [ "$recorded $verified $replayed" = "65 65 65" ] || wrong "end off: $(cat /tmp/error /tmp/error.verify /tmp/error.replay)"
        continue
    fi
    [ $verified = 1 ] && [ -n "$named" ] || wrong "$class off: verify does not name it: $(cat /tmp/said)"
    [ $replayed = 1 ] || wrong "$class off: replay: exit code $replayed"
    [ "$evidence" = $class ] || wrong "$class off: the evidence points elsewhere: $evidence"
done
[ $failures = 0 ] || fail "$failures wrong: $(cat /tmp/wrong)"
no_domains
echo "every mutant and every missing hook was noticed"
