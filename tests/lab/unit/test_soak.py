# SPDX-License-Identifier: GPL-2.0-or-later
"""The soak's disturbances can be repeated, and only a replay that saw everything counts as equal; the demo's cost."""
import array
import json
import tempfile
import unittest
from pathlib import Path

import lab_path  # noqa: F401
from casmlab import bench, counts, demo, soak

RECORD = {"entries": 100, "duration_ns": 5, "class_records": {"digest": 3}}
EQUAL = {"result": "equal", "divergences": 0, "entries": 100, "digests_compared": 3}


class Disturbances(unittest.TestCase):
    def test_follow_from_seed_and_number(self):
        self.assertEqual(soak.disturbance(1, 2), soak.disturbance(1, 2))
        self.assertNotEqual(soak.disturbance(1, 2), soak.disturbance(2, 2))

    def test_replays_have_other_loads_than_the_recording_and_each_other(self):
        for number in range(50):
            what = soak.disturbance(7, number)
            self.assertEqual(len({what.record_load, *what.replay_loads}), 3)

    def test_use_every_load(self):
        seen = [soak.disturbance(7, number) for number in range(len(soak.RECORD_LOADS))]
        self.assertEqual({what.record_load for what in seen}, set(soak.RECORD_LOADS))


class Equality(unittest.TestCase):
    def test_holds_for_a_replay_that_saw_everything(self):
        self.assertTrue(soak.equals(RECORD, EQUAL))

    def test_fails_for_anything_less(self):
        for change in ({"result": "log-ran-out"}, {"divergences": 1}, {"entries": 99}, {"digests_compared": 2}):
            with self.subTest(change):
                self.assertFalse(soak.equals(RECORD, EQUAL | change))
        self.assertFalse(soak.equals(RECORD, None))
        self.assertFalse(soak.equals(RECORD | {"class_records": {"digest": 1}}, EQUAL | {"digests_compared": 1}))

    def test_of_a_round_counts_the_replays(self):
        with tempfile.TemporaryDirectory() as folder:
            share = Path(folder)
            self.assertEqual(soak.summary(share), (0, "no recording"))
            (share / "record.json").write_text(json.dumps(RECORD))
            (share / "replay1.json").write_text(json.dumps(EQUAL))
            (share / "replay2.json").write_text("{ cut")
            self.assertEqual(soak.summary(share)[0], 1)


def ran(guest: int, xen: int, dom0: int, idle: int = 0) -> bench.Run:
    return bench.Run("", guest, {"do_mmu_update": xen, "idle_loop": idle}, {bench.STARTING: 77 * dom0, "programs": dom0})


class Costs(unittest.TestCase):
    def test_are_what_was_added_in_percent_of_the_plain_run(self):
        cost = demo.costs(ran(800, 200, 1000), ran(800, 250, 1030))
        self.assertAlmostEqual(cost.xen_percent, 5.0)
        self.assertAlmostEqual(cost.dom0_percent, 3.0)
        self.assertAlmostEqual(cost.total_percent, 8.0)

    def test_do_not_count_what_the_guest_did_more_nor_idling(self):
        self.assertAlmostEqual(demo.costs(ran(800, 200, 0), ran(1600, 400, 0, idle=500)).total_percent, 0.0)


class Snapshots(unittest.TestCase):
    def test_are_read_as_the_plugin_writes_them(self):
        layout = (counts.SOURCES / "layout.h").read_text()
        self.assertIn(f"#define PROCESSORS {counts.PROCESSORS}\n", layout)
        self.assertIn(f"#define XEN_GRANULE_BYTES {counts.XEN_GRANULE_BYTES}\n", layout)
        self.assertIn(f"#define XEN_BASE {counts.XEN_BASE:#x}ull\n", layout)
        words = array.array("Q", [7, *range(1, 13)] + [0] * (counts.PROCESSORS * counts.XEN_GRANULES))
        words[13 + counts.XEN_GRANULES + 5] = 99  # processor 1, granule 5
        with tempfile.NamedTemporaryFile() as file:
            file.write(words.tobytes() + b"cut snapshot")
            file.flush()
            snapshot = counts.read(Path(file.name))
        self.assertEqual(list(snapshot), [7])
        self.assertEqual(snapshot[7].by_place[1], [4, 5, 6])
        self.assertEqual(snapshot[7].xen[1][5], 99)
        self.assertEqual(snapshot[7].guest(), 9)


if __name__ == "__main__":
    unittest.main()
