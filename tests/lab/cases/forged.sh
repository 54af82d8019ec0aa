# SPDX-License-Identifier: GPL-2.0-or-later
# A log that somebody forged hurts nobody. A record of each class with hostile lengths and fields goes to 'replay', which refuses it
# or says where the guest is another; and, past every check of the program, to Xen itself (tools/feed_forged.cc). The host stays up,
# Xen complains of nothing, and whoever comes next is served.
#   arguments: LENGTHS, then options of casm-feed-forged (none: all its cases but each length)
# LENGTHS, of those from 0 to 4096 that a record of each class is given on its way through the program: "all", which takes most of a
# day; a number N, for each Nth and the edges; or "edges": of a class with bytes 0, 1, the room that it has, one less, one more,
# 4096, and one of 7, 8, 9, 127, 128, 129 and 4095 in turn; of the others, for whose bytes the format has no place, 1, 4096 and that
# one. Each of these, and what lies around 256, 1024, 8192 and 65535, goes past the program with --lengths 4096 (each from 0 to 4096
# with --lengths 1). All lengths, under AddressSanitizer, get the same code of Xen in tests/xen/forged_test.cc.
. /lab-lib.sh

lengths=${1:-edges}
[ $# = 0 ] || shift

failures=0
wrong() {
    echo "WRONG: $*" >&2
    failures=$((failures + 1))
}

xen_is_calm() {
    xl debug-keys h
    xl dmesg -c >/tmp/dmesg
    grep -q "'h' pressed" /tmp/dmesg || wrong "what Xen says is not seen: $(tail -n 2 /tmp/dmesg)"
    ! grep -E "Xen BUG|Assertion|Xen WARN|FATAL|hypervisor memory|Debugging connection" /tmp/dmesg || wrong "Xen complains"
}

probe=$(readlink -f "$(command -v casm-probe)")
probe_config /tmp/probe.cfg rounds=3
casmotion -q record /tmp/probe.cfg -o /tmp/log --digest-interval 16 || fail "record"
casmotion -q replay /tmp/log --console-to /dev/null || fail "the log itself does not replay"

echo "== through the program"
forged=0 refused=0 diverged=0
expect_refused() { # what it is; a pattern that the message has if it arrived: the log is /tmp/forged
    casmotion -q replay /tmp/forged --console-to /dev/null >/dev/null 2>/tmp/err
    code=$?
    forged=$((forged + 1))
    case $code in
        1) diverged=$((diverged + 1)) ;;
        65) refused=$((refused + 1)) ;;
        *) wrong "$1: exit code $code: $(cat /tmp/err)" ;;
    esac
    grep -qE "$2" /tmp/err || wrong "$1: the message names no '$2': $(cat /tmp/err)"
}

edges() { # room; $number: of the class
    turn=$(echo 7 8 9 127 128 129 4095 | cut -d ' ' -f $((number % 7 + 1)))
    # Where the format has no place for bytes, it is the same whatever the room.
    [ "$1" = 0 ] && echo 1 "$turn" 4096 || echo 0 1 $(($1 - 1)) "$1" $(($1 + 1)) "$turn" 4096
}

# An idle processor is a second late with what is left of a domain.
mkfifo /tmp/until
casm-feed-forged "$probe" ticker </tmp/until >/tmp/ticks 2>&1 &
ticker=$!
exec 9>/tmp/until
for _ in $(seq 50); do
    [ -s /tmp/ticks ] || usleep 100000
done
grep -q '^ticks$' /tmp/ticks || fail "no ticker: $(cat /tmp/ticks)"

