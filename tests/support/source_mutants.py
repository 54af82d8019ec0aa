# SPDX-License-Identifier: GPL-2.0-or-later
"""Canaries: deliberately broken variants of C files, each of which a test must reject.

Each variant (mutant) is one file with one replacement, compiled as the others were and linked before the libraries, one of
which holds the original. A replacement whose text is not there exactly once is a problem too: the list must follow the code.
The lists are programs (tests/*/mutants.py) that call main(); source_mutants.cmake adds the tests that run them.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


# For a test without a mutant.
WITHOUT_MUTANT_S = 120


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    file: str               # in the folder of the sources
    old: str                # occurs once in it
    new: str
    tests: tuple[str, ...]  # each of which must reject it

    @staticmethod
    def of(name: str, file: str, old: str, new: str, tests: str | list[str]) -> "Mutant":
        return Mutant(name, file, old, new, (tests,) if isinstance(tests, str) else tuple(tests))


@dataclasses.dataclass(frozen=True)
class Build:
    """How mutants are compiled, linked and run."""
    sources: Path
    compiler: list[str]               # with its flags
    linker: str
    tests: dict[str, list[str]]       # object files and libraries that come before the mutant
    libraries: list[str]              # those that come after it
    arguments: dict[str, list[str]]   # of a test's program

    def compile(self, folder: Path, file: str, text: str) -> str:
        source, built = folder / file, folder / "mutant.o"
        source.write_text(text, encoding="utf-8")
        subprocess.run([*self.compiler, "-w", "-I", str(self.sources), "-c", str(source), "-o", str(built)], check=True)
        return str(built)

    def judge(self, folder: Path, test: str, limit_s: float, *mutant: str) -> tuple[bool, str]:
        """Whether a test passes, and how it ended. One that takes longer than limit_s does not pass."""
        program = folder / f"{test}_mutant"
        sanitizers = [word for word in self.compiler if word.startswith("-fsanitize")]
        subprocess.run([self.linker, *sanitizers, *self.tests[test], *mutant, *self.libraries, "-o", str(program)], check=True)
        try:
            # The first test of the program that fails rejects.
            result = subprocess.run([str(program), "--gtest_brief=1", "--gtest_fail_fast", *self.arguments.get(test, [])],
                                    capture_output=True, timeout=limit_s, check=False)
            return result.returncode == 0, f"status {result.returncode}"
        except subprocess.TimeoutExpired:
            return False, "no end"


def limit_s(seconds: float) -> float:
    """When a test has no end any more, from what it takes without a mutant; the machine may be busier then."""
    return 10 + 20 * seconds


def run(mutants: list[Mutant], build: Build) -> list[str]:
    """Judges every mutant, one on each processor at a time, and prints what became of it. Returns the problems."""
    limits: dict[str, float] = {}

    def without_mutant(test: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            passed, how = build.judge(Path(folder), test, WITHOUT_MUTANT_S)
            limits[test] = limit_s(time.monotonic() - started)
        return [] if passed else [f"the {test} test fails without a mutant ({how})"]

    def with_mutant(mutant: Mutant) -> list[str]:
        source = (build.sources / mutant.file).read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            return [f"{mutant.name}: its text is {source.count(mutant.old)} times in {mutant.file}: the list must follow it"]
        problems = []
        with tempfile.TemporaryDirectory() as folder:
            built = build.compile(Path(folder), mutant.file, source.replace(mutant.old, mutant.new))
            for test in mutant.tests:
                survived, how = build.judge(Path(folder), test, limits[test], built)
                print(f"{'SURVIVED' if survived else 'rejected'}: {mutant.name} ({test} test, {how})", flush=True)
                if survived:
                    problems.append(f"survived: {mutant.name} ({test} test)")
        return problems

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # Without a mutant they pass: a rejection means something.
        problems = list(pool.map(without_mutant, sorted({test for mutant in mutants for test in mutant.tests})))
        problems += pool.map(with_mutant, mutants)
        return [problem for some in problems for problem in some]


def main(mutants: list[tuple], argv: list[str], arguments: dict[str, list[str]] | None = None) -> int:
    """A list's program. mutants: Mutant.of()'s arguments; arguments: of a test's program."""
    parser = argparse.ArgumentParser(description="judges deliberately broken variants, each of which a test must reject")
    parser.add_argument("sources", type=Path, help="folder of the files to change")
    parser.add_argument("--linker", required=True)
    parser.add_argument("--test", action="append", default=[], metavar="NAME=PART,...",
                        help="a test: object files, and libraries that hold no original")
    parser.add_argument("--library", action="append", default=[], help="comes after the mutant")
    parser.add_argument("compiler", nargs="+", help="compiler and its flags, after --")
    given = parser.parse_args(argv)
    tests = {name: parts.split(",") for name, _, parts in (word.partition("=") for word in given.test)}
    listed = [Mutant.of(*mutant) for mutant in mutants]
    problems = run(listed, Build(given.sources, [word for word in given.compiler if word], given.linker, tests, given.library,
                                 arguments or {}))
    print(f"{len(listed)} mutants, {len(problems)} problems")
    print("\n".join(problems), file=sys.stderr if problems else sys.stdout)
    return 1 if problems else 0
