# SPDX-License-Identifier: GPL-2.0-or-later
# A guest is recorded with the usual tools at work beside it, its log is verified, and its replay passes through the same states.
#   arguments: name of the guest; seconds after which the recording stops ("-": when the guest powers off); then for each
#   recording the options of "casmotion record" as one word ("-": none; default: one recording without options)
. /lab-lib.sh

guest=$1 limit_s=${2--}
shift
[ $# = 0 ] || shift
[ "$limit_s" != - ] || limit_s=
[ $# != 0 ] || set -- -

once() { # options
    rm -rf /tmp/test.log
    rm -f "$(guest_log "$guest")"
    # shellcheck disable=SC2086  # options are words
    casmotion record "/guest/$guest.cfg" -o /tmp/test.log ${limit_s:+--for $limit_s} --digest-interval 300000 $1 2>/tmp/said &
    recorder=$!
    until xl domid "$guest" >/dev/null 2>&1; do
        kill -0 $recorder 2>/dev/null || fail "record: $(cat /tmp/said)"
        usleep 200000
    done
    xl list "$guest" >/dev/null || fail "xl list beside a recording"
    xl dmesg >/dev/null || fail "xl dmesg beside a recording"
    wait $recorder || fail "record: exit code $?: $(cat /tmp/said)"
    if [ -n "$limit_s" ]; then
        xl destroy "$guest" 2>/dev/null # it goes on when its recording stops
        wait_gone "$guest" 20
    else
        printed_done "$guest"
    fi
    no_domains

    # With points between entries or without, as this recording is meant to be: a counter that was not used has nothing to find.
    wanted=none
    ! casmotion doctor | grep -q '^ok .* counter .*usable' || wanted="AMD\|Intel"
    case " $1 " in *" --no-counter "*) wanted=none ;; esac
    casmotion info /tmp/test.log | grep -q "^counter *\($wanted\)" || fail "counter, not '$wanted': $(casmotion info /tmp/test.log | grep ^counter)"

    verified_by_replay /tmp/test.log /tmp/replayed
    no_domains
    # What the guest printed while it was recorded is printed again; a stopped guest printed more than that later.
    tr -d '\r' <"$(guest_log "$guest")" >/tmp/recorded
    tr -d '\r' </tmp/replayed >/tmp/again
    size=$(wc -c </tmp/again)
    [ "$size" -gt 1000 ] || fail "the replay printed only $size bytes"
    head -c "$size" /tmp/recorded | cmp - /tmp/again || fail "the replay printed something else"
    [ -n "$limit_s" ] || cmp /tmp/recorded /tmp/again || fail "the replay printed less"
    grep 'points between entries' /tmp/said
    echo "recorded and replayed${1:+ ($1)}: $(uname -r | cut -d- -f1) dom0, guest $guest $(grep -o 'Linux version [^ ]*' /tmp/again | head -n 1)"
}

for options; do
    [ "$options" != - ] || options=
    once "$options"
done
