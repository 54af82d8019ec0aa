# SPDX-License-Identifier: GPL-2.0-or-later
# Logs that go from one kind of processor to another, through /share. Each argument is a step, one word:
#   "record NAME OPTIONS..."   records an ordinary Linux guest, one of whose programs prints what CPUID, SIDT and their like tell
#                              it; verify says of the log alone that C2 holds
#   "replay NAME"              the log, of whatever machine, replays to an equal end and prints the same
#   "refused NAME TEXT"        the replay is refused before it starts, with exit code 69 and a line that has TEXT
. /lab-lib.sh

program_configs /tmp/linux casm-timepoints processor=2 hash=1

record() { # name options
    label=$1
    shift
    rm -rf "/share/$label" /tmp/log "$(guest_log recorded)"
    record_for 250 recorded /tmp/said /tmp/linux/recorded.cfg -o /tmp/log "$@"
    cat /tmp/said
    printed_done recorded
    grep "^cpuid [08]\|^gdt\|^signal" "$(guest_log recorded)" || fail "the program printed nothing of its processor"
    casmotion -q verify /tmp/log >/tmp/verified 2>&1
    cat /tmp/verified
    grep -q '^C2 .* holds ' /tmp/verified || fail "C2 does not hold"
    mkdir "/share/$label" && cp -r /tmp/log "/share/$label/log" || fail "cannot copy the log to the host"
    tr -d '\r' <"$(guest_log recorded)" >"/share/$label/console"
    rm -rf /tmp/log
}

replay() { # name
    [ -d "/share/$1/log" ] || fail "there is no log $1"
    casmotion replay "/share/$1/log" --console-to /tmp/replayed 2>/tmp/said >/tmp/result || fail "replay of $1: exit code $?: $(cat /tmp/said /tmp/result)"
    cat /tmp/said /tmp/result
    tr -d '\r' </tmp/replayed | cmp - "/share/$1/console" || fail "the replay of $1 printed something else"
    no_domains
}

refused() { # name text
    label=$1
    shift
    [ -d "/share/$label/log" ] || fail "there is no log $label"
    casmotion replay "/share/$label/log" >/tmp/result 2>/tmp/said
    [ $? = 69 ] || fail "the replay of $label was not refused: $(cat /tmp/said /tmp/result)"
    cat /tmp/said
    grep -q -- "$*" /tmp/said || fail "the refusal does not say '$*'"
    ! grep -q . /tmp/result || fail "a replay that was refused printed something"
    no_domains
}

model=$(sed -n 's/^vendor_id.*: //p' /proc/cpuinfo | head -n 1)
casmotion doctor | grep -E ' (cpuid|descriptors|cpu|counter) '
for step; do
    echo "== $model: $step"
    # shellcheck disable=SC2086  # a step is words
    $step
done
