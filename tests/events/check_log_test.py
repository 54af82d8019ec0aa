#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The independent checker (scripts/check-log) and the program's own reader say the same of the same logs: good ones, mutants
of every class, damaged and cut ones.

usage: check_log_test.py CHECK_LOG MAKE_LOG MUTATE VERDICT [LOG...]   further LOGs must be good for both
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

CHECK_LOG, MAKE_LOG, MUTATE, VERDICT = sys.argv[1:5]
SEED = int(os.environ.get("CASMOTION_SEED") or random.SystemRandom().randrange(1 << 32))
RANDOM = random.Random(SEED)
CLASSES = ["entry", "tsc", "msr", "cpuid", "result", "outmem", "evtchn", "ring", "init", "digest", "end"]
OPS = ["change", "drop", "duplicate", "swap"]
failures = 0


def fail(message):
    global failures
    failures += 1
    print("FAILED: %s (to repeat: CASMOTION_SEED=%d)" % (message, SEED))


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verdicts(log):
    """Exit codes and outputs of both."""
    return run(CHECK_LOG, "--json", log), run(VERDICT, log)


def compare(log, what, expected=None):
    """Both must exit alike (and with `expected`, one code or several)."""
    theirs, ours = verdicts(log)
    allowed = expected if isinstance(expected, tuple) else (expected,)
    if theirs.returncode != ours.returncode or expected is not None and ours.returncode not in allowed:
        fail("%s: check-log exits with %d, the reader with %d\n  %s\n  %s" %
             (what, theirs.returncode, ours.returncode, theirs.stdout + theirs.stderr, ours.stdout + ours.stderr))
    return theirs, ours


def compare_counts(log, what):
    theirs, ours = compare(log, what, 0)
    if theirs.returncode or ours.returncode:
        return
    mine = {row["class"]: row["logged"] for row in json.loads(ours.stdout)["classes"] if row["logged"]}
    if mine != json.loads(theirs.stdout)["classes"]:
        fail("%s: different counts per class" % what)


def damaged(log, out, name, change):
    shutil.copytree(log, out)
    path = os.path.join(out, name)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data = change(data)
    with open(path, "wb") as file:
        file.write(data)
    return out


def main():
    folder = tempfile.mkdtemp(prefix="casmotion-check-log-")
    try:
        test(folder)
    finally:
        shutil.rmtree(folder)
    print("seed %d: %s" % (SEED, "ok" if not failures else "%d failures" % failures))
    return 1 if failures else 0


def test(folder):
    log = os.path.join(folder, "log")
    for number, (entries, flush) in enumerate([(1, 0), (300, 1), (1500, 333), (20000, 0)]):
        path = os.path.join(folder, "good%d" % number)
        made = run(MAKE_LOG, path, str(SEED + number), str(entries), *([str(flush)] if flush else []))
        if made.returncode:
            fail("cannot make a log: " + made.stderr)
        compare_counts(path, "a good log of %d entries" % entries)
    for path in sys.argv[5:]:
        compare_counts(path, path)

    run(MAKE_LOG, log, str(SEED), "400", "150")
    refuted = 0
    for cls in CLASSES:
        for op in OPS:
            for fix in ((), ("--fix-counts",)):
                out = os.path.join(folder, "mutant")
                nth = 0 if cls in ("init", "end") else RANDOM.randrange(6)
                options = ("--class", cls, "--op", op, "--nth", str(nth), "--seed", str(RANDOM.randrange(1 << 30)), *fix)
                made = run(MUTATE, log, out, *options)
                if made.returncode:
                    fail("cannot mutate: " + made.stderr)
                # Dropping END makes a log that was not closed.
                _, ours = compare(out, "mutant " + " ".join(options), (0, 1, 65))
                refuted += ours.returncode != 0
                if not fix and op in ("drop", "duplicate") and ours.returncode == 0:
                    fail("nobody notices mutant " + " ".join(options))
                shutil.rmtree(out)
    if not refuted:
        fail("no mutant was refuted")

    out = os.path.join(folder, "damaged")
    for name in ("manifest", "events", "index", "summary"):
        for _ in range(6):
            def flip(data):
                data[RANDOM.randrange(len(data))] ^= 1 << RANDOM.randrange(8)
                return data
            compare(damaged(log, out, name, flip), "a flipped bit in " + name, 65)
            shutil.rmtree(out)
            compare(damaged(log, out, name, lambda data: data[:RANDOM.randrange(len(data))]), name + " cut", 65)
            shutil.rmtree(out)
    for _ in range(20):
        damaged(log, out, "events", lambda data: data[:RANDOM.randrange(len(data))])
        os.unlink(os.path.join(out, "summary"))
        theirs, ours = compare(out, "an unclosed log that was cut", 65)
        if ours.stdout and json.loads(ours.stdout)["records"] != json.loads(theirs.stdout)["records"]:
            fail("they cut at different places")
        shutil.rmtree(out)
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    compare(empty, "an empty folder", 65)


sys.exit(main())
