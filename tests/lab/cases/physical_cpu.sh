# SPDX-License-Identifier: GPL-2.0-or-later
# The physical CPU is no input: a recorded vCPU stays where it is, whatever dom0 asks for, and where CPUID traps, a replay on
# another CPU, or in a pool of two, passes through the same states, and prints what CPUID says there too. Needs three processors.
. /lab-lib.sh

probe_config /tmp/probe.cfg "when-typed rounds=50 processor=2"

# What must not move the guest, and the reason that Xen's log gives; xl has none.
reasons() { xl dmesg | grep -c "casm: d[0-9]*.* refused"; }
refused() { # command...
    before_it=$(reasons)
    # (xl's exit code is 0 for a CPU that it could not remove.)
    "$@" >/tmp/out 2>&1 && [ "$2" != cpupool-cpu-remove ] && fail "accepted during a recording: $*"
    [ "$(reasons)" -gt "$before_it" ] || fail "Xen does not say why it refused: $*: $(cat /tmp/out)"
    echo "refused: $*: $(tail -n 1 /tmp/out); $(xl dmesg | grep "casm: d[0-9]*.* refused" | tail -n 1)"
}
place() { xl vcpu-list probe | awk 'NR == 2 { print $4, $7 }'; } # CPU, hard affinity

attack() {
    within 90 grep -q "probe: start" "$(guest_log probe)" || stuck probe "the guest does not run: $(cat /tmp/said)"
    before=$(place)
    cpu=${before%% *}
    refused xl cpupool-migrate probe Pool-0
    refused xl vcpu-pin probe 0 all
    refused xl vcpu-pin probe 0 - all
    refused xl cpupool-cpu-remove casmotion "$cpu"
    xen-hptool cpu-offline "$cpu" >/tmp/out 2>&1 && fail "the CPU of a recording was taken offline"
    xl cpupool-list -c | grep -q "casmotion.*[ ,]$cpu\b" || fail "the pool lost its CPU: $(xl cpupool-list -c)"
    [ "$(place)" = "$before" ] || fail "it moved from $before to $(place)"
    [ "${before#* }" = "$cpu" ] || fail "it is not bound to its CPU: $before"
    type_line probe x
}

recorded() { # log
    rm -f "$(guest_log probe)"
    casmotion record /tmp/probe.cfg -o "$1" 2>/tmp/said &
    recorder=$!
    until xl domid probe >/dev/null 2>&1; do
        kill -0 $recorder 2>/dev/null || fail "record: $(cat /tmp/said)"
        usleep 200000
    done
    attack
    within 60 ended $recorder || stuck probe "the guest was not at its end after 60 s"
    wait $recorder || fail "record: exit code $?: $(cat /tmp/said)"
    printed probe "probe: done"
    cp "$(guest_log probe)" "$1.console"
    no_domains
}

equal() { # log where
    casmotion -q replay "$1" --console-to /tmp/again >/tmp/out 2>&1 || fail "replay $2: exit code $?: $(cat /tmp/out)"
    tr -d '\r' <"$1.console" | cmp - /tmp/again || fail "replay $2: it printed something else"
    echo "$2: $(tail -n 1 /tmp/out)"
    no_domains
}

recorded /tmp/one
equal /tmp/one "CPU 1, where it was recorded"
xl cpupool-cpu-remove Pool-0 2 2>/dev/null # where it is not free already
xl cpupool-cpu-add casmotion 2 || fail "cpupool-cpu-add"
recorded /tmp/two
equal /tmp/two "pool of two CPUs"
xl cpupool-cpu-remove casmotion 1 || fail "a CPU stays in the pool when nothing is recorded"
equal /tmp/one "CPU 2"
equal /tmp/two "CPU 2, recorded in a pool of two"
