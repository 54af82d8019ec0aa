# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the lab's modules importable for its tests, and leaves no compiled files in the source tree."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT / "scripts"))
