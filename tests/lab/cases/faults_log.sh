# SPDX-License-Identifier: GPL-2.0-or-later
# What is no log, not a whole log, or not the log of this guest is refused in one clear line, and leaves nothing behind.
. /lab-lib.sh

failures=0
wrong() {
    echo "WRONG: $*" >&2
    failures=$((failures + 1))
}

# Runs a command that must fail: with this exit code, and one line on stderr that matches. (A divergence has a report of more.)
refused() { # name code pattern command...
    name=$1 want=$2 pattern=$3
    shift 3
    "$@" >/tmp/out 2>/tmp/err
    code=$?
    printf '%-34s %4s  %s\n' "$name" $code "$(head -n 1 /tmp/err | cut -c1-130)"
    [ $code = "$want" ] || wrong "$name: exit code $code instead of $want: $(cat /tmp/err)"
    head -n 1 /tmp/err | grep -qE -- "$pattern" || wrong "$name: no '$pattern' in: $(cat /tmp/err)"
    [ $code = 1 ] || [ "$(wc -l </tmp/err)" = 1 ] || wrong "$name: not one line: $(cat /tmp/err)"
    [ "$(xl list | wc -l)" = 2 ] || wrong "$name: a domain is left: $(xl list)"
}

replay() { casmotion -q replay --console-to /dev/null "$@"; }
verify() { casmotion -q verify "$@"; }

# Several chunks: the daemon flushes once a second.
probe_config /tmp/probe.cfg forever
casmotion -q record /tmp/probe.cfg -o /tmp/log --for 3 || fail "record"
xl destroy probe
wait_gone probe 20
replay /tmp/log >/dev/null || fail "the log itself does not replay"
verified /tmp/log

echo "== no log"
mkdir /tmp/empty
head -c 4000 /dev/urandom >/tmp/garbage
cp -r /tmp/log /tmp/garbage.log && head -c 4000 /dev/urandom >/tmp/garbage.log/manifest
cp -r /tmp/log /tmp/garbage.events && head -c "$(wc -c </tmp/log/events)" /dev/urandom >/tmp/garbage.events/events
for command in verify replay; do
    refused "$command: nothing there" 2 "/tmp/nothing" $command /tmp/nothing
    refused "$command: an empty folder" 65 "/tmp/empty" $command /tmp/empty
    refused "$command: a file" 65 "/tmp/garbage" $command /tmp/garbage
    refused "$command: garbage for a manifest" 65 "/tmp/garbage.log" $command /tmp/garbage.log
    refused "$command: garbage for events" 65 "/tmp/garbage.events" $command /tmp/garbage.events
done

echo "== another log"
for version in 1 3; do
    rm -rf /tmp/version
    casm-forge-log version $version /tmp/log /tmp/version || fail "casm-forge-log"
    refused "verify: format version $version" 65 "version $version" verify /tmp/version
    refused "replay: format version $version" 65 "version $version" replay /tmp/version
done
casm-forge-log memory 20 /tmp/log /tmp/memory || fail "casm-forge-log"
refused "replay: another memory size" 1 "record 1, class digest" replay /tmp/memory
grep -q "another size: .* frames recorded, .* here" /tmp/err || wrong "no hint at the memory: $(cat /tmp/err)"
refused "replay: bigger than the pool" 69 "too small" sh -c \
    'casm-forge-log memory 400 /tmp/log /tmp/big && casmotion -q replay --console-to /dev/null /tmp/big'

echo "== a configuration that libxl would obey"
forged_config() { # field its-value
    rm -rf /tmp/config
    casm-forge-log config "\"$1\": $2," /tmp/log /tmp/config || fail "casm-forge-log"
    refused "replay: $1" 65 "^casmotion: replay: log /tmp/config: its configuration asks for b_info.$1, " replay /tmp/config
}
forged_config ioports '[{"first": 1016, "number": 8}]'
printf '#!/bin/sh\ntouch /tmp/own.ran\n' >/tmp/own && chmod +x /tmp/own
forged_config bootloader '"/tmp/own"'
forged_config device_model '"/tmp/own"'
[ ! -e /tmp/own.ran ] || wrong "a program of the log's choice ran"

echo "== another kernel, another ramdisk"
casmotion -q record /guest/light.cfg -o /tmp/hash --by-hash --for 1 || fail "record --by-hash"
xl destroy light
wait_gone light 20
refused "no kernel" 2 "--kernel" replay /tmp/hash
refused "no ramdisk" 2 "--ramdisk" replay /tmp/hash --kernel /guest/vmlinuz
refused "another kernel" 2 "kernel" replay /tmp/hash --kernel /guest/initrd --ramdisk /guest/initrd
refused "another ramdisk" 2 "ramdisk" replay /tmp/hash --kernel /guest/vmlinuz --ramdisk /guest/vmlinuz
refused "a kernel that is not there" 2 "/nothing" replay /tmp/hash --kernel /nothing --ramdisk /guest/initrd
cp -r /tmp/log /tmp/kernel && echo changed >>/tmp/kernel/kernel
refused "replay: the log's kernel changed" 65 "kernel" replay /tmp/kernel

echo "== cut: a log that was closed"
cp -r /tmp/log /tmp/cut
for bytes in $(casm-forge-log cuts /tmp/log | sed '$d'); do
    head -c "$bytes" /tmp/log/events >/tmp/cut/events
    refused "verify: cut at $bytes" 65 "/tmp/cut" verify /tmp/cut
done
refused "replay: cut at $bytes" 65 "/tmp/cut" replay /tmp/cut

echo "== cut: a log that was not closed, replayed up to there"
rm /tmp/cut/summary /tmp/cut/index
for bytes in $(casm-forge-log cuts /tmp/log); do
    head -c "$bytes" /tmp/log/events >/tmp/cut/events
    refused "verify: cut at $bytes" 65 "cut|not closed" verify /tmp/cut
    # The last one lacks nothing but what a close adds; it has its end.
    [ "$bytes" = "$(wc -c </tmp/log/events)" ] || refused "replay: cut at $bytes" 65 "incomplete|no record" replay /tmp/cut
done
replay /tmp/cut >/dev/null || wrong "a log that was not closed, but has its end, does not replay"

[ $failures = 0 ] || fail "$failures of the above"
no_domains
echo "every bad log was refused"
