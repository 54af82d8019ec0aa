# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian source packages at pinned hashes, quilt series, and builds whose messages are kept in a log."""

import os
import subprocess
import sys
from pathlib import Path

from . import cache, debian
from .errors import LabError


def fetch(step: str, package: str, pinned: Path) -> Path:
    """Stage with the verified, unpacked source package in 'tree'. pinned: names and SHA-256 of its files."""
    inputs = cache.Inputs().file(pinned).text("recipe", "1")

    def build(out: Path):
        sums = debian.read_sha256(pinned)
        dsc = next(name for name in sums if name.endswith(".dsc"))
        version = dsc.removeprefix(f"{package}_").removesuffix(".dsc")
        apt = debian.Apt()
        apt.update()
        # The file's name has no epoch; of the versions in the archive the one that matches is asked for.
        apt.run("apt-get", "source", "--download-only", "--only-source", f"{package}={apt.source_version(package, version)}",
                cwd=out)
        debian.verify_sha256(out, sums)
        # The hashes above are the authority; dpkg-source has no key ring to look into.
        run(["dpkg-source", "--no-check", "-x", dsc, "tree"], out, out / "unpack.log")
        for name in sums:
            (out / name).unlink()

    return cache.stage(step, inputs, build)


def series(path: Path) -> list[str]:
    """Patch names of a quilt series, in order; a missing file is an empty series."""
    if not path.exists():
        return []
    lines = (line.partition("#")[0].split() for line in path.read_text(encoding="utf-8").splitlines())
    return [words[0] for words in lines if words]


def add_patches(inputs: cache.Inputs, folder: Path, names: list[str]):
    """Makes patches part of what a stage depends on."""
    for name in names:
        if not (folder / name).is_file():
            raise LabError(f"{folder.name}/series names {name}, which does not exist")
        inputs.file(folder / name, name)


def apply(tree: Path, folder: Path, names: list[str]):
    """Applies patches of a folder to a tree, in order."""
    for name in names:
        result = subprocess.run(["patch", "-p1", "--forward", "--batch", "-i", str(folder / name)], cwd=tree,
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise LabError(f"{folder.name}/{name} does not apply:\n{result.stdout.strip()}")


def compiler() -> str:
    """The compiler's version: another one is another result."""
    result = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LabError("no C compiler: run scripts/setup")
    return result.stdout.splitlines()[0]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what a make or ctest that calls the lab leaves there."""
    return {name: value for name, value in {**os.environ, **more}.items()
            if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def run(command: list[str], folder: Path, log: Path, env: dict[str, str] | None = None):
    """Runs a step of a build; what it printed is added to the log, and its errors are shown when it fails."""
    with open(log, "ab") as handle:
        result = subprocess.run(command, cwd=folder, stdout=handle, stderr=subprocess.STDOUT, check=False, env=env)
    if result.returncode != 0:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "error" in line.lower()][:20] or lines[-20:]
        print("\n".join(errors), file=sys.stderr)
        raise LabError(f"'{' '.join(command)}' failed (its messages are above)")
