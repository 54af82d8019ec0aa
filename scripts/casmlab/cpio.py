# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes an initramfs: a cpio archive in the "newc" format (Linux, Documentation/driver-api/early-userspace).

Own code instead of cpio(1), because device nodes then need no root, and because the same input gives the same bytes:
owner 0, time 0, inode numbers in the order of adding.
"""

import stat
from pathlib import Path


class Archive:
    """Collects entries by absolute path inside the archive; parents are made as needed. The last one wins."""

    def __init__(self):
        self._entries: dict[str, tuple[int, bytes, tuple[int, int]]] = {}

    @staticmethod
    def _name(path: str) -> str:
        return path.strip("/")

    def _put(self, path: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)):
        name = self._name(path)
        parent = name.rpartition("/")[0]
        if parent and parent not in self._entries:
            self.directory(parent)
        self._entries[name] = (mode, data, device)

    def directory(self, path: str, mode: int = 0o755):
        self._put(path, stat.S_IFDIR | mode)

    def file(self, path: str, data: bytes | str, mode: int = 0o644):
        self._put(path, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)

    def copy(self, path: str, source: Path, mode: int | None = None):
        """A file of the host, symbolic links followed."""
        if mode is None:
            mode = 0o755 if source.stat().st_mode & 0o111 else 0o644
        self.file(path, source.read_bytes(), mode)

    def link(self, path: str, target: str):
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path: str, major: int, minor: int, mode: int = 0o600):
        self._put(path, stat.S_IFCHR | mode, b"", (major, minor))

    def __contains__(self, path: str) -> bool:
        return self._name(path) in self._entries

    def bytes(self) -> bytes:
        out = bytearray()
        for number, (name, (mode, data, device)) in enumerate(self._entries.items(), start=1):
            _append(out, number, name, mode, data, device)
        _append(out, 0, "TRAILER!!!", 0, b"", (0, 0))
        out.extend(bytes(-len(out) % 512))
        return bytes(out)


def _append(out: bytearray, number: int, name: str, mode: int, data: bytes, device: tuple[int, int]):
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(encoded), 0)
    out.extend(b"070701" + b"".join(b"%08X" % field for field in fields))
    out.extend(encoded)
    out.extend(bytes(-len(out) % 4))
    out.extend(data)
    out.extend(bytes(-len(out) % 4))
