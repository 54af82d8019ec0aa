# SPDX-License-Identifier: GPL-2.0-or-later
"""Instruction counts: builds the emulator's counting plugin, reads its snapshots, names Xen's functions."""

import array
import bisect
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

from . import cache
from .errors import LabError

SOURCES = Path(__file__).resolve().parent / "counter"

# As in counter/layout.h.
PROCESSORS = 4
USER, KERNEL, XEN = range(3)
XEN_BASE = 0xffff82d040000000
XEN_GRANULE_BYTES = 16
XEN_GRANULES = (8 << 20) // XEN_GRANULE_BYTES
_WORDS = 1 + PROCESSORS * 3 + PROCESSORS * XEN_GRANULES


def fetch() -> Path:
    """Stage with 'counter.so' for the emulator and 'lab-mark' for dom0."""
    inputs = cache.Inputs().tree(SOURCES, "counter").text("recipe", "1")

    def build(out: Path):
        for command in (["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                         "-o", out / "counter.so", SOURCES / "plugin.c"],
                        ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", out / "lab-mark", SOURCES / "mark.c"]):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise LabError(f"the instruction counter does not build: {result.stderr.strip()}")

    return cache.stage("counter", inputs, build)


@dataclasses.dataclass
class Counts:
    """Instructions executed in some stretch of a run."""
    by_place: list[list[int]]  # [processor][USER, KERNEL or XEN]
    xen: list[array.array]     # [processor][granule of Xen's address space]

    def __sub__(self, earlier: "Counts") -> "Counts":
        return Counts([[a - b for a, b in zip(mine, theirs)] for mine, theirs in zip(self.by_place, earlier.by_place)],
                      [array.array("Q", (a - b for a, b in zip(mine, theirs)))
                       for mine, theirs in zip(self.xen, earlier.xen)])

    def guest(self, processor: int = 1) -> int:
        """What a guest executed that has the processor for itself."""
        return self.by_place[processor][USER] + self.by_place[processor][KERNEL]

    def all(self, processor: int) -> int:
        return sum(self.by_place[processor])


def read(path: Path) -> dict[int, Counts]:
    """Snapshots by mark; a mark that was used twice holds the last."""
    snapshots = {}
    with open(path, "rb") as handle:
        # A last snapshot that is cut, because the machine went down, is left out.
        while len(data := handle.read(_WORDS * 8)) == _WORDS * 8:
            words = array.array("Q", data)
            if sys.byteorder != "little":
                words.byteswap()
            places = [list(words[1 + cpu * 3:4 + cpu * 3]) for cpu in range(PROCESSORS)]
            start = 1 + PROCESSORS * 3
            xen = [words[start + cpu * XEN_GRANULES:start + (cpu + 1) * XEN_GRANULES] for cpu in range(PROCESSORS)]
            snapshots[words[0]] = Counts(places, xen)
    return snapshots


class Symbols:
    """Functions of a hypervisor, from its xen-syms."""

    def __init__(self, xen_syms: Path):
        text = subprocess.run(["nm", "-n", str(xen_syms)], check=True, capture_output=True, text=True).stdout
        found = re.findall(r"(?m)^([0-9a-f]{16}) [tTwW] (\S+)$", text)
        self._addresses = [int(address, 16) for address, _ in found]
        self._names = [name for _, name in found]

    def by_function(self, xen: array.array) -> dict[str, int]:
        """Instructions per function; a block is counted where it starts, to 16 bytes."""
        totals: dict[str, int] = {}
        for granule, count in enumerate(xen):
            if count:
                # The last address of the granule: functions start at multiples of 16.
                address = XEN_BASE + (granule + 1) * XEN_GRANULE_BYTES - 1
                index = bisect.bisect_right(self._addresses, address) - 1
                name = self._names[index] if index >= 0 else "?"
                totals[name] = totals.get(name, 0) + count
        return totals
