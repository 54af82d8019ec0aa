# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian source packages at pinned hashes, quilt series, and builds whose messages are kept in a log.

An archive drops a version when a newer one comes, so a pinned source can be gone. Then the newest source of the same series
(4.17, say) is taken that the patches apply to without fuzz, and each command that uses it says so.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import cache, debian
from .errors import LabError

PROJECT = Path(__file__).resolve().parents[2]
RECIPE = "1"


@dataclasses.dataclass(frozen=True)
class Base:
    """A source package that patches of ours stand on."""
    step: str       # of the stage with the unpacked source
    package: str
    patches: Path   # folder with 'base.sha256', which pins the package's files, with 'series' and the patches

    @property
    def pinned(self) -> Path:
        return self.patches / "base.sha256"

    @property
    def file_version(self) -> str:
        """The pinned version, without its epoch."""
        dsc = _dsc(debian.read_sha256(self.pinned))
        return dsc.removeprefix(f"{self.package}_").removesuffix(".dsc")

    @property
    def series(self) -> str:
        """The upstream series: the first two numbers of the version. Another one has other interfaces."""
        match = re.match(r"\d+\.\d+", self.file_version)
        if match is None:
            raise LabError(f"{self.pinned}: '{self.file_version}' does not begin with a series, such as 4.17")
        return match[0]

    def pinned_source(self) -> "Source":
        return Source(self, self.file_version, debian.read_sha256(self.pinned))


@dataclasses.dataclass(frozen=True)
class Source:
    """A source that a base is taken from: the pinned one or another of its series."""
    base: Base
    file_version: str
    sums: dict[str, str]     # file name -> SHA-256
    refused: tuple[str, ...] = ()   # those that would have been preferred, with why they were not taken

    @property
    def pinned(self) -> bool:
        return self.file_version == self.base.file_version

    def add_to(self, inputs: cache.Inputs) -> cache.Inputs:
        """Makes it part of what a stage depends on."""
        if self.pinned:
            return inputs.file(self.base.pinned)
        return inputs.text("source", "".join(f"{sha}  {name}\n" for name, sha in sorted(self.sums.items())))

    def _inputs(self) -> cache.Inputs:
        return self.add_to(cache.Inputs()).text("recipe", RECIPE)

    def is_cached(self) -> bool:
        return cache.find(self.base.step, self._inputs()) is not None

    def fetch(self) -> Path:
        """Stage with the verified, unpacked source in 'tree'. GoneError if the archive does not have it."""
        def build(out: Path):
            apt = debian.Apt()
            apt.update()
            found = [source for source in apt.sources(self.base.package) if source.file_version == self.file_version]
            if not found:
                raise debian.GoneError(f"no source package {self.base.package} {self.file_version} in the archive's index")
            apt.download_source(found[0], out)
            # Of the pinned one, these are the project's hashes; of another, those that apt's signed index names.
            debian.verify_sha256(out, self.sums)
            # The hashes above are the authority; dpkg-source has no key ring to look into.
            run(["dpkg-source", "--no-check", "-x", _dsc(self.sums), "tree"], out, out / "unpack.log")
            for name in self.sums:
                (out / name).unlink()

        return cache.stage(self.base.step, self._inputs(), build)

    def tree(self) -> Path:
        """The unpacked source."""
        return self.fetch() / "tree"


def _dsc(sums: dict[str, str]) -> str:
    return next(name for name in sums if name.endswith(".dsc"))


_said: set[tuple[Base, str]] = set()


def take(base: Base, is_built=lambda source: False) -> Source:
    """The source to build from: the pinned one, or, when the archive does not have it any more, the newest of its series that
    the patches apply to without fuzz. is_built: says of a source whether what is to be built of it is there already."""
    pinned = base.pinned_source()
    if pinned.is_cached() or is_built(pinned):
        return pinned
    # One lab decides, and those that start with it take what it found.
    with cache.lock(cache.root() / "locks" / f"{base.step}-choice.lock"):
        if pinned.is_cached():
            return pinned
        source = _remembered(base)
        if source is None:
            source = _choose(base, pinned)
    if not source.pinned and (base, source.file_version) not in _said:
        _said.add((base, source.file_version))
        _say(base, source)
    return source


