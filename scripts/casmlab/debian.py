# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages and sources, fetched with apt but apart from the system's package state.

The machine's own apt sources are read and rewritten into a private configuration; lists, archives and the record of what
is installed are private too (the last one is empty, so that apt fetches all dependencies). Nothing needs root and nothing
of the system changes.
"""

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

from . import cache
from .errors import LabError

LISTS_AGE_MAX_S = 24 * 3600


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
            message = "; ".join(line for line in (result.stderr or result.stdout).strip().splitlines()[-3:])
            raise LabError(f"{' '.join(command[:2])} failed: {message} (is the network there, and does apt work?)")
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

    def source_version(self, package: str, without_epoch: str) -> str:
        """The whole version of a source package, of which file names leave the epoch out."""
        text = self.run("apt-cache", "showsrc", package)
        versions = dict.fromkeys(re.findall(r"(?m)^Version: (\S+)$", text))
        for version in versions:
            if version.partition(":")[2] == without_epoch or version == without_epoch:
                return version
        raise LabError(f"the apt sources have no source package {package} {without_epoch}, only: {' '.join(versions) or 'none'}")

    def download(self, packages: list[str], folder: Path) -> list[Path]:
        """Fetches just these packages, verified by apt; returns the files."""
        self.run("apt-get", "download", *packages, cwd=folder)
        return sorted(folder.glob("*.deb"))

    def download_with_dependencies(self, packages: list[str], folder: Path) -> list[Path]:
        """Fetches packages and all that they depend on, as for an empty system."""
        text = self.run("apt-get", "install", "--simulate", "--no-install-recommends", *packages)
        names = re.findall(r"(?m)^Inst (\S+) ", text)
        return self.download(names, folder)


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
