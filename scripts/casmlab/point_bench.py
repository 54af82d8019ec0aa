# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs to find time points, in executed instructions: programs that hardly enter Xen, recorded without points and with
them, both recordings replayed, in one boot each. Without points every instruction of Xen on the guest's processor is caused by
an entry, so what an entry costs is known, and the rest of a run with points is what the points cost."""

import dataclasses
import json
import tempfile
from pathlib import Path

from . import boot, counts, xen
from .bench import IDLE, SCRIPTS
from .errors import LabError

# The target of most points is in a loop of three instructions; in loops of some dozens; in nested loops over memory.
PROGRAMS = (("spin=150000000", "hot loop of 3 instructions"), ("hash=40", "hash, loop of some dozens"),
            ("matrix=4", "matrix product"), ("interpreter=5000000", "interpreter, by state"))
TIMEOUT_S = 1500


@dataclasses.dataclass
class Run:
    """A recording or a replay."""
    guest: int     # instructions
    xen: int       # instructions on the guest's processor, without idling
    entries: int
    points: dict   # what Xen reports: canonical, by_state, steps, hits, steps_max

    @property
    def found(self) -> int:
        return self.points["canonical"] + self.points["by_state"]

    @property
    def traps(self) -> int:
        return self.points["steps"] + self.points["hits"]


def cost(without: Run, with_points: Run) -> int:
    """Instructions of Xen for points: what its entries do not explain."""
    return with_points.xen - round(with_points.entries * without.xen / without.entries)


def row(name: str, kind: str, without: Run, with_points: Run) -> str:
    spent, found = cost(without, with_points), with_points.found
    return (f"{name:30}{kind:>8}{found:>8,}{with_points.traps / found:>12.1f}{with_points.points['steps_max']:>6,}"
            f"{spent / found:>14,.0f}{100 * spent / (with_points.guest + with_points.xen):>9.2f} %"
            f"{100 * (with_points.xen / with_points.guest - without.xen / without.guest):>+11.2f} %")


def measure(machine: boot.Machine, program: str) -> dict[str, Run]:
    """One boot: record-none, replay-none, record-points, replay-points."""
    hypervisor = xen.hypervisor()
    symbols = counts.Symbols(hypervisor / "xen-syms")
    with tempfile.TemporaryDirectory(prefix="casmlab-bench-") as temporary:
        share = Path(temporary)
        snapshots = share / "counts"
        script = f"program={program}\n" + (SCRIPTS / "bench-points.sh").read_text(encoding="utf-8")
        code = boot.run(dataclasses.replace(machine, xen=hypervisor / "xen.gz", counts=snapshots, share=share), script, TIMEOUT_S)
        if code != 0:
            raise LabError(f"bench: {program}: the script in dom0 ended with {code}")
        marks = counts.read(snapshots)
        runs = {}
        for number, name in enumerate(("record-none", "replay-none", "record-points", "replay-points")):
            spent = marks[2 * number + 2] - marks[2 * number + 1]
            said = json.loads((share / f"{name}.json").read_text(encoding="utf-8"))
            by_function = symbols.by_function(spent.xen[1])
            runs[name] = Run(spent.guest(), sum(n for function, n in by_function.items() if function not in IDLE),
                             said["entries"], said["xen"]["apoints"])
    return runs


def run(machine: boot.Machine) -> int:
    """A boot for each program, then the table on stdout."""
    if machine.pmu is None:
        raise LabError("bench --points needs --pmu")
    rows = []
    for program, name in PROGRAMS:
        print(f"bench: {name}", flush=True)
        runs = measure(machine, program)
        for kind in ("record", "replay"):
            if not runs[f"{kind}-points"].found:
                raise LabError(f"bench: {program} made no points")
            rows.append(row(name, kind, runs[f"{kind}-none"], runs[f"{kind}-points"]))
    print(f"{'program':30}{'':>8}{'points':>8}{'traps each':>12}{'most':>6}{'instructions':>14}{'of the run':>11}"
          f"{'Xen / guest':>13}")
    print("\n".join(rows))
    print("traps, instructions of Xen: for one point; of the run: of guest and Xen on its processor; Xen / guest: how much more\n"
          "Xen ran for the guest's work than in the same program without points")
    return 0
