# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge of mutants passes a list whose mutants are all rejected, and no other. Usage: source_mutants_test.py COMPILER
[unittest's arguments]"""
import contextlib
import io
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import source_mutants

COMPILER = "cc"

UNIT = "int answer(void) { return 40 + 2; }\nint unused(void) { return 1; }\n"
TEST = "int answer(void);\nint main(void) { return answer() != %d; }\n"

REJECTED = ("another answer", "unit.c", "40 + 2", "40 + 3", "answer")


class Judge(unittest.TestCase):
    def setUp(self):
        limit = unittest.mock.patch.object(source_mutants, "limit_s", lambda seconds: 1)
        limit.start()
        self.addCleanup(limit.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "unit.c").write_text(UNIT)
        self.compile("unit")
        subprocess.run(["ar", "rc", self.root / "libunit.a", self.root / "unit.o"], check=True)

    def compile(self, name: str):
        subprocess.run([COMPILER, "-c", self.root / f"{name}.c", "-o", self.root / f"{name}.o"], check=True)

    def judged(self, *mutants: tuple, expected: int = 42) -> tuple[int, str]:
        """Exit code and what was printed. expected: the answer that the test wants."""
        (self.root / "test.c").write_text(TEST % expected)
        self.compile("test")
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = source_mutants.main(list(mutants), [str(self.root), "--linker", COMPILER, f"--test=answer={self.root}/test.o",
                                                       f"--library={self.root}/libunit.a", "--", COMPILER, "-O1"])
        return code, said.getvalue()

    def test_accepts_a_list_whose_mutants_are_rejected(self):
        code, said = self.judged(REJECTED, ("no answer", "unit.c", "return 40 + 2;", "for (;;) ;", ["answer"]))
        self.assertEqual(code, 0, said)
        self.assertIn("rejected: another answer (answer test, status 1)", said)
        self.assertIn("rejected: no answer (answer test, no end)", said)
        self.assertIn("2 mutants, 0 problems", said)

    def test_says_no_when_a_mutant_survives(self):
        code, said = self.judged(REJECTED, ("what no test looks at", "unit.c", "return 1", "return 0", "answer"))
        self.assertEqual(code, 1, said)
        self.assertIn("survived: what no test looks at (answer test)", said)

    def test_says_no_when_a_text_is_not_there_exactly_once(self):
        for old, times in (("return 3", 0), ("return", 2)):
            code, said = self.judged(REJECTED, ("lost", "unit.c", old, "", "answer"))
            self.assertEqual(code, 1, said)
            self.assertIn(f"lost: its text is {times} times in unit.c", said)

    def test_says_no_when_a_test_fails_without_a_mutant(self):
        code, said = self.judged(REJECTED, expected=7)
        self.assertEqual(code, 1, said)
        self.assertIn("the answer test fails without a mutant", said)

    def test_does_not_take_a_mutant_that_is_no_program_for_rejected(self):
        with self.assertRaises(subprocess.CalledProcessError):
            self.judged(("no C", "unit.c", "40 + 2", "40 + +", "answer"))


if __name__ == "__main__":
    COMPILER = sys.argv.pop(1)
    unittest.main()
