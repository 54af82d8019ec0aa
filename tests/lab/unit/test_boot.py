# SPDX-License-Identifier: GPL-2.0-or-later
"""A console's text is enough to say how far a boot came and why it ended; the emulator gets what was asked for."""
import argparse
import unittest
from pathlib import Path

import lab_path  # noqa: F401
from casmlab import boot, cli, emulator
from casmlab.errors import LabError

XEN = "(XEN) Xen version 4.17.5\r\n"
KERNEL = XEN + "[    0.000000] Linux version 6.1.0-56-amd64\r\n"
INIT = KERNEL + "casm-lab: dom0 init\r\n"
COMMAND = INIT + "casm-lab: command\r\n"


class Stage(unittest.TestCase):
    def test_is_the_last_one_that_left_a_mark(self):
        for console, stage in (("", "qemu"), (XEN, "xen"), (KERNEL, "dom0 kernel"), (INIT, "dom0 init"),
                               (COMMAND, "command")):
            with self.subTest(stage):
                self.assertEqual(boot.stage_reached(console), stage)


class Reason(unittest.TestCase):
    def test_is_what_init_complained_about(self):
        self.assertEqual(boot.failure_reason(INIT + "casm-lab: failed: module 9p.ko\r\n"), "casm-lab: failed: module 9p.ko")

    def test_is_a_panic_of_xen_with_its_text(self):
        panic = ("(XEN) ****************************************\r\n(XEN) Panic on CPU 1:\r\n"
                 "(XEN) Assertion 'x' failed at y.c:7\r\n(XEN) *****\r\n")
        self.assertEqual(boot.failure_reason(COMMAND + panic), "(XEN) Panic on CPU 1: Assertion 'x' failed at y.c:7")

    def test_is_a_panic_of_the_kernel(self):
        self.assertEqual(boot.failure_reason(KERNEL + "[ 1.0] Kernel panic - not syncing: No working init\r\n"),
                         "Kernel panic - not syncing: No working init")

    def test_is_unknown_when_nothing_says_it(self):
        self.assertIsNone(boot.failure_reason(COMMAND))

    def test_tail_is_short_and_without_blank_lines(self):
        lines = boot.tail("".join(f"line {i}\r\n\r\n" for i in range(100))).splitlines()
        self.assertEqual(len(lines), boot.CONSOLE_TAIL_LINES)
        self.assertEqual(lines[-1], "line 99")


class CommandLine(unittest.TestCase):
    def arguments(self, **options) -> list[str]:
        machine = boot.Machine(xen=Path(__file__), kernel=Path("/k"), initrd=Path("/i"), **options)
        return boot.command_line(machine, Path("/tmp/f"), 8, 9)

    def value(self, arguments: list[str], option: str) -> str:
        return arguments[arguments.index(option) + 1]

    def test_carries_the_options(self):
        arguments = self.arguments(memory_mib=2048, processors=3, icount=True, xen_arguments="a=b",
                                   qemu_arguments=("-s",))
        self.assertEqual(self.value(arguments, "-m"), "2048")
        self.assertEqual(self.value(arguments, "-smp"), "3")
        self.assertEqual(self.value(arguments, "-icount"), "shift=0,sleep=off")
        self.assertTrue(self.value(arguments, "-append").endswith(" a=b"))
        self.assertIn("-s", arguments)

    def test_has_no_icount_unless_asked_for(self):
        self.assertNotIn("-icount", self.arguments())

    def test_names_the_packaged_emulator_unless_a_counter_is_asked_for(self):
        arguments = self.arguments()
        self.assertEqual(arguments[0], "qemu-system-x86_64")
        self.assertEqual(self.value(arguments, "-cpu"), "qemu64")

    def test_doubles_commas_of_kernel_arguments_and_of_folders(self):
        arguments = self.arguments(dom0_arguments="x=1,2", share=Path("/a,b"))
        self.assertIn("x=1,,2,/i", self.value(arguments, "-initrd"))
        self.assertTrue(any("path=/a,,b," in word for word in arguments))

    def test_refuses_a_file_name_that_the_emulator_would_split(self):
        machine = boot.Machine(xen=Path(__file__), kernel=Path("/a b"), initrd=Path("/i"))
        with self.assertRaises(LabError):
            boot.command_line(machine, Path("/tmp/f"), 8, 9)


class Counter(unittest.TestCase):
    def test_is_off_by_default_in_every_respect_but_that_it_counts(self):
        self.assertEqual(emulator.Counter("intel").model(), "Nehalem,pmu=on,cpuid-fault=on,umip=on")

    def test_can_leave_out_what_keeps_the_cpu_hidden(self):
        model = emulator.Counter("intel", cpuid_faults=False, umip=False).model()
        self.assertEqual(model, "Nehalem,pmu=on,cpuid-fault=off,umip=off")

    def test_carries_the_options(self):
        model = emulator.Counter("amd", skid_branches=30, skid_instructions=4, seed=9, fault_at_branch=5,
                                 fault_every_branches=6).model()
        self.assertEqual(model, "Opteron_G3,pmu=on,vpmu-skid=30,vpmu-iskid=4,vpmu-seed=9,vpmu-fault-at=5,vpmu-fault-every=6")

    def test_fault_is_one_number_or_two(self):
        self.assertEqual(emulator.parse_fault("7"), (7, 0))
        self.assertEqual(emulator.parse_fault("7,8"), (7, 8))
        for text in ("", "0", "x", "1,2,3", "-1", "1,"):
            with self.subTest(text), self.assertRaises(argparse.ArgumentTypeError):
                emulator.parse_fault(text)

    def test_any_of_its_options_asks_for_it(self):
        for words, expected in (([], None), (["--pmu"], emulator.Counter()), (["--pmu-cpu", "intel"], emulator.Counter("intel")),
                                (["--pmu-fault", "3"], emulator.Counter(fault_at_branch=3))):
            with self.subTest(words):
                self.assertEqual(cli.counter_from(cli.parser().parse_args(["shell", *words])), expected)


if __name__ == "__main__":
    unittest.main()
