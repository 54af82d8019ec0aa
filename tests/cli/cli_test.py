#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the program on a host without Xen: help, exit codes, one-line messages, damaged logs.

usage: cli_test.py --casmotion PROGRAM --make-log HELPER [TESTNAME...]
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = MAKE_LOG = None
COMMANDS = ["record", "replay", "info", "events", "verify", "doctor", "setup"]
SEED, ENTRIES = 7, 3000


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=120, **options)


class Cli(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="casmotion-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def make_log(self, *extra, name="log"):
        path = self.folder / name
        subprocess.run([MAKE_LOG, path, str(SEED), str(ENTRIES), *extra], check=True)
        return path

    def expect(self, code, *arguments, says=None, **options):
        """The program ends with `code`; a failure is exactly one line on stderr, which contains `says`."""
        done = run(*arguments, **options)
        error = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}: {error}")
        if code == 0:
            self.assertEqual(error, "", f"{arguments}")
        else:
            self.assertEqual(error.count("\n"), 1, f"{arguments}: {error}")
            self.assertTrue(error.startswith("casmotion: "), error)
        if says is not None:
            self.assertIn(says, error)
        return done.stdout.decode()

    # -- help and usage ------------------------------------------------------------------------------------------

    def test_help_of_every_command_has_examples_and_exit_codes(self):
        for command in COMMANDS:
            text = self.expect(0, command, "--help")
            self.assertIn("Examples:\n  ", text, command)
            self.assertIn(f"casmotion {command}", text)
            self.assertIn("Exit codes:", text, command)
        text = self.expect(0, "--help")
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", text)

    def test_version_names_the_formats(self):
        text = self.expect(0, "--version")
        self.assertIn("log format 2", text)
        self.assertRegex(text, "hypervisor interface [0-9]+")

    def test_wrong_arguments_are_usage_errors(self):
        for arguments, says in [
            ([], "a command is missing"),
            (["recrod"], "did you mean record?"),
            (["record"], "required"),
            (["record", "guest"], "required"),
            (["record", "guest", "-o"], "--output"),
            (["record", "guest", "-o", self.folder / "l", "--ring", "100K"], "power of two"),
            (["record", "guest", "-o", self.folder / "l", "--ring", "1K"], "power of two"),
            (["record", "guest", "-o", self.folder / "l", "--ring", "x"], "--ring"),
            (["record", "guest", "-o", self.folder / "l", "--for", "soon"], "--for"),
            (["record", "guest", "-o", self.folder / "l", "--max-log", "much"], "--max-log"),
            (["record", "guest", "-o", self.folder / "l", "--disable-class", "time"], "evtchn"),
            (["record", "guest", "-o", self.folder / "l", "--digest-interval", "-1"], "--digest-interval"),
            (["record", "guest", "-o", self.folder / "l", "--max-delay", "1.5"], "--max-delay"),
            (["record", "guest", "-o", self.folder / "l", "--max-delay", "99999999999"], "--max-delay"),
            (["record", "guest", "-o", self.folder / "l", "--max-delay", "50", "--no-counter"], "--no-counter"),
            (["record", "guest", "-o", self.folder / "l", "--dense", "1"], "belong together"),
            (["record", "guest", "-o", self.folder / "l", "--dense-range", "1-2"], "belong together"),
            (["record", "guest", "-o", self.folder / "l", "--dense", "0", "--dense-range", "1-2"], "--dense"),
            (["record", "guest", "-o", self.folder / "l", "--dense", "1", "--dense-range", "2-1"], "range of addresses"),
            (["record", "guest", "-o", self.folder / "l", "--dense", "1", "--dense-range", "xyz"], "range of addresses"),
            (["record", "guest", "-o", self.folder], "exists already"),
            (["record", "guest", "-o", self.folder / "no" / "l"], "no folder"),
            (["record", "guest", "-o", ""], "path"),
            (["record", "guest", "other", "-o", self.folder / "l"], "other"),
            (["replay"], "required"),
            (["replay", self.make_log(name="given"), "--margin", "0"], "--margin"),
            (["replay", self.folder / "given", "--margin", "-3"], "--margin"),
            (["replay", "--consol", "x"], "did you mean --console-to?"),
            (["info"], "required"),
            (["events"], "required"),
            (["verify"], "required"),
            (["verify", "x.log", "--model"], "--model"),
            (["setup", "--cpu", "first"], "--cpu"),
            (["doctor", "now"], "now"),
        ]:
            with self.subTest(arguments=arguments):
                self.expect(2, *arguments, says=says)
        self.assertEqual([f.name for f in self.folder.iterdir()], ["given"])

    # -- a host without Xen --------------------------------------------------------------------------------------

    def test_commands_that_need_xen_say_so(self):
        if os.path.exists("/dev/xen/privcmd") or os.path.exists("/proc/xen/privcmd"):
            self.skipTest("this host runs Xen")
        log = self.make_log()
        for arguments in (["setup"], ["record", "guest", "-o", self.folder / "new"], ["record", "1", "-o", self.folder / "new"],
                          ["record", __file__, "-o", self.folder / "new"], ["replay", log]):
            with self.subTest(arguments=arguments):
                self.expect(69, *arguments, says="does not run Xen")
        self.assertEqual(os.listdir(self.folder), ["log"])
        done = run("verify", log, "--replay")
        self.assertEqual(done.returncode, 69)
        self.assertIn(b"does not run Xen", done.stderr)
        done = run("doctor", "--json")
        self.assertEqual(done.returncode, 69)
        doctor = json.loads(done.stdout)
        self.assertFalse(doctor["can_record"])
        self.assertEqual({c["check"]: c["health"] for c in doctor["checks"]}["xen"], "bad")

    def test_doctor_prints_one_line_per_check(self):
        lines = run("doctor").stdout.decode().splitlines()
        self.assertGreaterEqual(len(lines), 10)
        for line in lines:
            self.assertIn(line.split()[0], ("ok", "note", "bad", "skipped"))

    # -- logs ----------------------------------------------------------------------------------------------------

    def test_info_events_and_verify_agree_on_a_good_log(self):
        log = self.make_log()
        info = json.loads(self.expect(0, "info", log, "--json"))
        self.assertTrue(info["complete"])
        self.assertEqual(info["entries"], ENTRIES)
        events = [json.loads(line) for line in self.expect(0, "events", log, "--json").splitlines()]
        self.assertEqual(len(events), info["records"])
        self.assertEqual([e["record"] for e in events], list(range(len(events))))
        for name, counts in info["classes"].items():
            self.assertEqual(sum(e["class"] == name for e in events), counts["records"], name)
            self.assertEqual(len(self.expect(0, "events", log, "--class", name).splitlines()), counts["records"])
        # A synthetic log has time points that are named by state, of which only a replay can tell.
        verify = json.loads(self.expect(75, "verify", log, "--json", says="C4 (injective time points) cannot be told"))
        self.assertEqual(verify["verdict"], "inconclusive")
        self.assertEqual({row["condition"]: row["verdict"] for row in verify["conditions"]},
                         {"C1": "holds", "C2": "holds", "C3": "holds", "C4": "cannot be told", "C5": "holds", "C6": "holds"})
        self.assertGreater(verify["time_points"]["named_by_state"], 0)
        self.assertIsNone(verify["replay"])
        self.assertIn("powered off", self.expect(0, "info", log))
        points = [e for e in events if e["class"] == "apoint"]
        self.assertEqual({"canonical": sum(e["kind"] == "canonical" for e in points),
                          "by_state": sum(e["kind"] == "by state" for e in points)}, info["apoints"])
        self.assertGreater(info["apoints"]["by_state"], 0)
        self.assertEqual(info["branches"], [e["total"] for e in events if e["class"] == "branches"][-1])
        self.assertEqual(info["counter"], "AMD")
        self.assertRegex(self.expect(0, "info", log), r"counter +AMD, events waited at most about 100 us")
        self.expect(75, "verify", log)

    def test_verify_writes_a_page_for_people(self):
        log, page = self.make_log(), self.folder / "page.html"
        self.expect(75, "verify", log, "--report", page)
        text = page.read_text()
        self.assertTrue(text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n"))
        for condition in ("C1", "C2", "C3", "C4", "C5", "C6"):
            self.assertIn(f"<th>{condition}</th>", text)
        self.expect(69, "verify", log, "--report", self.folder / "no" / "page.html", says="cannot write")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["log", "page.html"])

    def test_events_ranges_and_limits(self):
        log = self.make_log()
        everything = self.expect(0, "events", log).splitlines()
        total = len(everything)
        for chosen, lines in [(["--range", "10:20"], everything[10:20]), (["--range", "5"], everything[5:6]),
                              (["--range", ":3"], everything[:3]), (["--range", f"{total - 2}:"], everything[-2:]),
                              (["--range", f"{total}:"], []), (["--range", "99999999:"], []), (["--range", "7:7"], []),
                              (["--limit", "4"], everything[:4]), (["--limit", "0"], []),
                              (["--range", "100:", "--limit", "2"], everything[100:102])]:
            with self.subTest(chosen=chosen):
                self.assertEqual(self.expect(0, "events", log, *chosen).splitlines(), lines)
        two = self.expect(0, "events", log, "--class", "tsc", "--class", "evtchn").splitlines()
        self.assertEqual(two, [l for l in everything if l.split()[2] in ("tsc", "evtchn")])
        for bad in ("x", "5:3", "1:2:3", ":x", "-1:", "", "1-2"):
            with self.subTest(bad=bad):
                self.expect(2, "events", log, f"--range={bad}", says="--range")

    def test_incomplete_log_is_read_as_far_as_it_goes_and_said_so(self):
        self.make_log("cut")
        log = self.folder / "log"
        self.assertFalse(log.exists())
        self.assertTrue((self.folder / "log.incomplete").exists())
        for path in (log, self.folder / "log.incomplete"):
            with self.subTest(path=path):
                done = run("info", path, "--json")
                self.assertEqual(done.returncode, 65)
                info = json.loads(done.stdout)
                self.assertFalse(info["complete"])
                done = run("events", path)
                self.assertEqual(done.returncode, 65)
                self.assertEqual(len(done.stdout.splitlines()), info["records"])
                self.assertGreater(info["records"], 0)
                self.assertEqual(run("verify", path).returncode, 65)

    def test_what_is_no_log(self):
        (self.folder / "empty").mkdir()
        (self.folder / "file").write_bytes(b"garbage")
        (self.folder / "odd").mkdir()
        (self.folder / "odd" / "manifest").write_bytes(os.urandom(300))
        (self.folder / "odd" / "events").write_bytes(os.urandom(3000))
        for command in ("info", "events", "replay", "verify"):
            for path, code in (("missing", 2), ("empty", 65), ("file", 65), ("odd", 65)):
                with self.subTest(command=command, path=path):
                    self.expect(code, command, self.folder / path)

    def test_damage_anywhere_is_found(self):
        good = self.make_log(name="good")
        files = {f.name: f.read_bytes() for f in good.iterdir()}
        self.assertIn("events", files)
        step = max(1, len(files["events"]) // 40)
        damages = [("events", at) for at in range(0, len(files["events"]), step)]
        damages += [(name, at) for name in ("manifest", "index", "summary") if name in files
                    for at in range(0, len(files[name]), max(1, len(files[name]) // 12))]
        for name, at in damages:
            with self.subTest(file=name, at=at):
                data = bytearray(files[name])
                data[at] ^= 0x40
                bad = self.folder / "bad"
                shutil.rmtree(bad, ignore_errors=True)
                shutil.copytree(good, bad)
                (bad / name).write_bytes(data)
                done = run("verify", bad)
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)

    def test_truncation_anywhere_is_found(self):
        good = self.make_log(name="good")
        events = (good / "events").read_bytes()
        for size in list(range(0, len(events), max(1, len(events) // 40))) + [len(events) - 1]:
            with self.subTest(size=size):
                bad = self.folder / "bad"
                shutil.rmtree(bad, ignore_errors=True)
                shutil.copytree(good, bad)
                (bad / "events").write_bytes(events[:size])
                done = run("verify", bad)
                self.assertEqual(done.returncode, 65, done.stderr)
                # The same without index and summary is what a killed recorder leaves: read up to the last good chunk.
                for name in ("index", "summary"):
                    (bad / name).unlink(missing_ok=True)
                done = run("info", bad, "--json")
                self.assertEqual(done.returncode, 65, done.stderr)

    def test_closed_stdout_is_no_crash(self):
        log = self.make_log()
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([PROGRAM, "info", str(log)], stdout=write_end, stderr=subprocess.PIPE, timeout=60,
                              preexec_fn=lambda: __import__("signal").signal(__import__("signal").SIGPIPE,
                                                                             __import__("signal").SIG_IGN))
        os.close(write_end)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1)
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([PROGRAM, "events", str(log)], stdout=full, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 69, done.stderr)

    def test_messages_do_not_pass_terminal_control_through(self):
        done = run("info", self.folder / "a\x1b[2Jb")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn(b"\x1b", done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--casmotion", required=True)
    parser.add_argument("--make-log", required=True)
    known, rest = parser.parse_known_args()
    PROGRAM, MAKE_LOG = known.casmotion, known.make_log
    unittest.main(argv=[sys.argv[0], *rest])
