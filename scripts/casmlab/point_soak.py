# SPDX-License-Identifier: GPL-2.0-or-later
"""Time points under late overflow interrupts: guests that hardly enter Xen, each recorded and replayed several times on each of
several counters. All replays must be equal."""

import dataclasses
import random
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from . import boot, emulator, soak
from .errors import LabError

SCRIPT = Path(__file__).resolve().parent / "in-dom0" / "soak-points.sh"
PROGRAMS = ("casm-probe", "casm-timepoints")
GUESTS = {"amd64": ("kernel", "user"), "cloud": ("user",), "rt": ("sleeper",)}
RECORD_S = 6        # a guest that is not waited for
# Those on which xl creates Linux guests; it asks for a CPUID leaf that the family 10h of "amd" does not have.
PROCESSORS = ("amd-core", "intel")
TIMEOUT_S = 120     # of the machine, for each recording with its replay


def counters(seed: int) -> dict[str, emulator.Counter]:
    """How late overflow interrupts come: never, some, many branches, and by chance."""
    chance = random.Random(f"casmotion points {seed}")
    return {
        "0": emulator.Counter(seed=seed),
        "0 to 30": emulator.Counter(skid_branches=30, seed=seed),
        "0 to 200": emulator.Counter(skid_branches=200, skid_instructions=20, seed=seed),
        "random": emulator.Counter(processor=chance.choice(PROCESSORS), skid_branches=chance.randrange(201),
                                   skid_instructions=chance.randrange(21), seed=seed),
    }


@dataclasses.dataclass
class Row:
    """What the recordings of a guest on a counter came to."""
    recordings: int = 0
    equal: int = 0
    canonical: int = 0
    by_state: int = 0
    trips: int = 0        # steps and breakpoints of the replays
    trips_max: int = 0    # of one point
    late_max: int = 0     # branches
    delay_max_ns: int = 0

    def add(self, record: dict, replay: dict | None):
        self.recordings += 1
        self.delay_max_ns = max(self.delay_max_ns, record["xen"]["delay_max_ns"])
        logged = record["xen"]["apoints"]
        if not soak.equals(record, replay):
            return
        points = replay["xen"]["apoints"]
        if (points["canonical"], points["by_state"]) != (logged["canonical"], logged["by_state"]):
            return
        self.equal += 1
        self.canonical += points["canonical"]
        self.by_state += points["by_state"]
        self.trips += points["steps"] + points["hits"]
        self.trips_max = max(self.trips_max, points["steps_max"])
        self.late_max = max(self.late_max, points["late_max_branches"])

    def __str__(self) -> str:
        points = self.canonical + self.by_state
        return (f"{self.equal} of {self.recordings} equal; {self.canonical:,} points canonical, {self.by_state:,} by state, each "
                f"found in {self.trips / points if points else 0:.1f} traps (at most {self.trips_max:,}); interrupts up to "
                f"{self.late_max} branches late; effects waited at most {self.delay_max_ns / 1e6:.1f} ms")


def run(machine: boot.Machine, runs: int, seed: int, flavour: str, keep: Path) -> int:
    """One boot for each counter. Returns 0 if every replay was equal and every point found, else 1."""
    guests = GUESTS[flavour]
    print(f"points: seed {seed}, {runs} recordings of each guest on each counter", flush=True)
    failed = False
    for late, counter in counters(seed).items():
        with tempfile.TemporaryDirectory(prefix="casmlab-points-") as temporary:
            share = Path(temporary)
            values = {"runs": runs, "guests": " ".join(guests), "seconds": RECORD_S}
            script = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())
            try:
                code = boot.run(dataclasses.replace(machine, pmu=counter, share=share, console=share / "console.log"),
                                script + SCRIPT.read_text(encoding="utf-8"), TIMEOUT_S * runs * len(guests))
            except LabError as error:
                print(f"points: {error}", file=sys.stderr)
                code = 1
            all_equal = True
            for guest in guests:
                row = total(share, guest, runs)
                # Nothing to find is found by everybody.
                all_equal &= row.equal == runs and row.canonical + row.by_state > 0
                print(f"points: {guest}, late by {late} ({counter.processor}): {row}", flush=True)
            if code != 0 or not all_equal:
                failed = True
                target = keep / f"points-{seed}-{late.replace(' ', '-')}"
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(share, target)
                print(f"points: FAILED (exit code {code}); log and console are in {target}", file=sys.stderr, flush=True)
    return int(failed)


def total(share: Path, guest: str, runs: int) -> Row:
    row = Row()
    for number in range(1, runs + 1):
        record = soak.said(share, f"{guest}-{number}-record")
        if record is not None:
            row.add(record, soak.said(share, f"{guest}-{number}-replay"))
    return row
