# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor: Debian's source package at a pinned hash, with xen-patches/ applied, built.

xen-patches/series names the patches (a quilt series: comments with #, applied with patch -p1); xen-patches/files/ mirrors
the tree and holds new files; events/abi/ becomes xen/include/casm/, timematch/core/ joins xen/arch/x86/casm/.
"""

import os
import re
import shutil
from pathlib import Path

from . import cache, source
from .errors import LabError

PROJECT = Path(__file__).resolve().parents[2]
PATCHES = PROJECT / "xen-patches"
ABI = PROJECT / "events" / "abi"
TIMEMATCH = PROJECT / "timematch" / "core"
BASE = source.Base("xen-source", "xen", PATCHES)

# What a debug hypervisor is for, each as Xen's configuration names it: assertions, checks of the interrupt state under which
# each lock is taken, pages that should be scrubbed and freed memory that is poisoned. All are defaults of CONFIG_DEBUG.
DEBUG_CONFIG = ("CONFIG_DEBUG", "CONFIG_DEBUG_LOCKS", "CONFIG_SCRUB_DEBUG", "CONFIG_XMEM_POOL_POISON")


def base_source() -> source.Source:
    """What the hypervisor is built from, see source.take()."""
    return source.take(BASE, lambda taken: cache.find("xen", _inputs(taken, stock=False, debug=False)) is not None)


def pristine() -> Path:
    """Stage with the verified, unpacked source in 'tree'."""
    return base_source().fetch()


def series() -> list[str]:
    """Names of our patches, in order."""
    return source.series(PATCHES / "series")


def _inputs(taken: source.Source, stock: bool, debug: bool) -> cache.Inputs:
    inputs = taken.add_to(cache.Inputs()).text("compiler", source.compiler()).text("recipe", "1")
    if debug:
        inputs.text("debug", " ".join(DEBUG_CONFIG))
    if not stock:
        source.add_patches(inputs, PATCHES, series())
        inputs.tree(PATCHES / "files", "files").tree(ABI, "abi").tree(TIMEMATCH, "timematch")
    return inputs


def hypervisor(stock: bool = False, debug: bool = False) -> Path:
    """Stage with 'xen.gz', 'xen-syms', 'config' and 'build.log'. stock: without our patches; debug: with Xen's own checks."""
    taken = base_source()

    def build(out: Path):
        tree = out / "tree"
        shutil.copytree(taken.tree(), tree, symlinks=True)
        if not stock:
            prepare(tree, series())
        make(tree, out / "build.log", debug)
        for name, target in (("xen.gz", "xen.gz"), ("xen-syms", "xen-syms"), (".config", "config")):
            shutil.move(tree / "xen" / name, out / target)
        shutil.rmtree(tree)

    step = "xen" + ("-stock" if stock else "") + ("-debug" if debug else "")
    return cache.stage(step, _inputs(taken, stock, debug), build)


def prepare(tree: Path, patches: list[str]):
    """Turns a pristine tree into ours: patches, new files, the interface's headers."""
    source.apply(tree, PATCHES, patches)
    if (PATCHES / "files").is_dir():
        shutil.copytree(PATCHES / "files", tree, dirs_exist_ok=True)
    shutil.copytree(ABI, tree / "xen/include/casm", dirs_exist_ok=True)
    shutil.copytree(TIMEMATCH, tree / "xen/arch/x86/casm", dirs_exist_ok=True)


def make(tree: Path, log: Path, debug: bool = False):
    """Builds the hypervisor in a tree, with Xen's default configuration, or with that of a debug build."""
    # The date and the builder end in the binary: fixed, so that the same source gives the same hypervisor.
    environment = source.environment(XEN_BUILD_DATE="2024-01-01", XEN_BUILD_TIME="00:00:00", XEN_WHOAMI="casmotion",
                                     XEN_DOMAIN="lab", XEN_BUILD_HOST="lab", SOURCE_DATE_EPOCH="0")
    source.run(["make", "-C", "xen", "defconfig"], tree, log, environment)
    if debug:
        configure_debug(tree / "xen" / ".config")
        source.run(["make", "-C", "xen", "olddefconfig"], tree, log, environment)
        missing = missing_debug((tree / "xen" / ".config").read_text(encoding="utf-8"))
        if missing:
            raise LabError(f"a debug build of this Xen has no {', '.join(missing)}: see DEBUG_CONFIG in scripts/casmlab/xen.py")
    source.run(["make", "-C", "xen", f"-j{os.cpu_count() or 1}"], tree, log, environment)


def configure_debug(config: Path):
    """Asks for a debug build; what comes with it are defaults that olddefconfig fills in."""
    lines = [line for line in config.read_text(encoding="utf-8").splitlines() if not re.search(r"\bCONFIG_DEBUG\b", line)]
    config.write_text("\n".join([*lines, "CONFIG_DEBUG=y", ""]), encoding="utf-8")


def missing_debug(config: str) -> list[str]:
    """Which of the checks that a debug build is for a configuration lacks."""
    return [name for name in DEBUG_CONFIG if f"{name}=y" not in config.splitlines()]
