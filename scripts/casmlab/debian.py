# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages and sources, fetched with apt but apart from the system's package state.

The machine's own apt sources are read and rewritten into a private configuration; lists, archives and the record of what
is installed are private too (the last one is empty, so that apt fetches all dependencies). Nothing needs root and nothing
of the system changes.
"""

import dataclasses
import functools
import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

from . import cache
from .errors import LabError

LISTS_AGE_MAX_S = 24 * 3600


class GoneError(LabError):
    """The archive does not have it, or no longer; anything else that goes wrong with apt is a plain LabError."""


@dataclasses.dataclass(frozen=True)
class SourcePackage:
    """A source package of the archive, as its signed index describes it."""
    name: str
    version: str             # whole, with epoch
    sums: dict[str, str]     # file name -> SHA-256
    binaries: frozenset[str]

    @property
    def file_version(self) -> str:
        """The version in file names, which leave the epoch out."""
        return self.version.rpartition(":")[2]


def source_files() -> list[Path]:
    """The apt source files that are in force, as apt(8) reads them."""
    main = Path("/etc/apt/sources.list")
    parts = Path("/etc/apt/sources.list.d")
    files = [main] if main.is_file() else []
    if parts.is_dir():
        files += sorted(p for p in parts.iterdir() if p.suffix in (".list", ".sources") and p.is_file())
    return files


def with_sources(text: str, suffix: str) -> str:
    """The content of a source file with both binary and source packages of each entry."""
    if suffix == ".sources":
        return re.sub(r"(?mi)^Types:.*$", "Types: deb deb-src", text)
    lines = []
    for line in text.splitlines():
        match = re.match(r"\s*deb(?:-src)?\s+(.*)$", line)
        if match:
            lines += [f"deb {match[1]}", f"deb-src {match[1]}"]
    return "\n".join(dict.fromkeys(lines)) + "\n"


class Apt:
    """One private apt. Cheap to make; the lists are shared by all labs and refreshed once a day."""

    def __init__(self):
        self._base = cache.root() / "apt"
        for folder in ("parts", "lists/partial", "state", "archives/partial"):
            (self._base / folder).mkdir(parents=True, exist_ok=True)
        (self._base / "status").touch()

    def _options(self) -> list[str]:
        base = self._base
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": base / "parts",
            "Dir::State": base / "state",
            "Dir::State::Lists": base / "lists",
            "Dir::State::status": base / "status",
            "Dir::Cache": base,
            "Dir::Cache::archives": base / "archives",
            "APT::Sandbox::User": "root",  # the private folders need not be readable by _apt
            "APT::Get::List-Cleanup": "false",
            "Acquire::Retries": "3",
        }
        return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Runs apt-get or apt-cache with the private configuration; returns what it printed."""
        program, *arguments = command
        result = subprocess.run([program, *self._options(), *arguments], cwd=cwd, capture_output=True, text=True,
                                check=False, env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"})
        if result.returncode != 0:
            lines = (result.stderr or result.stdout).strip().splitlines()
            # The index of a mirror can name a file that it does not have. "File not found" is said of an archive in a folder.
            gone = next((line for line in lines if re.search(r"Failed to fetch .*(404|File not found)", line)), None)
            if gone is not None:
                raise GoneError(re.sub(r"\s+", " ", gone.removeprefix("E: ")))
            raise LabError(f"{' '.join(command[:2])} failed: {'; '.join(lines[-3:])} (is the network there, and does apt work?)")
        return result.stdout

    def update(self):
        """Makes sure that the lists are there and not older than a day."""
        stamp = self._base / "lists.stamp"
        wanted = {f"{i}-{p.name}": with_sources(p.read_text(encoding="utf-8"), p.suffix)
                  for i, p in enumerate(source_files())}
        if not wanted:
            raise LabError("this machine has no apt sources (/etc/apt/sources.list, sources.list.d): is it a Debian?")
        with cache.lock(self._base / "lists.lock"):
            parts = self._base / "parts"
            current = {p.name: p.read_text(encoding="utf-8") for p in parts.iterdir()}
            fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_AGE_MAX_S
            if current == wanted and fresh:
                return
            for path in parts.iterdir():
                path.unlink()
            for name, text in wanted.items():
                (parts / name).write_text(text, encoding="utf-8")
            self.run("apt-get", "update")
            stamp.touch()

    def dependency(self, package: str, pattern: str) -> str:
        """The first dependency of a package whose name matches, e.g. what a meta package stands for today."""
        text = self.run("apt-cache", "depends", "--important", package)
        for name in re.findall(r"Depends: (\S+)", text):
            if re.fullmatch(pattern, name):
                return name
        raise LabError(f"package {package} depends on nothing like {pattern}: are the apt sources those of Debian?")

    def sources(self, package: str) -> list[SourcePackage]:
        """The versions of a source package in the archive, newest first; none is an empty list."""
        text = self.run("apt-cache", "showsrc", "--only-source", package)
        # The same version can be in several suites, and then several times here.
        found = {source.version: source for stanza in text.split("\n\n") if (source := _source(stanza, package))}
        return [found[version] for version in newest_first(found)]

    def download_source(self, package: SourcePackage, folder: Path):
        """Fetches the files of a source package; apt verifies them by the archive's signed index."""
        self.run("apt-get", "source", "--download-only", "--only-source", f"{package.name}={package.version}", cwd=folder)

    def offered(self, packages) -> dict[str, list[str]]:
        """The versions of binary packages in the archive, newest first."""
        found: dict[str, set[str]] = {}
        for line in self.run("apt-cache", "madison", *packages).splitlines():
            row = [word.strip() for word in line.split("|")]
            if len(row) == 3 and row[2].endswith(" Packages"):
                found.setdefault(row[0], set()).add(row[1])
        return {name: newest_first(versions) for name, versions in found.items()}

    def download(self, packages: list[str], folder: Path) -> list[Path]:
        """Fetches just these packages (NAME or NAME=VERSION), verified by apt; returns the files."""
        self.run("apt-get", "download", *packages, cwd=folder)
        return sorted(folder.glob("*.deb"))

    def download_with_dependencies(self, packages: list[str], folder: Path, versions: dict[str, str]) -> list[Path]:
        """Fetches packages and all that they depend on, as for an empty system. versions: those of packages that may be among
        them and are not to be taken in the newest version."""
        asked: dict[str, str] = {}
        while True:
            # What is asked for by version can bring in others that must be.
            wanted = [f"{name}={asked[name]}" if name in asked else name for name in dict.fromkeys([*packages, *asked])]
            text = self.run("apt-get", "install", "--simulate", "--no-install-recommends", *wanted)
            names = re.findall(r"(?m)^Inst (\S+) ", text)
            more = {name: versions[name] for name in names if name in versions and name not in asked}
            if not more:
                return self.download([f"{name}={asked[name]}" if name in asked else name for name in names], folder)
            asked |= more


def _source(stanza: str, package: str) -> SourcePackage | None:
    """A stanza of a Sources index; None if it is not of this package."""
    fields = dict(re.findall(r"(?m)^(\S+):((?:.*)(?:\n[ \t].*)*)", stanza))
    if fields.get("Package", "").strip() != package or "Version" not in fields:
        return None
    sums = {name: sha for sha, name in re.findall(r"(?m)^\s+([0-9a-f]{64})\s+\d+\s+(\S+)$", fields.get("Checksums-Sha256", ""))}
    binaries = frozenset(re.split(r"[,\s]+", fields.get("Binary", "").strip()))
    return SourcePackage(package, fields["Version"].strip(), sums, binaries)


def newest_first(versions) -> list[str]:
    """Versions in dpkg's order, the newest first."""
    def compare(a: str, b: str) -> int:
        if a == b:
            return 0
        newer = subprocess.run(["dpkg", "--compare-versions", a, "gt", b], check=False).returncode == 0
        return -1 if newer else 1
    return sorted(versions, key=functools.cmp_to_key(compare))


def unpack(package: Path, root: Path):
    """Unpacks a package's files; no maintainer script runs."""
    subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)


def versions(packages: list[Path]) -> str:
    """One line per package: what was used, for reports and bug hunting."""
    return "".join(f"{p.name}\n" for p in sorted(packages))


def verify_sha256(folder: Path, sums: dict[str, str]):
    """Checks the files of a folder against pinned sums; every one must be there."""
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            raise LabError(f"{name} was not fetched")
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if actual != expected:
            raise LabError(f"{name} has SHA-256 {actual}, not the pinned {expected}: it is not what was reviewed")


def read_sha256(path: Path) -> dict[str, str]:
    """Reads a file in the format of sha256sum(1): name -> sum. Lines with # are comments."""
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line)
        if not match:
            raise LabError(f"{path}:{number}: not a line of sha256sum")
        sums[match[2]] = match[1]
    return sums
