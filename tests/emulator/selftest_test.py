# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulator's counters are exact on every processor model, their interrupts are as late as they were asked to be, and a
counter with a fault is found out. Usage: selftest_test.py SELFTEST.ELF [unittest's arguments]"""
import dataclasses
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from casmlab import emulator  # noqa: E402  (found by the line above)

KERNEL = None
TIMEOUT_S = 120

# isa-debug-exit turns what the self-test says into 2 * value + 1.
PASSED, FAILED = 1, 3


@dataclasses.dataclass
class Result:
    code: int
    text: str

    def failures(self) -> list[str]:
        return re.findall(r"(?m)^FAIL +(.*)$", self.text)

    def interrupts(self) -> list[str]:
        """Where they came: a hash over all of them, for each event and program."""
        return re.findall(r"hash ([0-9a-f]+)", self.text)

    def counts(self) -> tuple[int, int]:
        """Looks that were as expected, and that were not, as the self-test says at its end; none if it did not get there. The
        exit code alone is not enough: an emulator that does not start exits with 1 as well, which is PASSED."""
        found = re.search(r"(?m)^RESULT (\d+) ok, (\d+) failed", self.text)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.text}"


def run(counter: emulator.Counter | None, *more: str) -> Result:
    """One run of the self-test, told how late interrupts may be."""
    told = f"skid={counter.skid_branches} iskid={counter.skid_instructions}" if counter else ""
    done = subprocess.run([*emulator.command(counter), "-accel", "tcg", "-m", "64", "-display", "none", "-nodefaults",
                           "-no-user-config", "-no-reboot", "-serial", "stdio", "-kernel", KERNEL, "-append", told,
                           "-device", "isa-debug-exit,iobase=0xf4,iosize=1", *more],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    return Result(done.returncode, (done.stdout + done.stderr).decode(errors="replace"))


class OnEachProcessor(unittest.TestCase):
    def check(self, counter: emulator.Counter, *more: str) -> Result:
        result = run(counter, *more)
        self.assertEqual(result.code, PASSED, str(result))
        self.assertEqual(result.failures(), [], str(result))
        ok, failed = result.counts()
        self.assertGreater(ok, 50, str(result))
        self.assertEqual(failed, 0, str(result))
        return result

    def test_the_count_is_exact_and_interrupts_come_at_once(self):
        for processor in emulator.PROCESSORS:
            with self.subTest(processor):
                self.check(emulator.Counter(processor))

    def test_the_default_one_lacks_no_instruction_that_the_test_executes(self):
        self.assertIn("\nskipped: 0 instructions", self.check(emulator.Counter()).text)

    def test_what_can_be_hidden_from_programs_is_there_and_can_be_left_out(self):
        for processor in emulator.PROCESSORS:
            for cpuid_faults, umip in ((True, True), (True, False), (False, True), (False, False)):
                with self.subTest(processor, cpuid_faults=cpuid_faults, umip=umip):
                    text = self.check(emulator.Counter(processor, cpuid_faults=cpuid_faults, umip=umip)).text
                    able = processor in emulator.ISOLATING
                    self.assertIn(f"\nCPUID can fault: {int(cpuid_faults and able)}\n", text)
                    self.assertIn(f"\nUMIP: {int(umip and able)}\n", text)

    def test_interrupts_are_as_late_as_asked_for_and_repeatable(self):
        for processor in emulator.PROCESSORS:
            for branches, instructions in ((30, 0), (200, 0), (0, 20), (30, 20)):
                with self.subTest(processor, skid=branches, iskid=instructions):
                    counter = emulator.Counter(processor, branches, instructions, seed=7)
                    first = self.check(counter).interrupts()
                    self.assertEqual(len(set(first)), 3)
                    self.assertEqual(self.check(counter).interrupts(), first)
                    other = self.check(dataclasses.replace(counter, seed=8)).interrupts()
                    self.assertEqual(set(other) & set(first), set())

    def test_it_is_exact_when_instructions_are_the_clock(self):
        for processor in emulator.PROCESSORS:
            for skid in (0, 30):
                with self.subTest(processor, skid=skid):
                    self.check(emulator.Counter(processor, skid), "-icount", "shift=0,sleep=off")

    def test_it_is_exact_with_two_processors_and_with_blocks_of_one_instruction(self):
        for more in (("-smp", "2"), ("-singlestep",), ("-d", "nochain")):
            with self.subTest(more):
                self.check(emulator.Counter(), *more)


class ItSaysNo(unittest.TestCase):
    def test_to_an_emulator_that_does_not_start(self):
        result = run(None, "-cpu", "no-such-processor")
        self.assertEqual(result.code, PASSED, "the exit code does not tell")
        self.assertEqual(result.counts(), (0, 0), str(result))

    def test_to_one_branch_too_many_wherever_it_is(self):
        for processor in emulator.PROCESSORS:
            for at in (1, 5000, 1_000_000, 1_100_000):
                with self.subTest(processor, at=at):
                    result = run(emulator.Counter(processor, fault_at_branch=at))
                    self.assertEqual(result.code, FAILED, str(result))
                    self.assertEqual(len(result.failures()), 1, str(result))

    def test_to_a_branch_too_many_every_so_often(self):
        result = run(emulator.Counter(fault_at_branch=1000, fault_every_branches=1000))
        self.assertEqual(result.code, FAILED, str(result))
        self.assertGreater(len(result.failures()), 5, str(result))
        self.assertEqual([line for line in result.failures() if "all branches" in line], [], str(result))

    def test_to_interrupts_that_are_later_than_announced(self):
        result = run(emulator.Counter(skid_branches=0), "-cpu", emulator.Counter(skid_branches=5).model())
        self.assertEqual(result.code, FAILED, str(result))

    def test_to_the_packaged_emulator(self):
        result = run(None)
        self.assertEqual(result.code, FAILED, str(result))


if __name__ == "__main__":
    KERNEL = sys.argv.pop(1)
    unittest.main()
