# SPDX-License-Identifier: GPL-2.0-or-later
# One round of the soak: a recording under a disturbance, two replays under others. The host sets:
#   guest        name of the guest, /guest/<name>.cfg
#   delay_us     how long to wait first, so that timers have another phase
#   record_load, replay_loads   names of loads below
#   typed        when to type lines on the guest's console, in tenths of a second after its console is there
#   digest       entries between memory digests
. /lab-lib.sh

load() { # name: keeps dom0 busy until it is killed
    case $1 in
        none)
            echo >/tmp/disturbed
            exec sleep 1000
            ;;
        spin)
            echo >/tmp/disturbed
            while :; do :; done
            ;;
        fork) while :; do true | cat && echo >/tmp/disturbed; done ;;
        tools) while :; do xl list && xl vcpu-list && xenstore-ls && xl dmesg && echo >/tmp/disturbed; done >/dev/null 2>&1 ;;
        disk) while :; do dd if=/dev/urandom of=/share/noise bs=64k count=16 2>/dev/null && echo >/tmp/disturbed; done ;;
        # A paused guest stands still in the middle of whatever it does.
        pause) while :; do
            usleep 700000
            id=$(xl domid "$guest" 2>/dev/null) && xl pause "$id" && usleep 200000 && xl unpause "$id" && echo >/tmp/disturbed
        done >/dev/null 2>&1 ;;
        *) fail "no load $1" ;;
    esac
}

under() { # load command...
    rm -f /tmp/disturbed
    load "$1" &
    loader=$!
    shift
    "$@"
    code=$?
    kill $loader 2>/dev/null
    wait $loader 2>/dev/null
    # A disturbance that never was would leave everything equal too.
    [ -e /tmp/disturbed ] || fail "the load never worked while this ran: $*"
    return $code
}

type_lines() {
    until id=$(xl domid "$guest" 2>/dev/null) && xenstore-exists "/local/domain/$id/console/tty"; do usleep 300000; done
    { for tenths in $typed; do
        usleep $((tenths * 100000))
        echo "typed after $tenths"
    done; sleep 60; } | xenconsole --interactive "$id" >/dev/null 2>&1
}

usleep "$delay_us"
type_lines &
under "$record_load" casmotion -q record "/guest/$guest.cfg" -o /tmp/soak.log --digest-interval "$digest" --json \
    >/share/record.json || { cp -r /tmp/soak.log* /share/; fail "record: exit code $code"; }
tr -d '\r' <"$(guest_log "$guest")" >/tmp/recorded
grep -q "work: done" /tmp/recorded || { cp -r /tmp/soak.log /share/; fail "the guest did not finish: $(tail -n 2 /tmp/recorded)"; }
round=0 result=0
for name in $replay_loads; do
    round=$((round + 1))
    under "$name" casmotion -q replay /tmp/soak.log --console-to /tmp/replayed --json >/share/replay$round.json || result=1
    tr -d '\r' </tmp/replayed | cmp - /tmp/recorded || { echo "replay $round printed something else" >&2; result=1; }
done
[ $result = 0 ] || cp -r /tmp/soak.log /share/
exit $result
