# SPDX-License-Identifier: GPL-2.0-or-later
# Words for lab tests; in dom0 this is /lab-lib.sh. A test is a shell script that runs in dom0: 0 passed, 77 skipped.

fail() {
    echo "FAILED: $*" >&2
    # The machine itself may be to blame.
    dmesg | grep -iE 'segfault|general protection|oops|bug:|warning:|memory: kill|out of memory|rcu.*stall|clocksource.*unstable' |
        tail -n 20 >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

guest_log() { echo "/var/log/xen/console/guest-$1.log"; }

# A recording with --dense has so many points at least: one that has none would equal its replay too.
dense_points() { # log options-of-record fewest
    case $2 in *--dense*) ;; *) return 0 ;; esac
    points=$(casmotion info "$1" | awk '$1 == "apoint" { gsub(",", "", $2); print $2 }')
    [ "${points:-0}" -ge "$3" ] || fail "only ${points:-0} points in $1, not $3"
}

# Seconds of the clock: a look costs time of its own under emulation, so that counting sleeps would be late.
clock_s() { cut -d. -f1 /proc/uptime; }

# Waits until a command succeeds.
within() { # seconds command...
    deadline_s=$(($(clock_s) + $1 + 1)) # the second that has begun
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(clock_s)" -lt $deadline_s ] || return 1
        usleep 100000
    done
}

# What a guest that does not get on waits for: its registers and stack, event channels, timers, processors.
state_of() { # name
    tail -n 5 "$(guest_log "$1")"
    id=$(xl domid "$1") && for _ in 1 2 3; do xenctx -C "$id"; done
    for key in q e a r; do xl debug-keys $key; done
    xl dmesg | tail -n 250
}

stuck() { # name message
    state_of "$1" >&2
    fail "$2"
}

is_gone() { ! xl domid "$1"; }

# Waits until a domain is gone.
wait_gone() { # name seconds
    within "$2" is_gone "$1" || stuck "$1" "domain $1 is still there after $2 s"
}

# Waits until a guest printed a line that matches.
wait_printed() { # name pattern seconds
    within "$3" grep -q -- "$2" "$(guest_log "$1")" || stuck "$1" "$1 did not print '$2' in $3 s"
}

printed() { # name pattern
    # xenconsoled may write a little later than the domain is gone.
    within 5 grep -q -- "$2" "$(guest_log "$1")" || fail "$1 never printed '$2'; its console: $(cat "$(guest_log "$1")")"
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

# verified LOG: 'verify' refutes nothing, and with C1 to C6 says that all holds, or says of which conditions only a replay can tell:
# of C4 if points are named by state, of C2 if the processor shows itself without a trap.
verified() {
    casmotion -q verify "$1" >/tmp/verified 2>&1
    code=$?
    untold=$(grep -E '^C[1-6] .* cannot be told ' /tmp/verified | cut -c1-2 | tr '\n' ' ')
    case $code.$untold in
        "0." | "75.C2 " | "75.C4 " | "75.C2 C4 ") ;;
        *) fail "verify $1: exit code $code: $(cat /tmp/verified)" ;;
    esac
    case "$untold" in
        *C2*) grep '^C2 .* did not trap: ' /tmp/verified | grep -vq 'instructions that read something unlogged' || fail "verify $1: C2: $(cat /tmp/verified)" ;;
    esac
    case "$untold" in
        *C4*) grep -q '^C4 .*are named by branch count, RIP and registers' /tmp/verified || fail "verify $1: C4: $(cat /tmp/verified)" ;;
    esac
    echo "verify alone: exit code $code${untold:+, cannot be told: $untold}"
}

# verified_by_replay LOG CONSOLE: 'verify' alone as above; with a replay all six conditions hold. CONSOLE: what the replay printed.
verified_by_replay() {
    verified "$1"
    casmotion -q verify "$1" --replay --console-to "$2" >/tmp/verified 2>&1 || fail "verify --replay: exit code $?: $(cat /tmp/verified)"
    [ "$(grep -cE '^C[1-6] .* holds ' /tmp/verified)" = 6 ] || fail "verify --replay: exit code 0, and not all holds: $(cat /tmp/verified)"
    echo "verify --replay: $(sed -n 's/^replay: //p' /tmp/verified)"
}

# Configurations of a Linux guest that runs a static program of dom0's PATH: FOLDER/plain.cfg outside the recording pool,
# FOLDER/recorded.cfg inside. The program joins the guests' initramfs, as one more archive behind it.
program_configs() { # folder program argument...
    folder=$1 program=$2
    shift 2
    mkdir -p "$folder/add/bin"
    cp "$(readlink -f "$(command -v "$program")")" "$folder/add/bin/$program"
    { cat /guest/initrd; (cd "$folder/add" && find . | cpio -o -H newc 2>/dev/null); } >"$folder/initrd"
    rm -r "$folder/add"
    words=$(echo "$program $*" | tr ' ' ,)
    for kind in plain recorded; do
        sed -e "s/^name = .*/name = \"$kind\"/" -e "s|^ramdisk = .*|ramdisk = \"$folder/initrd\"|" \
            -e "s/^extra = .*/extra = \"console=hvc0 quiet work=program program=$words\"/" /guest/light.cfg >"$folder/$kind.cfg"
    done
    sed -i '/^pool/d' "$folder/plain.cfg"
}

# What a program printed on a guest's console, without what it measured.
program_output() { # console-log
    tr -d '\r' <"$1" | sed -n '/work: start program/,/work: done/p' | grep -v -e '^\[' -e '^time: '
}

# The two sides of a comparison in instructions: lab-mark 1 and 2 where what counts begins and ends, 3 when the guest runs and
# what started it is over; and nobody who looks whether it has ended. (A look costs dom0 some ten million instructions.)
run_marked() { # configuration name
    xl create -q -p -F "$1" >/tmp/xl.log 2>&1 &
    creator=$!
    until id=$(xl domid "$2" 2>/dev/null) && xenstore-exists "/local/domain/$id/console/tty"; do
        kill -0 $creator 2>/dev/null || fail "xl create: $(cat /tmp/xl.log)"
        usleep 300000
    done
    sleep 1
    lab-mark 1
    xl unpause "$2"
    lab-mark 3
    wait $creator || fail "xl create: $(cat /tmp/xl.log)"
    lab-mark 2
}

record_marked() { # file-for-its-output arguments-of-record...
    output=$1
    shift
    lab-mark 1
    { casmotion record "$@" 2>&1 >"$output"; echo $? >/tmp/record.code; } | while read -r line; do
        case $line in *"recording domain"*) lab-mark 3 ;; esac
        echo "$line" >&2
    done
    lab-mark 2
    [ "$(cat /tmp/record.code)" = 0 ] || fail "record: exit code $(cat /tmp/record.code)"
}

# Records a configuration; a guest that is not at its end in time is destroyed. A recording stops where the guest enters Xen,
# so without that a guest in a loop would keep its recorder for ever.
record_for() { # seconds name file-for-what-it-says arguments-of-record...
    limit_s=$1 name=$2 said=$3
    shift 3
    casmotion record "$@" 2>"$said" &
    recorder=$!
    within "$limit_s" ended $recorder || {
        state_of "$name" >&2
        xl destroy "$name"
        wait $recorder
        fail "$name was not at its end after $limit_s s: $(cat "$said")"
    }
    wait $recorder || fail "record: exit code $?: $(cat "$said")"
}

ended() { ! kill -0 "$1"; }