def _say(base: Base, source: Source):
    where = base.pinned.relative_to(PROJECT) if base.pinned.is_relative_to(PROJECT) else base.pinned
    others = "".join(f"lab: *** not taken: {base.package} {why}\n" for why in source.refused[1:])
    print(f"lab: *** {base.package} {base.file_version}, which {where} pins, is no longer in the archive\n{others}"
          f"lab: *** taken instead: {base.package} {source.file_version}; all patches apply to it without fuzz\n"
          f"lab: *** it is verified by apt's signed index alone, not by a hash that was reviewed; to make it the base: "
          f"xen-patches/README.md, 'Another base'", file=sys.stderr)


def _choose(base: Base, pinned: Source) -> Source:
    try:
        pinned.fetch()
        return pinned
    except debian.GoneError as error:  # a wrong hash or a network that is down is no reason to take another
        refused = [f"{pinned.file_version}, which is pinned: {error}"]
    apt = debian.Apt()
    apt.update()
    for candidate in apt.sources(base.package):
        if candidate.file_version == pinned.file_version or not is_of(base.series, candidate.file_version):
            continue
        source = Source(base, candidate.file_version, candidate.sums)
        try:
            tree = source.tree()
        except debian.GoneError as error:
            refused.append(f"{candidate.file_version}: {error}")
            continue
        failing = first_that_fails(tree, base.patches, series(base.patches / "series"))
        if failing is None:
            source = dataclasses.replace(source, refused=tuple(refused))
            _remember(source)
            return source
        refused.append(f"{candidate.file_version}: {failing} does not apply without fuzz")
    raise LabError(f"no source of {base.package} {base.series} to build from ({'; '.join(refused)}): use a cache that holds the "
                   f"pinned one (CASMOTION_CACHE), or move the base (xen-patches/README.md, 'Another base')")


def is_of(series_name: str, version: str) -> bool:
    """Whether a version belongs to an upstream series; 4.170 is none of 4.17's."""
    return re.match(re.escape(series_name) + r"(?!\d)", version) is not None


def _memory(base: Base) -> tuple[Path, str]:
    """Where the choice is kept, and what it depends on."""
    inputs = cache.Inputs().file(base.pinned)
    add_patches(inputs, base.patches, series(base.patches / "series"))
    return cache.root() / "choices" / f"{base.step}.json", inputs.digest()


def _remember(source: Source):
    path, key = _memory(source.base)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"inputs": key, "version": source.file_version, "sums": source.sums, "refused": source.refused}
    path.write_text(json.dumps(content), encoding="utf-8")


def _remembered(base: Base) -> Source | None:
    """The choice that was made since apt's lists were last read; the pinned one may be back in the next."""
    path, key = _memory(base)
    try:
        if time.time() - path.stat().st_mtime > debian.LISTS_AGE_MAX_S:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    source = Source(base, content["version"], content["sums"], tuple(content["refused"]))
    return source if content["inputs"] == key and source.is_cached() else None


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


def _patch(tree: Path, patch: Path) -> str | None:
    """Applies a patch; returns what patch(1) says if a hunk does not fit exactly where it is put. A line number that changed
    is no harm."""
    result = subprocess.run(["patch", "-p1", "--forward", "--batch", "--fuzz=0", "-i", str(patch)], cwd=tree,
                            capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).strip() if result.returncode != 0 else None


def apply(tree: Path, folder: Path, names: list[str]):
    """Applies patches of a folder to a tree, in order."""
    for name in names:
        if (said := _patch(tree, folder / name)) is not None:
            raise LabError(f"{folder.name}/{name} does not apply:\n{said}")


def touched(folder: Path, names: list[str]) -> set[str]:
    """The files that patches change or add, by their names in the tree."""
    return {name for patch in names
            for name in re.findall(r"(?m)^(?:--- a|\+\+\+ b)/(\S+)", (folder / patch).read_text(encoding="utf-8"))}


def first_that_fails(tree: Path, folder: Path, names: list[str]) -> str | None:
    """The first of the patches that does not apply to a tree, which stays as it is; None if all do."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for name in touched(folder, names):
            if (tree / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(tree / name, copy / name)
        return next((name for name in names if _patch(copy, folder / name) is not None), None)


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
