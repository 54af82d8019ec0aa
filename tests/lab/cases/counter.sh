# SPDX-License-Identifier: GPL-2.0-or-later
# The branch counter's self-test says what the machine's counter is: usable, not-exact or absent ($1). Recordings obey it.
. /lab-lib.sh

kind=$1
says=$(casmotion doctor | grep ' counter ')
echo "$says"
echo "$(cat /tmp/setup.log)"
probe_config /tmp/probe.cfg "rounds=5"

refused() { # text options-of-record...
    text=$1
    shift
    casmotion record /tmp/probe.cfg -o /tmp/refused "$@" >/tmp/refused.out 2>&1
    [ $? = 69 ] || fail "a recording was not refused with 69: $(cat /tmp/refused.out)"
    grep -q "$text" /tmp/refused.out || fail "the refusal does not say '$text': $(cat /tmp/refused.out)"
    [ ! -e /tmp/refused ] && [ ! -e /tmp/refused.incomplete ] || fail "a refused recording left a log"
}

case $kind in
usable)
    echo "$says" | grep -q "^ok .*usable: .* branches counted exactly, [1-9][0-9]* points found again" || fail "doctor does not say usable: $says"
    grep -q "branch counter: usable" /tmp/setup.log || fail "setup did not test the counter"
    casmotion record /tmp/probe.cfg -o /tmp/with 2>/tmp/with.err || fail "$(cat /tmp/with.err)"
    ! grep -q "testing it" /tmp/with.err || fail "the counter was tested again"
    casmotion info /tmp/with | grep -q "^counter *\(AMD\|Intel\)" || fail "no counter in the manifest: $(casmotion info /tmp/with)"
    casmotion events /tmp/with --class branches --limit 1 | grep -q total= || fail "no BRANCHES records"
    casmotion replay /tmp/with >/dev/null || fail "the replay differs"
    # Nothing is known after a boot; a recording tests then, and says so.
    rm /run/casmotion/counter
    casmotion record /tmp/probe.cfg -o /tmp/again 2>/tmp/again.err || fail "$(cat /tmp/again.err)"
    grep -q "testing it" /tmp/again.err || fail "the counter was used without a test: $(cat /tmp/again.err)"
    # With a domain in the pool that waits to be recorded nothing can be tested.
    rm /run/casmotion/counter
    xl create -p -q /tmp/probe.cfg || fail "xl create"
    casmotion record probe -o /tmp/busy >/tmp/busy.out 2>&1
    [ $? = 69 ] && grep -q "casmotion doctor" /tmp/busy.out || fail "an untested counter was used: $(cat /tmp/busy.out)"
    casmotion record probe -o /tmp/busy --no-counter 2>/tmp/busy.out || fail "$(cat /tmp/busy.out)"
    xl destroy probe 2>/dev/null
    ;;
not-exact)
    grep -q "branch counter: not exact: .* were counted" /tmp/setup.log || fail "setup did not find the fault"
    echo "$says" | grep -q "^bad .*not exact: .* were counted" || fail "doctor does not say not exact: $says"
    refused "not exact"
    xl create -p -q /tmp/probe.cfg && casmotion record probe -o /tmp/refused >/tmp/refused.out 2>&1
    [ $? = 69 ] && grep -q "not exact" /tmp/refused.out || fail "a domain that exists was recorded with it: $(cat /tmp/refused.out)"
    xl destroy probe
    wait_gone probe 20
    casmotion record /tmp/probe.cfg -o /tmp/without --no-counter 2>/tmp/without.err || fail "$(cat /tmp/without.err)"
    casmotion replay /tmp/without >/dev/null || fail "the replay differs"
    ;;
absent)
    echo "$says" | grep -q "^note .*absent: " || fail "doctor does not say absent: $says"
    casmotion record /tmp/probe.cfg -o /tmp/without 2>/tmp/without.err || fail "$(cat /tmp/without.err)"
    grep -q "events wait until the guest enters Xen" /tmp/without.err || fail "a recording without a counter does not say so"
    casmotion replay /tmp/without >/dev/null || fail "the replay differs"
    refused "dense" --dense 1 --dense-range 0-1
    ;;
*)
    fail "usage: counter.sh usable|not-exact|absent"
    ;;
esac
xl destroy probe 2>/dev/null
no_domains
echo "the counter is $kind, as it should be"
