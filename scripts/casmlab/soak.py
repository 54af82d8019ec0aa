# SPDX-License-Identifier: GPL-2.0-or-later
"""Many recordings, each under another disturbance, each replayed twice under yet others. All replays must be equal.

A round is one boot. Its disturbances follow from the seed and the round's number, so that a round can be repeated; a
recording cannot (that is what the product is for), so the log of a round that fails is kept.
"""

import dataclasses
import json
import random
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from . import boot
from .errors import LabError

SCRIPT = Path(__file__).resolve().parent / "in-dom0" / "soak.sh"
RECORD_LOADS = ("none", "spin", "fork", "tools", "disk", "pause")
REPLAY_LOADS = ("none", "spin", "fork", "tools", "disk")
TIMEOUT_S = 400


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """What makes a round different from the others."""
    delay_us: int
    record_load: str
    replay_loads: tuple[str, str]
    typed: tuple[int, ...]  # tenths of a second, each after the one before
    digest: int             # entries between memory digests

    def __str__(self) -> str:
        typed = ",".join(map(str, self.typed)) or "nothing"
        return (f"load {self.record_load}, typed {typed}, delay {self.delay_us} us, digest every {self.digest}, "
                f"replays under {' and '.join(self.replay_loads)}")


def disturbance(seed: int, number: int) -> Disturbance:
    """The disturbance of a round. Every load comes up before one is repeated."""
    chance = random.Random(f"casmotion soak {seed} {number}")
    record_load = RECORD_LOADS[(number + seed) % len(RECORD_LOADS)]
    others = [load for load in REPLAY_LOADS if load != record_load]
    return Disturbance(
        delay_us=chance.randrange(1_000_000), record_load=record_load,
        replay_loads=tuple(chance.sample(others, 2)),
        typed=tuple(chance.randrange(1, 40) for _ in range(chance.randrange(4))),
        digest=chance.choice((150_000, 300_000, 600_000)))


def script(what: Disturbance, guest: str) -> str:
    """What dom0 runs for a round."""
    values = {"guest": guest, "delay_us": what.delay_us, "record_load": what.record_load,
              "replay_loads": " ".join(what.replay_loads), "typed": " ".join(map(str, what.typed)), "digest": what.digest}
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items()) + SCRIPT.read_text(encoding="utf-8")


def run(machine: boot.Machine, runs: int, first: int, seed: int, guest: str, keep: Path) -> int:
    """All rounds; goes on after a failure. Returns 0 if every replay was equal, else 1. keep: where logs of failures go."""
    print(f"soak: seed {seed}, {runs} runs of guest '{guest}', two replays each", flush=True)
    equal = 0
    for number in range(first, first + runs):
        what = disturbance(seed, number)
        print(f"soak: run {number}: {what}", flush=True)
        with tempfile.TemporaryDirectory(prefix="casmlab-soak-") as temporary:
            share = Path(temporary)
            try:
                code = boot.run(dataclasses.replace(machine, share=share, console=share / "console.log"),
                                script(what, guest), TIMEOUT_S)
            except LabError as error:
                print(f"soak: run {number}: {error}", file=sys.stderr)
                code = 1
            good, line = summary(share)
            equal += good
            print(f"soak: run {number}: {line}", flush=True)
            if code != 0 or good != 2:
                target = keep / f"soak-{seed}-{number}"
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(share, target)
                print(f"soak: run {number} FAILED (exit code {code}); its log and console are in {target}; another "
                      f"recording under the same disturbance: scripts/lab soak --seed {seed} --first {number} --runs 1",
                      file=sys.stderr, flush=True)
    print(f"soak: {equal} of {2 * runs} replays equal", flush=True)
    return 0 if equal == 2 * runs else 1


def summary(share: Path) -> tuple[int, str]:
    """How many of a round's replays were equal, and a line about it."""
    record = said(share, "record")
    if record is None:
        return 0, "no recording"
    replays = [said(share, "replay1"), said(share, "replay2")]
    good = sum(1 for replay in replays if equals(record, replay))
    results = ", ".join(replay["result"] if replay else "no result" for replay in replays)
    digests = replays[0]["digests_compared"] if replays[0] else 0
    return good, (f"{record['entries']:,} entries in {record['duration_ns'] / 1e9:.1f} s, {digests} digests, "
                  f"replays: {results}")


def said(share: Path, name: str) -> dict | None:
    """What a command reported, None if it did not get that far."""
    try:
        return json.loads((share / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def equals(record: dict, replay: dict | None) -> bool:
    """A replay counts only if it says so and saw as many entries and digests as were recorded."""
    return (replay is not None and replay["result"] == "equal" and replay["divergences"] == 0
            and replay["entries"] == record["entries"]
            and replay["digests_compared"] == record["class_records"]["digest"] >= 2)
