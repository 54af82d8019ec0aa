# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's guests: one initramfs, and an xl.cfg for each kind of work."""

import gzip
import sys
from pathlib import Path

from . import cache, cpio, kernel, tools, xen

INIT = xen.PROJECT / "tests" / "lab" / "guest" / "init"
FOLDER = "/guest"  # in dom0

# Name of the configuration -> (work, in the recording cpupool?). See tests/lab/guest/init for what each does.
CONFIGS = {
    "plain": ("light", False),
    "work": ("full", True),
    "light": ("light", True),
    "boot": ("boot", True),
    "idle": ("idle", True),
    "spin": ("spin", True),
    "panic": ("panic", True),
    "reboot": ("reboot", True),
}


def kernel_image(flavour: str) -> Path:
    """The kernel that guests get. Of amd64, which most use, the same ELF file packed with gzip: every xl create and every
    replay unpacks it, and under emulation xz takes three seconds longer. The others are as Debian packs them."""
    image = kernel.fetch(flavour) / "vmlinuz"
    if flavour != "amd64":
        return image
    inputs = cache.Inputs().text("stage", image.parent.name).code(sys.modules[__name__])

    def build(out: Path):
        (out / "vmlinuz").write_bytes(gzip.compress(kernel.elf_of(image.read_bytes()), 6, mtime=0))

    return cache.stage("guest-kernel", inputs, build) / "vmlinuz"


def initramfs(root: Path, applets: list[str]) -> bytes:
    """busybox and our init. root: the unpacked tools."""
    archive = cpio.Archive()
    archive.copy("/bin/busybox", tools.busybox(root), 0o755)
    for applet in applets:
        archive.link(f"/bin/{applet}", "busybox")
    archive.copy("/init", INIT, 0o755)
    for folder in ("/dev", "/proc", "/sys", "/tmp"):
        archive.directory(folder)
    # The kernel opens it before init can mount anything.
    archive.node("/dev/console", 5, 1)
    archive.node("/dev/null", 1, 3, 0o666)
    return archive.bytes()


def config(name: str) -> str:
    work, recordable = CONFIGS[name]
    lines = [
        f'name = "{name}"',
        'type = "pv"',
        f'kernel = "{FOLDER}/vmlinuz"',
        f'ramdisk = "{FOLDER}/initrd"',
        f'extra = "console=hvc0 work={work}"',
        "memory = 128",
        "vcpus = 1",
        'on_poweroff = "destroy"',
        'on_reboot = "destroy"',
        'on_crash = "destroy"',
    ]
    if recordable:
        lines.append('pool = "casmotion"')
    return "\n".join(lines) + "\n"
