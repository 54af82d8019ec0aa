# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/lab run as a program, with real boots: exit codes, streams, time limit, interrupt, failed boots. (Label lab.)"""
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import lab_path

LAB = [str(lab_path.PROJECT / "scripts" / "lab"), "run", "--stock", "--no-casmotion"]


def lab(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([*LAB, *arguments], capture_output=True, text=True, timeout=120, check=False)


class Run(unittest.TestCase):
    def test_returns_output_and_exit_code_and_shares_a_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in").write_text("from the host")
            result = lab("--share", folder, "--", "cat /share/in; echo problem >&2; echo from dom0 >/share/out; exit 42")
            self.assertEqual(result.returncode, 42, result.stderr)
            self.assertEqual(result.stdout, "from the host")
            self.assertEqual(result.stderr, "problem\n")
            self.assertEqual((Path(folder) / "out").read_text(), "from dom0\n")

    def test_passes_words_as_they_are(self):
        result = lab("--", "printf", "%s|", "two words", "$HOME", "'")
        self.assertEqual((result.returncode, result.stdout), (0, "two words|$HOME|'|"))

    def test_ends_with_124_when_the_time_is_over(self):
        for seconds in (15, 30, 60, 110):  # a busy machine may not be up in the first
            result = lab("--timeout", str(seconds), "--", "echo started; sleep 1000")
            self.assertEqual(result.returncode, 124)
            if result.stdout:
                break
        self.assertEqual(result.stdout, "started\n")
        self.assertIn("stage reached: command", result.stderr)

    def test_says_where_a_boot_failed(self):
        for arguments, stage in ((["--dom0-args", "rdinit=/nothing init=/nothing"], "dom0 kernel"),
                                 (["--xen-args", "dom0_mem=20M"], "xen"),
                                 (["--qemu-args", "-no-such-option"], "qemu")):
            with self.subTest(stage):
                result = lab(*arguments, "--timeout", "60", "--", "true")
                self.assertEqual(result.returncode, 69, result.stderr)
                self.assertIn(f"stage reached: {stage}", result.stderr)

    def test_leaves_no_emulator_behind_when_interrupted(self):
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(how.name):
                process = subprocess.Popen([*LAB, "--", "sleep 1000"], stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
                child = self.wait_for_child(process.pid)
                process.send_signal(how)
                process.wait(20)
                self.assertTrue(self.ends(child), f"the emulator survived {how.name}")

    def wait_for_child(self, parent: int) -> int:
        for _ in range(100):
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
            for child in text.split():
                if "qemu" in Path(f"/proc/{child}/comm").read_text():
                    return int(child)
            time.sleep(0.1)
        self.fail("no emulator was started")

    def ends(self, pid: int) -> bool:
        for _ in range(50):
            try:
                os.kill(pid, 0)
                if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                    return True
            except (ProcessLookupError, FileNotFoundError):
                return True
            time.sleep(0.1)
        return False


if __name__ == "__main__":
    unittest.main()
