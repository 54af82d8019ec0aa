# SPDX-License-Identifier: GPL-2.0-or-later
"""Stages: directories in the cache, named after a step and the hash of everything that went into it.

A stage is built under a temporary name and renamed when it is complete, so a directory with a stage's name is always
whole, whatever was interrupted. A lock per stage makes a second lab wait for the first one's result instead of building
the same. Complete stages are never changed; two labs read them at once.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

# A stage that nobody used for so long is removed when another of the same step is stored.
UNUSED_DAYS_MAX = 14


def root() -> Path:
    """The cache directory; CASMOTION_CACHE overrides the usual place."""
    if os.environ.get("CASMOTION_CACHE"):
        return Path(os.environ["CASMOTION_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "casmotion"


class Inputs:
    """Collects what goes into a stage. Order matters; each item is tagged and length-prefixed, so that different
    lists of items cannot look the same."""

    def __init__(self):
        self._hash = hashlib.sha256()

    def _add(self, tag: str, name: str, data: bytes):
        for part in (tag.encode(), name.encode(), data):
            self._hash.update(len(part).to_bytes(8, "little"))
            self._hash.update(part)

    def text(self, name: str, value: str) -> "Inputs":
        self._add("text", name, value.encode())
        return self

    def file(self, path: Path, name: str | None = None) -> "Inputs":
        """Content and permission to execute; not the place where the file happens to lie."""
        path = Path(path)
        executable = "x" if os.access(path, os.X_OK) else "-"
        self._add("file" + executable, name if name is not None else path.name, path.read_bytes())
        return self

    def tree(self, folder: Path, name: str) -> "Inputs":
        """Every file below a folder, by relative name. A folder that does not exist is an empty one."""
        folder = Path(folder)
        self._add("tree", name, b"")
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            self.file(path, str(path.relative_to(folder)))
        return self

    def code(self, *modules) -> "Inputs":
        """The modules that make the stage: when the recipe changes, so does the result."""
        for module in modules:
            self.file(Path(module.__file__))
        return self

    def digest(self) -> str:
        return self._hash.hexdigest()[:16]


@contextlib.contextmanager
def lock(path: Path):
    """Holds an exclusive lock on a file for the duration of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"lab: waiting for another lab that builds {path.name.removesuffix('.lock')}", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def find(step: str, inputs: Inputs) -> Path | None:
    """The directory of the stage if it is in the cache."""
    path = root() / f"{step}-{inputs.digest()}"
    if not path.is_dir():
        return None
    _touch(path)
    return path


def stage(step: str, inputs: Inputs, build) -> Path:
    """The directory of the stage; calls build(directory) to fill it when it does not exist yet."""
    cache = root()
    final = cache / f"{step}-{inputs.digest()}"
    if not final.is_dir():
        with lock(cache / "locks" / f"{final.name}.lock"):
            if not final.is_dir():
                started = time.monotonic()
                print(f"lab: {step}: building", file=sys.stderr)
                partial = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=cache))
                try:
                    partial.chmod(0o755)
                    build(partial)
                    partial.rename(final)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
                print(f"lab: {step}: done in {time.monotonic() - started:.0f} s", file=sys.stderr)
                _remove_unused(cache, step, final)
    _touch(final)
    return final


def _touch(path: Path):
    """Marks a stage as used today."""
    with contextlib.suppress(OSError):  # a read-only cache is as good
        os.utime(path)


def _remove_unused(cache: Path, step: str, keep: Path):
    limit = time.time() - UNUSED_DAYS_MAX * 86400
    for path in stages(cache, step):
        with contextlib.suppress(OSError):
            if path != keep and path.stat().st_mtime < limit:
                shutil.rmtree(path, ignore_errors=True)


def stages(cache: Path, step: str | None = None) -> list[Path]:
    """Complete stages, of one step or of all."""
    if not cache.is_dir():
        return []
    found = [(path, _step_of(path.name)) for path in cache.iterdir() if path.is_dir()]
    return sorted(path for path, its_step in found if its_step is not None and step in (None, its_step))


def _step_of(name: str) -> str | None:
    """The step in a stage's name; None for anything else in the cache (locks, apt's folders, unfinished stages)."""
    match = re.fullmatch(r"([^.].*)-[0-9a-f]{16}", name)
    return match[1] if match else None


def clean(step: str | None = None) -> int:
    """Removes the stages of a step, or everything. Returns how many were removed."""
    removed = 0
    for path in stages(root(), step):
        shutil.rmtree(path)
        removed += 1
    return removed
