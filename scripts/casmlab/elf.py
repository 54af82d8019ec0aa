# SPDX-License-Identifier: GPL-2.0-or-later
"""Which shared libraries a program needs, found in an unpacked tree or on the host."""

import re
import subprocess
from pathlib import Path

from .errors import LabError

# libc loads it by name when a thread is cancelled (pthread_cancel); no program lists it.
LOADED_BY_NAME = ("libgcc_s.so.1",)


def is_elf(path: Path) -> bool:
    with open(path, "rb") as handle:
        return handle.read(4) == b"\x7fELF"


def needed(path: Path) -> list[str]:
    """Names in the program's dynamic section, and its interpreter as an absolute path."""
    text = subprocess.run(["readelf", "-W", "-l", "-d", str(path)], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", text)
    return names + re.findall(r"Requesting program interpreter: (.+?)\]", text)


def closure(programs: list[Path], folders: list[Path]) -> dict[str, Path]:
    """File name -> path, for every library that the programs need, directly or not, looked up in folders."""
    found: dict[str, Path] = {}
    queue = [(name, program) for program in programs for name in needed(program)]
    queue += [(name, Path("libc")) for name in LOADED_BY_NAME]
    while queue:
        name, user = queue.pop()
        name = Path(name).name
        if name in found:
            continue
        path = next((folder / name for folder in folders if (folder / name).exists()), None)
        if path is None:
            raise LabError(f"library {name}, needed by {user}, is in none of the unpacked packages")
        found[name] = path
        queue += [(needed_name, path) for needed_name in needed(path)]
    return found


def host_closure(program: Path) -> dict[str, Path]:
    """The same for a program built on this machine, as its loader resolves it."""
    result = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    if "not a dynamic executable" in result.stdout + result.stderr or "statically linked" in result.stdout:
        return {}
    if result.returncode != 0:
        raise LabError(f"{program} is not a program for this machine: {result.stderr.strip() or result.stdout.strip()}")
    if "not found" in result.stdout:
        missing = re.findall(r"(\S+) => not found", result.stdout)
        raise LabError(f"{program} needs libraries that are not here: {' '.join(missing)}")
    found = {Path(path).name: Path(path) for path in re.findall(r"(/\S+) \(0x", result.stdout)}
    folders = {path.resolve().parent for path in found.values()}
    for name in LOADED_BY_NAME:
        for folder in folders:
            if (folder / name).exists():
                found.setdefault(name, folder / name)
    return found
