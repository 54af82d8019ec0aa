# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/demo: builds everything, records a guest in the lab, replays it, verifies it, and says what that took."""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

from . import bench, boot, cache, counts, dom0, kernel, xen
from .errors import EXIT_INTERRUPTED, EXIT_UNAVAILABLE, LabError

SCRIPTS = Path(__file__).resolve().parent / "in-dom0"
PRESET = "release"
CASMOTION = xen.PROJECT / "build" / PRESET / "dom0-daemon" / "casmotion"
TIMEOUT_S = 300
EPILOG = """\
example: scripts/demo --guest rt

exit codes: 0 replayed as recorded, 1 it differs, 2 usage, 69 a step failed, 130 interrupted
"""


@dataclasses.dataclass
class Result:
    """What the demo saw."""
    plain: bench.Run      # the guest on stock Xen
    recorded: bench.Run   # the same guest while it was recorded
    record: dict              # what casmotion said, see its --json
    replay: dict
    verify: dict
    info: dict
    consoles_equal: bool


def build_casmotion():
    """Configures and builds the optimised program."""
    for command in (["cmake", "--preset", PRESET], ["cmake", "--build", "--preset", PRESET]):
        result = subprocess.run(command, cwd=xen.PROJECT, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise LabError(f"{' '.join(command)} failed:\n" + "\n".join((result.stdout + result.stderr).splitlines()[-30:]))


def run(out: Path, flavour: str) -> Result:
    """The two boots. out: folder that gets the log and everything that was printed. Raises LabError when a step failed."""
    counter = counts.fetch()
    initrd = dom0.initramfs(flavour, CASMOTION, (counter / "lab-mark",))
    machine = boot.Machine(xen=Path(), kernel=kernel.fetch("amd64") / "vmlinux", initrd=initrd,
                           counter=counter / "counter.so", share=out)
    plain = _boot(machine, xen.hypervisor(stock=True), out / "plain.counts", "demo-plain.sh")
    recorded = _boot(machine, xen.hypervisor(), out / "recorded.counts", "demo.sh")

    def said(name: str) -> dict:
        return json.loads((out / f"{name}.json").read_text(encoding="utf-8"))

    consoles = [(out / f"{name}-console.txt").read_bytes() for name in ("recorded", "replayed")]
    return Result(plain=plain, recorded=recorded, record=said("record"),
                  replay=said("replay"), verify=said("verify"), info=said("info"),
                  consoles_equal=consoles[0] == consoles[1])


def _boot(machine: boot.Machine, hypervisor: Path, snapshots: Path, script: str) -> bench.Run:
    this = dataclasses.replace(machine, xen=hypervisor / "xen.gz", counts=snapshots, console=snapshots.with_suffix(".console"))
    code = boot.run(this, (SCRIPTS / script).read_text(encoding="utf-8"), TIMEOUT_S)
    if code != 0:
        raise LabError(f"{script} ended with {code} (console: {this.console})")
    marks = counts.read(snapshots)
    return bench.Run.of(script, marks, counts.Symbols(hypervisor / "xen-syms"))


def table(result: Result) -> str:
    """The demo's last words."""
    guest = result.recorded.guest
    bytes_ = result.info["events_bytes"]
    cost = costs(result.plain, result.recorded)
    lines = [("events", "")]
    for name, of_class in result.info["classes"].items():
        if of_class["records"]:
            lines.append((f"  {name}", f"{of_class['records']:,}"))
    lines += [
        ("log", f"{bytes_:,} bytes of events, {bytes_ * 1000 / guest:.2f} bytes per 1000 guest instructions"),
        ("guest instructions", f"{guest:,} (as the emulator counts: each round of a REP is one)"),
        ("recording cost", f"{cost.total_percent:.1f} % more instructions than unrecorded on stock Xen while the guest runs: "
                           f"{cost.xen_percent:.1f} % in Xen, {cost.dom0_percent:.1f} % in dom0"),
        ("recording time", f"{result.record['duration_ns'] / 1e9:.1f} s"),
        ("replay time", f"{result.replay['duration_ns'] / 1e9:.1f} s"),
        ("console output", "replayed as recorded" if result.consoles_equal else "DIFFERS"),
        ("states compared", f"{result.replay['entries']:,} synchronous entries"),
        ("digests compared", f"{result.replay['digests_compared']:,}"),
        ("divergences", f"{result.replay['divergences']}"),
    ]
    return "\n".join(f"{name:20} {text}".rstrip() for name, text in lines)


@dataclasses.dataclass
class Costs:
    """Extra instructions of a recording, in percent of what the unrecorded guest takes with all that Xen does for it."""
    xen_percent: float
    dom0_percent: float

    @property
    def total_percent(self) -> float:
        return self.xen_percent + self.dom0_percent


def costs(plain: bench.Run, recorded: bench.Run) -> Costs:
    """Compares two runs. The guest's own work differs a little from run to run (timer ticks), so Xen's share is compared per
    guest instruction."""
    base = plain.guest + plain.xen_total
    extra_xen = recorded.xen_total * plain.guest / recorded.guest - plain.xen_total
    extra_dom0 = recorded.dom0_running - plain.dom0_running
    return Costs(100 * extra_xen / base, 100 * extra_dom0 / base)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.partition(": ")[2], epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", choices=("amd64", "cloud", "rt"), default="amd64", help="kernel of the guest (amd64)")
    parser.add_argument("--no-setup", action="store_true", help="do not install missing packages")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    try:
        if not arguments.no_setup:
            subprocess.run([xen.PROJECT / "scripts" / "setup"], check=True)
        print("demo: building", flush=True)
        build_casmotion()
        out = xen.PROJECT / "build" / "demo"
        out.mkdir(parents=True, exist_ok=True)
        flavour = arguments.guest if arguments.guest == "amd64" else f"{arguments.guest}-amd64"
        with cache.lock(out / "lock"):
            result = run(out, flavour)
    except (LabError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"\n{table(result)}\n\nThe log is {(out / 'work.log').relative_to(xen.PROJECT)}; "
          f"all in all {time.monotonic() - started:.0f} s.")
    equal = result.consoles_equal and result.replay["result"] == "equal" and result.replay["divergences"] == 0
    return 0 if equal else 1
