# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's guests: one initramfs, and an xl.cfg for each kind of work."""

from pathlib import Path

from . import cpio, tools, xen

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
        # What Xen cannot intercept must not be used (docs/design-notes.md, known limits).
        lines += ['pool = "casmotion"', 'cpuid = "host,rdrand=0,rdseed=0"']
    return "\n".join(lines) + "\n"
