# SPDX-License-Identifier: GPL-2.0-or-later
"""The initramfs of dom0: busybox, Xen's tools, kernel modules, the guests, and casmotion when it is built."""

import subprocess
import sys
import tempfile
from pathlib import Path

from . import cache, cpio, elf, guest, kernel, tools, xen
from .errors import LabError

INIT = xen.PROJECT / "tests" / "lab" / "dom0" / "init"
TEST_WORDS = INIT.with_name("lib.sh")  # functions for test scripts

XEN_BIN = "usr/lib/xen-4.17/bin"
XEN_PROGRAMS = ("xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "libxl-save-helper", "xenctx",
                "xenperf", "xenstore-control", "lsevtchn", "xen-mfndump", "readnotes", "xentrace", "xenlockprof",
                "xen-hptool", "xen-cpuid", "xenwatchdogd")
XENSTORE_CLIENTS = ("read", "write", "ls", "list", "rm", "exists", "watch", "chmod")

XL_CONF = 'autoballoon="off"\nlockfile="/run/lock/xl"\n'

# A casmotion that is not named is looked for here, the newest first.
BUILT_CASMOTION = "build/*/dom0-daemon/casmotion"
BUILT_TEST_PROGRAM = "build/*/tests/lab/"


def built_casmotion() -> Path | None:
    """The casmotion that was built last, None when there is none."""
    return _built(BUILT_CASMOTION)


def built_test_program(name: str) -> Path:
    """A program of tests/lab that was built last."""
    found = _built(BUILT_TEST_PROGRAM + name)
    if found is None:
        raise LabError(f"{name} is not built: cmake --preset dev && cmake --build --preset dev --target {name}")
    return found


def _built(pattern: str) -> Path | None:
    found = [p for p in xen.PROJECT.glob(pattern) if p.is_file()]
    return max(found, key=lambda p: p.stat().st_mtime, default=None)


def initramfs(flavour: str, casmotion: Path | None, programs: tuple[Path, ...] = ()) -> Path:
    """The archive's path. flavour: kernel of the guests; programs: more programs of this machine for dom0's PATH."""
    tree = tools.fetch()
    dom0_kernel = kernel.fetch("amd64")
    guest_kernel = guest.kernel_image(flavour)
    inputs = cache.Inputs().text("stages", f"{tree.name} {dom0_kernel.name} {guest_kernel.parent.name}")
    inputs.code(sys.modules[__name__], cpio, elf, guest).file(INIT).file(TEST_WORDS).file(guest.INIT)
    host_programs = ([casmotion] if casmotion else []) + list(programs)
    for program in host_programs:
        if not program.is_file():
            raise LabError(f"there is no program {program}")
        inputs.file(program)

    def build(out: Path):
        archive = cpio.Archive()
        _base(archive, tree / "root")
        _xen_tools(archive, tree / "root")
        _modules(archive, dom0_kernel)
        _guests(archive, tree / "root", guest_kernel)
        for program in host_programs:
            _host_program(archive, program)
        (out / "initrd").write_bytes(archive.bytes())

    return cache.stage("dom0", inputs, build) / "initrd"


def _applets(root: Path) -> list[str]:
    text = subprocess.run([tools.busybox(root), "--list"], check=True, capture_output=True, text=True).stdout
    return [name for name in text.split() if name != "busybox"]


def _base(archive: cpio.Archive, root: Path):
    archive.copy("/bin/busybox", tools.busybox(root), 0o755)
    for applet in _applets(root):
        archive.link(f"/bin/{applet}", "busybox")
    for folder in ("/dev", "/proc", "/sys", "/run", "/tmp", "/lab", "/share", "/root", "/var/lib", "/var/log", "/usr/bin",
                   "/usr/local/bin"):
        archive.directory(folder)
    archive.link("/var/run", "/run")
    archive.link("/var/lock", "/run/lock")
    archive.node("/dev/console", 5, 1)
    archive.node("/dev/null", 1, 3, 0o666)
    archive.copy("/init", INIT, 0o755)
    archive.copy("/lab-lib.sh", TEST_WORDS)
    archive.file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    archive.file("/etc/group", "root:x:0:\n")
    archive.file("/etc/xen/xl.conf", XL_CONF)


def _xen_tools(archive: cpio.Archive, root: Path):
    programs = []
    for name in XEN_PROGRAMS:
        source = root / XEN_BIN / name
        if source.is_file() and elf.is_elf(source):
            archive.copy(f"/{XEN_BIN}/{name}", source, 0o755)
            programs.append(source)
    for verb in XENSTORE_CLIENTS:
        source = root / "usr/bin" / f"xenstore-{verb}"
        archive.copy(f"/usr/bin/xenstore-{verb}", source, 0o755)
        programs.append(source)
    _libraries(archive, elf.closure(programs, _library_folders(root)))


def _library_folders(root: Path) -> list[Path]:
    return [root / folder for folder in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64",
                                         "usr/lib/xen-4.17/lib/x86_64-linux-gnu")]


def _libraries(archive: cpio.Archive, libraries: dict[str, Path]):
    for name, path in sorted(libraries.items()):
        folder = "/lib64" if name.startswith("ld-linux") else "/lib/x86_64-linux-gnu"
        archive.copy(f"{folder}/{name}", path.resolve(), 0o755)


def _modules(archive: cpio.Archive, dom0_kernel: Path):
    archive.copy("/lib/modules/order", dom0_kernel / "modules.order")
    for path in sorted((dom0_kernel / "modules").iterdir()):
        archive.copy(f"/lib/modules/{path.name}", path)


def _guests(archive: cpio.Archive, root: Path, guest_kernel: Path):
    archive.copy(f"{guest.FOLDER}/vmlinuz", guest_kernel)
    archive.file(f"{guest.FOLDER}/initrd", guest.initramfs(root, _applets(root)))
    for name in guest.CONFIGS:
        archive.file(f"{guest.FOLDER}/{name}.cfg", guest.config(name))


def _without_debug_information(program: Path) -> bytes:
    """Most of a program is that, and every boot would load it."""
    if not elf.is_elf(program):
        return program.read_bytes()
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "--strip-debug", "-o", stripped.name, str(program)], check=True)
        return Path(stripped.name).read_bytes()


def _host_program(archive: cpio.Archive, program: Path):
    """A program of this machine with this machine's libraries, which may be newer than those of the packages: kept
    apart, and started through its own loader."""
    folder = f"/opt/{program.name}"
    libraries = elf.host_closure(program)
    loader = next((name for name in libraries if name.startswith("ld-linux")), None)
    archive.file(f"{folder}/{program.name}", _without_debug_information(program), 0o755)
    if loader is None:  # static
        archive.link(f"/usr/local/bin/{program.name}", f"{folder}/{program.name}")
        return
    for name, path in sorted(libraries.items()):
        archive.copy(f"{folder}/lib/{name}", path.resolve(), 0o755)
    archive.file(f"/usr/local/bin/{program.name}",
                 f'#!/bin/sh\nexec {folder}/lib/{loader} --library-path {folder}/lib {folder}/{program.name} "$@"\n', 0o755)
