# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a patched Xen with a Debian dom0 and PV guests, under emulation. Entry point: scripts/lab.

errors.py    what can go wrong, and the exit code it has
cache.py     stages: results of expensive steps, named by the hash of what went into them
debian.py    packages and pinned sources, fetched without touching the system's package manager
cpio.py      writes initramfs archives
elf.py       which libraries a program needs
kernel.py    Debian kernels: image and modules
tools.py     Debian's Xen tools and busybox
xen.py       the hypervisor: source, patches, build
dom0.py      the initramfs of dom0
guest.py     the initramfs and configurations of the guests
boot.py      runs the emulator; knows how far a boot came
counts.py    counts instructions: the emulator's plugin (counter/), its snapshots
soak.py      recordings under disturbances
bench.py     what a recording costs
demo.py      scripts/demo
in-dom0/     the parts of these that run in dom0
cli.py       the commands
"""
