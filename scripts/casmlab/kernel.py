# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian kernels, unpacked and not installed: the image, and the modules that the lab loads, in load order."""

import lzma
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import cache, debian
from .errors import LabError

FLAVOURS = ("amd64", "cloud-amd64", "rt-amd64", "6.12-amd64")

# dom0 only: Xen's devices for user space, and a folder and a channel shared with the host.
DOM0_MODULES = ("xenfs", "xen_privcmd", "xen_evtchn", "xen_gntdev", "xen_gntalloc",
                "virtio_pci", "virtio_rng", "virtio_console", "9pnet_virtio", "9p")


def fetch(flavour: str) -> Path:
    """Stage with 'vmlinuz', 'version' and, for the dom0 flavour, 'vmlinux', 'modules/' and 'modules.order'."""
    inputs = cache.Inputs().text("flavour", flavour).code(sys.modules[__name__])

    def build(out: Path):
        apt = debian.Apt()
        apt.update()
        name = apt.dependency(f"linux-image-{flavour}", r"linux-image-\d.*")
        with tempfile.TemporaryDirectory(dir=out) as temporary:
            work = Path(temporary)
            package = apt.download([name], work)[0]
            debian.unpack(package, work)
            image = next((work / "boot").glob("vmlinuz-*"), None)
            if image is None:
                raise LabError(f"{package.name} holds no kernel image")
            shutil.move(image, out / "vmlinuz")
            (out / "version").write_text(package.name + "\n", encoding="utf-8")
            if flavour == "amd64":
                # Decompressed here, because Xen under emulation needs two seconds for it at every boot.
                (out / "vmlinux").write_bytes(elf_of((out / "vmlinuz").read_bytes()))
                _copy_modules(next((work / "lib/modules").iterdir()), out)

    return cache.stage(f"kernel-{flavour}", inputs, build)


def elf_of(image: bytes) -> bytes:
    """The ELF file in a bzImage (Linux, Documentation/x86/boot.rst: payload_offset, payload_length)."""
    if image[0x202:0x206] != b"HdrS":
        raise LabError("the kernel image is no bzImage")
    setup_bytes = (image[0x1f1] + 1) * 512
    offset = setup_bytes + int.from_bytes(image[0x248:0x24c], "little")
    length = int.from_bytes(image[0x24c:0x250], "little")
    payload = image[offset:offset + length]
    if not payload.startswith(b"\xfd7zXZ"):
        raise LabError("the kernel's payload is not xz, as Debian 12's is")
    # The last four bytes are the length of the content, not part of the xz stream.
    return lzma.decompress(payload[:-4])


def _key(name: str) -> str:
    return name.replace("-", "_")


def _copy_modules(tree: Path, out: Path):
    files = {_key(path.stem): path for path in tree.rglob("*.ko")}
    builtin = {_key(Path(line).stem) for line in (tree / "modules.builtin").read_text().split()}
    order: list[str] = []

    def visit(name: str):
        name = _key(name)
        if name in order or name in builtin:
            return
        if name not in files:
            raise LabError(f"the dom0 kernel has no module {name}")
        for dependency in depends(files[name].read_bytes()):
            visit(dependency)
        order.append(name)

    for name in DOM0_MODULES:
        visit(name)
    (out / "modules").mkdir()
    for name in order:
        target = out / "modules" / f"{name}.ko"
        shutil.copyfile(files[name], target)
        subprocess.run(["strip", "--strip-debug", str(target)], check=True)
    (out / "modules.order").write_text("".join(f"{name}.ko\n" for name in order), encoding="ascii")


def depends(module: bytes) -> list[str]:
    """Modules that a module needs, from its .modinfo strings (what depmod(8) would read)."""
    match = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in match[1].decode().split(",") if name] if match else []
