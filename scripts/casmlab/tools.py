# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Xen tools and busybox with all their libraries, unpacked and not installed."""

import sys
import tempfile
from pathlib import Path

from . import cache, debian

PACKAGES = ("xen-utils-4.17", "xen-utils-common", "busybox-static")


def fetch() -> Path:
    """Stage with the unpacked packages in 'root' and their versions in 'versions'."""
    inputs = cache.Inputs().text("packages", " ".join(PACKAGES)).code(sys.modules[__name__])

    def build(out: Path):
        apt = debian.Apt()
        apt.update()
        with tempfile.TemporaryDirectory(dir=out) as temporary:
            packages = apt.download_with_dependencies(list(PACKAGES), Path(temporary))
            for package in packages:
                debian.unpack(package, out / "root")
            (out / "versions").write_text(debian.versions(packages), encoding="utf-8")

    return cache.stage("tools", inputs, build)


def busybox(root: Path) -> Path:
    return root / "bin" / "busybox"
