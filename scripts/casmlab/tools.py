# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Xen tools and busybox with all their libraries, unpacked and not installed. The tools are those of the
hypervisor's version."""

import re
import sys
import tempfile
from pathlib import Path

from . import cache, debian, source, xen
from .errors import LabError

XEN_PACKAGES = ("xen-utils-4.17", "xen-utils-common")
PACKAGES = (*XEN_PACKAGES, "busybox-static")

_said: set[str] = set()


def fetch() -> Path:
    """Stage with the unpacked packages in 'root' and their versions in 'versions'."""
    wanted = xen.base_source().file_version
    if (present := cache.find("tools", _inputs(wanted))) is not None:
        return present
    apt = debian.Apt()
    apt.update()
    binaries = sorted({name for package in apt.sources(xen.BASE.package) for name in package.binaries} | set(XEN_PACKAGES))
    offered = apt.offered(binaries)
    version = choose(offered, wanted)
    if version != wanted and version not in _said:
        _said.add(version)
        print(f"lab: *** the tools of Xen {wanted}, from which the hypervisor is built, are no longer in the archive\n"
              f"lab: *** taken instead: those of {version}; they may ask for what that hypervisor does not have", file=sys.stderr)
    versions = {name: match for name in offered if (match := matching(offered[name], version)) is not None}
    return cache.stage("tools", _inputs(version), lambda out: _download(out, versions))


def _download(out: Path, versions: dict[str, str]):
    apt = debian.Apt()
    with tempfile.TemporaryDirectory(dir=out) as temporary:
        packages = apt.download_with_dependencies(list(PACKAGES), Path(temporary), versions)
        for package in packages:
            debian.unpack(package, out / "root")
        (out / "versions").write_text(debian.versions(packages), encoding="utf-8")


def _inputs(version: str) -> cache.Inputs:
    return cache.Inputs().text("packages", " ".join(PACKAGES)).text("version", version).code(sys.modules[__name__])


def matching(offered: list[str], version: str) -> str | None:
    """The binary version that was built from a source version: the same, or a rebuild of it (+b1)."""
    return next((found for found in offered if re.fullmatch(re.escape(version) + r"(\+b\d+)?", found)), None)


def choose(offered: dict[str, list[str]], wanted: str) -> str:
    """The source version whose tools are taken: the wanted one, or else the newest of its series that has them all.
    offered: the binary versions of each package, newest first."""
    candidates = [re.sub(r"\+b\d+$", "", found) for found in offered.get(XEN_PACKAGES[0], [])]
    for version in [wanted, *(found for found in candidates if source.is_of(xen.BASE.series, found))]:
        if all(matching(offered.get(name, []), version) for name in XEN_PACKAGES):
            return version
    raise LabError(f"the archive has no {' and '.join(XEN_PACKAGES)} of {wanted} or another Xen {xen.BASE.series}, only: "
                   f"{' '.join(candidates) or 'none'}: are the apt sources those of Debian 12?")


def busybox(root: Path) -> Path:
    return root / "bin" / "busybox"
