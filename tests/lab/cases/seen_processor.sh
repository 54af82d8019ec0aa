# SPDX-License-Identifier: GPL-2.0-or-later
# A processor whose plain CPUID does not trap: the log names the physical CPU that the guest could see, verify cannot tell C2, and
# a replay places itself on a CPU that looks like it, or is refused before it starts. Needs three processors.
. /lab-lib.sh

casmotion doctor | grep -q '^note *cpuid .*does not trap' || fail "CPUID traps here: $(casmotion doctor)"
cpus() { xl cpupool-list -c casmotion | awk 'NR == 2 { print $2 }'; }
first=$(cpus)
other=$((3 - first))
case $first in 1 | 2) ;; *) fail "the recording cpupool has CPU $first, not 1 or 2" ;; esac

probe_config /tmp/probe.cfg processor=2
record_for 60 probe /tmp/said /tmp/probe.cfg -o /tmp/log
casmotion info /tmp/log | grep '^processor *CPU '"$first"' .*which the guest could see: plain CPUID' || fail "info: $(casmotion info /tmp/log)"
casmotion info /tmp/log --json | tr -d ' \n' | grep -q '"physical":{"cpu":'"$first," || fail "info --json does not name the CPU"
casmotion -q verify /tmp/log >/tmp/verified 2>&1
[ $? = 75 ] || fail "verify: $(cat /tmp/verified)"
grep "^C2 .* cannot be told .*plain CPUID did not trap: the guest could see CPU $first of the host" /tmp/verified || fail "C2: $(cat /tmp/verified)"
casmotion -q verify /tmp/log --json 2>/dev/null | tr -d ' \n' | grep -q '"cpuid_trapped":false' || fail "verify --json does not say that CPUID did not trap"

equal() { # where
    casmotion -q replay /tmp/log --console-to /dev/null >/tmp/out 2>&1 || fail "replay $1: exit code $?: $(cat /tmp/out)"
    echo "$1: $(tail -n 1 /tmp/out)"
    no_domains
}

equal "pool of CPU $(cpus)"
xl cpupool-cpu-remove Pool-0 "$other" 2>/dev/null # where it is not free already
xl cpupool-cpu-add casmotion "$other" || fail "cpupool-cpu-add"
casmotion doctor | grep ' cpupool .* 2 CPUs, of which each recording keeps one' || fail "doctor does not say that the pool has two CPUs"
# Where it would run by chance, it runs on the one.
for round in 1 2 3; do equal "pool of CPUs $(cpus), round $round"; done
xl cpupool-cpu-remove casmotion "$first" || fail "cpupool-cpu-remove"
casmotion replay /tmp/log >/tmp/out 2>/tmp/said
[ $? = 69 ] || fail "a replay on CPU $other was not refused: $(cat /tmp/said)"
grep "none in the recording cpupool ($other) looks like that, CPU $first of this host does: .*xl cpupool-cpu-add casmotion $first" /tmp/said ||
    fail "the refusal does not say what to do: $(cat /tmp/said)"
no_domains
