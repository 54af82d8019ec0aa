# SPDX-License-Identifier: GPL-2.0-or-later
"""How long effects wait in programs that hardly enter Xen: without points between entries, and with them."""

import dataclasses
import json
import shlex
import tempfile
from pathlib import Path

from . import boot
from .bench import SCRIPTS
from .errors import LabError

# The first is as good as nothing: what the boot of the guest comes to.
PROGRAMS = ("pushf=1", "spin=300000000", "interpreter=10000000", "hash=50", "matrix=5", "strings=5", "jump=20", "interactive=100")
LIMIT_S = 30
TIMEOUT_S = 120


def wait(said: dict) -> str:
    """The longest that an effect waited, or that the guest did not get on any more."""
    if said["xen"]["end_reason"] == "destroyed":
        return f"hangs (given up after {LIMIT_S} s)"
    return f"{said['xen']['delay_max_ns'] / 1e6:.1f} ms"


def run(machine: boot.Machine) -> int:
    """One boot, then the table on stdout."""
    if machine.pmu is None:
        raise LabError("bench --delays needs --pmu")
    with tempfile.TemporaryDirectory(prefix="casmlab-bench-") as temporary:
        share = Path(temporary)
        values = {"programs": " ".join(PROGRAMS), "limit_s": LIMIT_S}
        script = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())
        script += (SCRIPTS / "bench-delays.sh").read_text(encoding="utf-8")
        code = boot.run(dataclasses.replace(machine, share=share), script, TIMEOUT_S * len(PROGRAMS))
        if code != 0:
            raise LabError(f"bench: the script in dom0 ended with {code}")
        print(f"{'program':24}{'without points':>32}{'with points':>14}{'points':>8}")
        late = []
        for program in PROGRAMS:
            name = program.partition("=")[0]
            none, points = (json.loads((share / f"{name}-{kind}.json").read_text(encoding="utf-8"))
                            for kind in ("none", "points"))
            found = points["xen"]["apoints"]
            print(f"{program:24}{wait(none):>32}{wait(points):>14}{found['canonical'] + found['by_state']:>8,}")
            for kind in ("plain", "points"):
                text = (share / f"{name}-{kind}.late").read_text(encoding="utf-8").strip()
                if text:
                    late.append(f"{name}, {'unrecorded' if kind == 'plain' else 'recorded'}: {text.removeprefix('time: ')}")
        print("\n".join(late))
    return 0
