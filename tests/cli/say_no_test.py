#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""'verify' says no: of a real log in which one record was dropped or duplicated, every checksum made right again, it names the
class. (What only the record itself, or a replay, can give away is in tests/lab/cases/say_no.sh.)

usage: say_no_test.py --casmotion PROGRAM --mutate PROGRAM LOG...
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CLASSES = ("entry", "tsc", "msr", "cpuid", "result", "outmem", "evtchn", "ring", "init", "digest", "end")
PLACES = 5  # records of a class that are tried


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--casmotion", required=True)
    parser.add_argument("--mutate", required=True)
    parser.add_argument("log", nargs="+", type=Path)
    given = parser.parse_args()
    problems, mutants = [], 0

    def run(*command) -> subprocess.CompletedProcess:
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)

    with tempfile.TemporaryDirectory() as folder:
        for log in given.log:
            good = run(given.casmotion, "-q", "verify", log)
            # Where plain CPUID does not trap, C2 cannot be told of any log; nothing else may be in doubt.
            untold = re.findall(r"^(C[1-6]) .* cannot be told .*$", good.stdout, re.MULTILINE)
            plain = good.returncode == 75 and untold == ["C2"] and "plain CPUID did not trap" in good.stdout
            if good.returncode != 0 and not plain:
                problems.append(f"{log.name} itself is refused: {good.stderr.strip()}")
            info = json.loads(run(given.casmotion, "info", "--json", log).stdout)
            for cls in CLASSES:
                records = info["classes"][cls]["records"]
                if not records:
                    problems.append(f"{log.name} has no record of class {cls}")
                for nth in sorted({records * place // PLACES for place in range(PLACES)} if records else ()):
                    for operation in ("drop", "duplicate"):
                        what = f"{log.name}: {operation} of {cls} {nth}"
                        mutant = Path(folder) / f"{mutants}"
                        mutants += 1
                        made = run(given.mutate, log, mutant, "--class", cls, "--op", operation, "--nth", nth, "--seed", 3)
                        if made.returncode != 0:
                            problems.append(f"{what}: no mutant: {made.stderr.strip()}")
                            continue
                        said = run(given.casmotion, "-q", "verify", mutant)
                        if said.returncode not in (1, 65):
                            problems.append(f"{what}: exit code {said.returncode}")
                        elif cls != "end" and not re.search(rf"class {cls}: [\d,]+ applied, [\d,]+ logged", said.stdout):
                            problems.append(f"{what}: the class is not named: {said.stdout}")
    print("\n".join(problems))
    print(f"{mutants} mutants, {len(problems)} problems")
    return 1 if problems or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
