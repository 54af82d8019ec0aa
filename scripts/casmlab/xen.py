# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor: Debian's source package at a pinned hash, with xen-patches/ applied, built.

xen-patches/series names the patches (a quilt series: comments with #, applied with patch -p1); xen-patches/files/ mirrors
the tree and holds new files; events/abi/ becomes xen/include/casm/, timematch/core/ joins xen/arch/x86/casm/.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import cache, debian
from .errors import LabError

PROJECT = Path(__file__).resolve().parents[2]
PATCHES = PROJECT / "xen-patches"
ABI = PROJECT / "events" / "abi"
TIMEMATCH = PROJECT / "timematch" / "core"
SOURCE_PACKAGE = "xen"


def pinned() -> dict[str, str]:
    """File name -> SHA-256 of the source package."""
    return debian.read_sha256(PATCHES / "base.sha256")


def source() -> Path:
    """Stage with the verified, unpacked source in 'tree'."""
    inputs = cache.Inputs().file(PATCHES / "base.sha256").text("recipe", "1")

    def build(out: Path):
        sums = pinned()
        dsc = next(name for name in sums if name.endswith(".dsc"))
        version = dsc.removeprefix(f"{SOURCE_PACKAGE}_").removesuffix(".dsc")
        apt = debian.Apt()
        apt.update()
        apt.run("apt-get", "source", "--download-only", "--only-source", f"{SOURCE_PACKAGE}={version}", cwd=out)
        debian.verify_sha256(out, sums)
        # The hashes above are the authority; dpkg-source has no key ring to look into.
        _run(["dpkg-source", "--no-check", "-x", dsc, "tree"], out, out / "unpack.log")
        for name in sums:
            (out / name).unlink()

    return cache.stage("xen-source", inputs, build)


def series(path: Path) -> list[str]:
    """Patch names of a quilt series, in order; a missing file is an empty series."""
    if not path.exists():
        return []
    lines = (line.partition("#")[0].split() for line in path.read_text(encoding="utf-8").splitlines())
    return [words[0] for words in lines if words]


def hypervisor(stock: bool = False) -> Path:
    """Stage with 'xen' (for the emulator), 'xen-syms', 'config' and 'build.log'."""
    inputs = cache.Inputs().file(PATCHES / "base.sha256").text("compiler", _compiler()).text("recipe", "1")
    patches = [] if stock else series(PATCHES / "series")
    if not stock:
        for name in patches:
            if not (PATCHES / name).is_file():
                raise LabError(f"xen-patches/series names {name}, which does not exist")
            inputs.file(PATCHES / name, name)
        inputs.tree(PATCHES / "files", "files").tree(ABI, "abi").tree(TIMEMATCH, "timematch")

    def build(out: Path):
        tree = out / "tree"
        shutil.copytree(source() / "tree", tree, symlinks=True)
        if not stock:
            prepare(tree, patches)
        make(tree, out / "build.log")
        for name, target in (("xen.gz", "xen.gz"), ("xen-syms", "xen-syms"), (".config", "config")):
            shutil.move(tree / "xen" / name, out / target)
        shutil.rmtree(tree)

    return cache.stage("xen-stock" if stock else "xen", inputs, build)


def prepare(tree: Path, patches: list[str] | None = None):
    """Turns a pristine tree into ours: patches, new files, the interface's headers."""
    for name in series(PATCHES / "series") if patches is None else patches:
        result = subprocess.run(["patch", "-p1", "--forward", "--batch", "-i", str(PATCHES / name)], cwd=tree,
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise LabError(f"xen-patches/{name} does not apply:\n{result.stdout.strip()}")
    if (PATCHES / "files").is_dir():
        shutil.copytree(PATCHES / "files", tree, dirs_exist_ok=True)
    shutil.copytree(ABI, tree / "xen/include/casm", dirs_exist_ok=True)
    shutil.copytree(TIMEMATCH, tree / "xen/arch/x86/casm", dirs_exist_ok=True)


def make(tree: Path, log: Path):
    """Builds the hypervisor in a tree, with Xen's default configuration."""
    # The date and the builder end in the binary: fixed, so that the same source gives the same hypervisor.
    stamps = {"XEN_BUILD_DATE": "2024-01-01", "XEN_BUILD_TIME": "00:00:00", "XEN_WHOAMI": "casmotion",
              "XEN_DOMAIN": "lab", "XEN_BUILD_HOST": "lab", "SOURCE_DATE_EPOCH": "0"}
    environment = {**os.environ, **stamps}
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):  # of a make or ctest that calls the lab
        environment.pop(name, None)
    _run(["make", "-C", "xen", "defconfig"], tree, log, environment)
    _run(["make", "-C", "xen", f"-j{os.cpu_count() or 1}"], tree, log, environment)


def _compiler() -> str:
    result = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LabError("no C compiler: run scripts/setup")
    return result.stdout.splitlines()[0]


def _run(command: list[str], folder: Path, log: Path, environment: dict | None = None):
    with open(log, "ab") as handle:
        result = subprocess.run(command, cwd=folder, stdout=handle, stderr=subprocess.STDOUT, check=False,
                                env=environment)
    if result.returncode != 0:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "error" in line.lower()][:20] or lines[-20:]
        print("\n".join(errors), file=sys.stderr)
        raise LabError(f"'{' '.join(command)}' failed (its messages are above)")
