# SPDX-License-Identifier: GPL-2.0-or-later
# Words for lab tests; in dom0 this is /lab-lib.sh. A test is a shell script that runs in dom0: 0 passed, 77 skipped.

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

guest_log() { echo "/var/log/xen/console/guest-$1.log"; }

# Waits until a domain is gone.
wait_gone() { # name seconds
    tenths=$(($2 * 10))
    while xl domid "$1" >/dev/null 2>&1; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] || fail "domain $1 is still there after $2 s; its console ends: $(tail -n 3 "$(guest_log "$1")")"
        usleep 100000
    done
}

# Waits until a guest printed a line that matches.
wait_printed() { # name pattern seconds
    tenths=$(($3 * 10))
    while ! grep -q -- "$2" "$(guest_log "$1")" 2>/dev/null; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] || fail "$1 did not print '$2' in $3 s; its console ends: $(tail -n 3 "$(guest_log "$1")")"
        usleep 100000
    done
}

printed() { # name pattern
    grep -q -- "$2" "$(guest_log "$1")" || fail "$1 never printed '$2'; its console ends: $(tail -n 3 "$(guest_log "$1")")"
}

# Types a line on a guest's console. "xl console" reads its input only from a terminal; its program can be told to. Typed
# early it waits in the ring; the console must stay open until the guest has read it.
type_line() { # name text
    { { echo "$2"; sleep 60; } | xenconsole --interactive "$(xl domid "$1")"; } >/dev/null 2>&1 &
}

# The guest ran to its end and found nothing wrong.
printed_done() { # name
    printed "$1" "work: done"
    ! grep "work: FAILED" "$(guest_log "$1")" || fail "$1 found something wrong"
}

# No domain but dom0 is left.
no_domains() {
    [ "$(xl list | wc -l)" = 2 ] || fail "domains are left: $(xl list)"
}

# The same for a domain that is still to come; runs until its console is there: start it with &.
type_line_when_there() { # name text
    until id=$(xl domid "$1" 2>/dev/null) && xenstore-exists "/local/domain/$id/console/tty"; do usleep 300000; done
    type_line "$1" "$2"
}

# A configuration of the probe (tests/lab/guest/probe), a guest that starts in no time. It must be in dom0's PATH.
probe_config() { # file words-for-its-command-line
    cat >"$1" <<END
name = "probe"
type = "pv"
kernel = "$(readlink -f "$(command -v casm-probe)")"
extra = "$2"
memory = 16
vcpus = 1
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
pool = "casmotion"
END
}

# verified LOG: 'verify' refutes nothing. A log with time points that are named by state may be inconclusive in C4 (exit code 75):
# of these only a replay can tell.
verified() {
    casmotion -q verify "$1" >/tmp/verified 2>&1
    case $? in
        0) ;;
        75) [ "$(grep -E '^C[1-6] .* cannot be told ' /tmp/verified | cut -c1-2)" = C4 ] ||
            fail "verify $1: inconclusive: $(cat /tmp/verified)" ;;
        *) fail "verify $1: $(cat /tmp/verified)" ;;
    esac
}
