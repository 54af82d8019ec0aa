# SPDX-License-Identifier: GPL-2.0-or-later
# What instructions that may not trap tell the probe about the processor: nothing of the host, and a replay sees the same.
#   arguments: does plain CPUID trap ("trapped", "plain"); what answers SIDT and its like ("umip", "alias"); where to keep the
#   log ("-": nowhere)
. /lab-lib.sh

probe_config /tmp/probe.cfg processor=2
record_for 60 probe /tmp/said /tmp/probe.cfg -o /tmp/log
printed probe "probe: done"
console() { tr -d '\r' <"$(guest_log probe)"; }
shows() { # lines-at-least text
    [ "$(console | grep -c "^$2\$")" -ge "$1" ] || fail "the guest did not see '$2' $1 times: $(console)"
}

# Three leaves in each of two rounds.
case $1 in trapped) expected=6 ;; plain) expected=0 ;; esac
logged=$(casmotion info /tmp/log | awk '$1 == "cpuid" { print $2 }')
[ "$logged" = "$expected" ] || fail "$logged CPUID records, not $expected"

case $2 in
    umip)
        shows 2 "sgdt: base  fffffffffffe0000"
        shows 2 "sidt: base  ffffffffffff0000"
        shows 2 "sidt: limit 0"
        shows 2 "str: 40"
        shows 2 "str: word     1122334455660040"
        ;;
    alias)
        shows 2 "sgdt: base  ffff820000000000"
        shows 2 "sidt: base  ffff8200001e0000"
        shows 2 "sidt: limit fff"
        ;;
esac
shows 2 "sldt: 0"
shows 2 "sldt: word     1122334455660000"
shows 2 "smsw: 33"
shows 2 "smsw: register 80050033"
shows 2 "sidt: vector of the fault, and 1: f" # a page fault

casmotion -q replay /tmp/log --console-to /tmp/again || fail "replay: exit code $?"
cmp /tmp/again "$(guest_log probe)" || fail "the replay printed something else"
[ "$3" = - ] || cp -r /tmp/log "$3"
no_domains
echo "equal; $logged CPUID records; $(console | grep '^sidt: base' | head -n 1)"
