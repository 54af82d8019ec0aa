# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulator: the packaged QEMU, or, for what needs a performance counter, Debian's source of it with tests/emulator/
applied and only the devices that the lab uses."""

import argparse
import dataclasses
import os
import shutil
from pathlib import Path

from . import cache, source, xen
from .errors import LabError

PATCHES = xen.PROJECT / "tests" / "emulator"
BASE = source.Base("emulator-source", "qemu", PATCHES)
PROGRAM = "qemu-system-x86_64"

# The source has no firmware: that of the packaged one is used.
FIRMWARE = ("/usr/share/qemu", "/usr/share/seabios")

CONFIGURE = ("--target-list=x86_64-softmmu", "--without-default-features", "--enable-system", "--enable-tcg",
             "--enable-fdt=system", "--enable-virtfs", "--enable-attr", "--enable-cap-ng", "--enable-plugins",
             "--disable-tools", "--disable-debug-info", "--disable-install-blobs", "--with-git-submodules=ignore",
             "--meson=/usr/bin/meson", "--without-default-devices", "--with-devices-x86_64=lab")

# What a processor has besides, unless it is told to be without: CPUID can be made to fault in user mode, and SIDT and its like
# too. "amd" is too old for either.
ISOLATING = ("amd-core", "intel")

# Processors with a counter that Xen boots on. amd: the K7's MSRs; amd-core: the core MSRs of family 15h and later (its smap
# is left out because dom0 does not boot with it under emulation); intel: architectural performance monitoring.
PROCESSORS = {
    "amd": "Opteron_G3",
    "amd-core": "EPYC,-smap,-monitor,-rdrand,-rdseed,+perfctr-core",
    "intel": "Nehalem",
}
DEFAULT_PROCESSOR = "amd-core"


@dataclasses.dataclass(frozen=True)
class Counter:
    """The performance counter of the emulated processors."""
    processor: str = DEFAULT_PROCESSOR   # a name in PROCESSORS
    skid_branches: int = 0               # overflow interrupts are up to so many counted branches late
    skid_instructions: int = 0           # and then up to so many instructions
    seed: int = 0                        # what decides how late each is
    fault_at_branch: int = 0             # this conditional branch, of those counted, counts twice; 0: none
    fault_every_branches: int = 0        # and each so many after it; 0: none
    cpuid_faults: bool = True            # CPUID faulting or CpuidUserDis, where the processor may have it
    umip: bool = True                    # UMIP, where the processor may have it

    def model(self) -> str:
        """The value of the emulator's -cpu."""
        words = [PROCESSORS[self.processor], "pmu=on"]
        if self.processor in ISOLATING:
            words += [f"cpuid-fault={'on' if self.cpuid_faults else 'off'}", f"umip={'on' if self.umip else 'off'}"]
        for name, value in (("vpmu-skid", self.skid_branches), ("vpmu-iskid", self.skid_instructions),
                            ("vpmu-seed", self.seed), ("vpmu-fault-at", self.fault_at_branch),
                            ("vpmu-fault-every", self.fault_every_branches)):
            if value:
                words.append(f"{name}={value}")
        return ",".join(words)


def _inputs(taken: source.Source) -> cache.Inputs:
    inputs = taken.add_to(cache.Inputs()).text("compiler", source.compiler()).text("configure", " ".join(CONFIGURE))
    inputs.text("recipe", "1")
    source.add_patches(inputs, PATCHES, source.series(PATCHES / "series"))
    return inputs.file(PATCHES / "devices.mak")


def fetch() -> Path:
    """Stage with the patched emulator and 'build.log'."""
    taken = source.take(BASE, lambda candidate: cache.find("emulator", _inputs(candidate)) is not None)

    def build(out: Path):
        tree, log = out / "tree", out / "build.log"
        shutil.copytree(taken.tree(), tree, symlinks=True)
        source.apply(tree, PATCHES, source.series(PATCHES / "series"))
        shutil.copy(PATCHES / "devices.mak", tree / "configs/devices/x86_64-softmmu/lab.mak")
        folder = tree / "lab"
        folder.mkdir()
        environment = source.environment()
        try:
            source.run(["../configure", *CONFIGURE], folder, log, environment)
        except LabError as error:
            raise LabError(f"{error}; if a library is missing: run scripts/setup") from error
        source.run(["ninja", f"-j{os.cpu_count() or 1}", PROGRAM], folder, log, environment)
        shutil.move(folder / PROGRAM, out / PROGRAM)
        shutil.rmtree(tree)

    return cache.stage("emulator", _inputs(taken), build)


def command(counter: Counter | None) -> tuple[str, ...]:
    """Program and first arguments: which processor, and where the firmware is."""
    if counter is None:
        return (PROGRAM, "-cpu", "qemu64")
    firmware = [word for folder in FIRMWARE for word in ("-L", folder)]
    return (str(fetch() / PROGRAM), *firmware, "-cpu", counter.model())


def parse_fault(text: str) -> tuple[int, int]:
    """'N' or 'N,M': the N-th counted branch counts twice, and each M-th after it."""
    words = text.split(",")
    if len(words) > 2 or not all(word.isdecimal() for word in words) or int(words[0]) == 0:
        raise argparse.ArgumentTypeError(f"a fault is N or N,M, with N and M numbers of branches, not '{text}'")
    return int(words[0]), int(words[1]) if len(words) == 2 else 0
