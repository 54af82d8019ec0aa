# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor: Debian's source package at a pinned hash, with xen-patches/ applied, built.

xen-patches/series names the patches (a quilt series: comments with #, applied with patch -p1); xen-patches/files/ mirrors
the tree and holds new files; events/abi/ becomes xen/include/casm/, timematch/core/ joins xen/arch/x86/casm/.
"""

import os
import shutil
from pathlib import Path

from . import cache, source

PROJECT = Path(__file__).resolve().parents[2]
PATCHES = PROJECT / "xen-patches"
PINNED = PATCHES / "base.sha256"
ABI = PROJECT / "events" / "abi"
TIMEMATCH = PROJECT / "timematch" / "core"
SOURCE_PACKAGE = "xen"


def pristine() -> Path:
    """Stage with the verified, unpacked source in 'tree'."""
    return source.fetch("xen-source", SOURCE_PACKAGE, PINNED)


def series() -> list[str]:
    """Names of our patches, in order."""
    return source.series(PATCHES / "series")


def hypervisor(stock: bool = False) -> Path:
    """Stage with 'xen' (for the emulator), 'xen-syms', 'config' and 'build.log'."""
    inputs = cache.Inputs().file(PINNED).text("compiler", source.compiler()).text("recipe", "1")
    patches = [] if stock else series()
    if not stock:
        source.add_patches(inputs, PATCHES, patches)
        inputs.tree(PATCHES / "files", "files").tree(ABI, "abi").tree(TIMEMATCH, "timematch")

    def build(out: Path):
        tree = out / "tree"
        shutil.copytree(pristine() / "tree", tree, symlinks=True)
        if not stock:
            prepare(tree, patches)
        make(tree, out / "build.log")
        for name, target in (("xen.gz", "xen.gz"), ("xen-syms", "xen-syms"), (".config", "config")):
            shutil.move(tree / "xen" / name, out / target)
        shutil.rmtree(tree)

    return cache.stage("xen-stock" if stock else "xen", inputs, build)


def prepare(tree: Path, patches: list[str]):
    """Turns a pristine tree into ours: patches, new files, the interface's headers."""
    source.apply(tree, PATCHES, patches)
    if (PATCHES / "files").is_dir():
        shutil.copytree(PATCHES / "files", tree, dirs_exist_ok=True)
    shutil.copytree(ABI, tree / "xen/include/casm", dirs_exist_ok=True)
    shutil.copytree(TIMEMATCH, tree / "xen/arch/x86/casm", dirs_exist_ok=True)


def make(tree: Path, log: Path):
    """Builds the hypervisor in a tree, with Xen's default configuration."""
    # The date and the builder end in the binary: fixed, so that the same source gives the same hypervisor.
    environment = source.environment(XEN_BUILD_DATE="2024-01-01", XEN_BUILD_TIME="00:00:00", XEN_WHOAMI="casmotion",
                                     XEN_DOMAIN="lab", XEN_BUILD_HOST="lab", SOURCE_DATE_EPOCH="0")
    source.run(["make", "-C", "xen", "defconfig"], tree, log, environment)
    source.run(["make", "-C", "xen", f"-j{os.cpu_count() or 1}"], tree, log, environment)