number=0
casm-forge-log classes >/tmp/classes || fail "casm-forge-log classes"
while read -r class room <&3; do
    case $lengths in
        all) tried=$(seq 0 4096) ;;
        edges) tried=$(edges "$room") ;;
        *) tried="$(edges "$room") $(seq 0 "$lengths" 4096)" ;;
    esac
    for bytes in $(echo $tried | tr ' ' '\n' | sort -nu); do
        [ "$bytes" -le 4096 ] || continue
        rm -rf /tmp/forged
        casm-forge-log length "$class" "$bytes" /tmp/log /tmp/forged 2>/tmp/err ||
            { wrong "no such log: $class of $bytes bytes: $(cat /tmp/err)"; continue; }
        # A record of that class, or one behind it, is named; of what no record can be, the column or the class.
        expect_refused "$class of $bytes bytes" "record [0-9,]+|column $class\\.|class [0-9]+, which is in no log"
    done
    number=$((number + 1))
done 3</tmp/classes
[ $number -ge 14 ] || wrong "$number classes of records"
echo "$forged forged lengths of $number classes: $refused refused, $diverged diverged"
[ $refused -gt 0 ] && [ $diverged -gt 0 ] || wrong "not both"

forged=0 refused=0 diverged=0
# class fields: what the format can hold and the program must not believe, or Xen must notice.
while read -r spec; do
    rm -rf /tmp/forged
    casm-forge-log record "$spec" /tmp/log /tmp/forged >/tmp/at 2>/tmp/err ||
        { wrong "no such log: $spec: $(cat /tmp/err)"; continue; }
    # The answer is about that record, or one behind it, and not about the log's form.
    expect_refused "$spec" "record [0-9,]+"
done <<END
end,kind=2
end,kind=4
end,aux=0xffffffff
end,w0=0xffffffffffffffff
end,how=insert,at=evtchn:first,kind=4,bytes=128,fill=0
init,bytes=4096,fill=0
init,aux=4095,bytes=2
init,aux=0xffffffff,bytes=1
init,how=insert,at=evtchn:last,bytes=8
outmem,bytes=4096,at=outmem:last
outmem,w0=0xffff82d040200000
outmem,w0=0xffff830000000000
outmem,w0=0xffff800000000000
outmem,w0=0x0000800000000000
outmem,w0=0,at=outmem:last
ring,kind=1
ring,kind=7
ring,aux=4095,bytes=2
ring,aux=0xffffffff
evtchn,aux=0
evtchn,aux=4095
evtchn,aux=4096,at=evtchn:last
evtchn,aux=0xffffffff,at=evtchn:middle
digest,kind=1
digest,kind=3
digest,kind=255,at=digest:last
digest,w0=0xffffffffffffffff
digest,w2=0,at=digest:last
entry,kind=0
entry,kind=255,at=entry:middle
entry,aux=0xffffffff,at=entry:last
entry,check=0xffff,at=entry:middle
tsc,w0=0xffffffffffffffff
msr,kind=255
msr,aux=0
cpuid,aux=0xffffffff
result,kind=255
result,w0=0xffffffffffffffff,at=result:middle
apoint,how=insert,at=evtchn:first,kind=1,bytes=24,w0=1
apoint,how=insert,at=evtchn:first,kind=2,bytes=4096
branches,how=insert,at=entry:middle,w0=1
END
echo "$forged forged records: $refused refused, $diverged diverged"
[ $refused -gt 0 ] && [ $diverged -gt 0 ] || wrong "not both"
exec 9>&-
wait $ticker || wrong "the ticker: exit code $?: $(cat /tmp/ticks)"
xen_is_calm
no_domains

echo "== past the program"
# The last line that it printed names the case that the host did not survive.
casm-feed-forged "$probe" "rounds=3" "$@" >/tmp/cases 2>/tmp/err
code=$?
sed -n '/^class /,$p' /tmp/cases
[ $code = 0 ] || wrong "casm-feed-forged: exit code $code: $(cat /tmp/err) $(tail -n 1 /tmp/cases)"
xen_is_calm
no_domains

casmotion -q replay /tmp/log --console-to /dev/null || wrong "afterwards the log itself does not replay"
[ $failures = 0 ] || fail "$failures of the above"
no_domains
echo "nobody was hurt"
