# SPDX-License-Identifier: GPL-2.0-or-later
# The devices of the lab's machine (scripts/casmlab/boot.py) and of the bare-metal self-test.
CONFIG_I440FX=y
CONFIG_HPET=y
CONFIG_SERIAL_ISA=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_ISA_DEBUG=y
