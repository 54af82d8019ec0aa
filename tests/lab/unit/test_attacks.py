# SPDX-License-Identifier: GPL-2.0-or-later
"""The hostile guest attacks every hypercall that a recordable guest may make: what hypercall.c lets through and what attacks.def
lists are the same, and each is expected to be done."""

import re
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
HYPERCALLS = PROJECT / "xen-patches/files/xen/arch/x86/casm/hypercall.c"
ATTACKS = PROJECT / "tests/lab/guest/probe/attacks.def"

LET_THROUGH = ("EXECUTE", "ANSWER", "NOTIFY", "BLOCK")
CONSTANT = r"((?:__HYPERVISOR|XENMEM|EVTCHNOP|SCHEDOP|VCPUOP|GNTTABOP|PHYSDEVOP)_\w+)"


def classified(text: str) -> set[str]:
    """Names of calls and operations that are let through: those of `case` labels, or of comparisons, before such a return."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    names: set[str] = set()
    for function in re.findall(r"(?ms)^static enum treatment \w+\(.*?^}", text):
        pending: list[str] = []
        for line in function.splitlines():
            pending += re.findall(r"case " + CONSTANT, line)
            if "return" not in line:
                continue
            if any(word in line for word in LET_THROUGH):
                names.update(re.findall(CONSTANT, line) or pending)  # "return arg0 == OPERATION ? ..." names its own
            pending = []
    return names


def attacked(text: str) -> dict[str, str]:
    """What attacks.def lists by name, with what it expects."""
    found = {}
    for number, operation, expect in re.findall(r"(?m)^CALL\((\w+), (\w+), (\w+)\)", text):
        name = f"__HYPERVISOR_{number}" if operation == "NONE" else operation
        if operation != "ANY" and not operation.startswith("MMUEXT_"):
            found[name] = expect
    return found


class Attacks(unittest.TestCase):
    def test_each_call_that_is_let_through_is_attacked_and_no_other_is_expected_to_be(self):
        through, listed = classified(HYPERCALLS.read_text()), attacked(ATTACKS.read_text())
        self.assertGreater(len(through), 50)
        self.assertEqual(through - set(listed), set(), "not attacked: add a CALL to attacks.def and an aimed attack")
        done = {name for name, expect in listed.items() if expect not in ("PERM", "NOSYS", "NOTSUPP")}
        self.assertEqual(done - through, set(), "expected to be done, and hypercall.c does not let it through")

    def test_it_can_say_no(self):
        text = HYPERCALLS.read_text()
        changed = text.replace("case EVTCHNOP_status:", "case EVTCHNOP_status:\n    case EVTCHNOP_newcomer:")
        self.assertNotEqual(changed, text)
        self.assertEqual(classified(changed) - classified(text), {"EVTCHNOP_newcomer"})


if __name__ == "__main__":
    unittest.main()
