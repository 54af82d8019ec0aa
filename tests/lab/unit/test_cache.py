# SPDX-License-Identifier: GPL-2.0-or-later
"""Stages are built once, never seen half-built, and named by all of their inputs."""
import os
import tempfile
import threading
import time
import unittest
from pathlib import Path

import lab_path  # noqa: F401  (sets the path)
from casmlab import cache


class Stages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        os.environ["CASMOTION_CACHE"] = str(self.root / "cache")
        self.addCleanup(os.environ.pop, "CASMOTION_CACHE")
        self.builds = 0

    def build(self, out: Path):
        self.builds += 1
        (out / "result").write_text("whole")

    def inputs(self, text: str) -> cache.Inputs:
        return cache.Inputs().text("x", text)

    def test_is_built_once_for_the_same_inputs(self):
        first = cache.stage("step", self.inputs("a"), self.build)
        second = cache.stage("step", self.inputs("a"), self.build)
        self.assertEqual(first, second)
        self.assertEqual(self.builds, 1)
        self.assertEqual((first / "result").read_text(), "whole")

    def test_other_inputs_are_another_stage(self):
        self.assertNotEqual(cache.stage("step", self.inputs("a"), self.build),
                            cache.stage("step", self.inputs("b"), self.build))
        self.assertEqual(self.builds, 2)

    def test_a_build_that_fails_leaves_nothing_and_can_be_repeated(self):
        def fail(out: Path):
            (out / "half").write_text("")
            raise RuntimeError("interrupted")

        with self.assertRaises(RuntimeError):
            cache.stage("step", self.inputs("a"), fail)
        self.assertEqual(cache.stages(cache.root()), [])
        self.assertEqual([p.name for p in cache.root().iterdir()], ["locks"])
        self.assertTrue((cache.stage("step", self.inputs("a"), self.build) / "result").exists())

    def test_two_at_once_build_once(self):
        def slow(out: Path):
            time.sleep(0.2)
            self.build(out)

        threads = [threading.Thread(target=cache.stage, args=("step", self.inputs("a"), slow)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.builds, 1)

    def test_clean_removes_only_the_step_asked_for(self):
        cache.stage("xen", self.inputs("a"), self.build)
        cache.stage("xen-stock", self.inputs("a"), self.build)
        self.assertEqual(cache.clean("xen"), 1)
        self.assertEqual([p.name.rpartition("-")[0] for p in cache.stages(cache.root())], ["xen-stock"])
        self.assertEqual(cache.clean(), 1)

    def test_a_stage_that_nobody_used_for_long_goes_when_a_new_one_comes(self):
        old = cache.stage("step", self.inputs("old"), self.build)
        other = cache.stage("other", self.inputs("old"), self.build)
        long_ago = time.time() - (cache.UNUSED_DAYS_MAX + 1) * 86400
        os.utime(old, (long_ago, long_ago))
        os.utime(other, (long_ago, long_ago))
        recent = cache.stage("step", self.inputs("recent"), self.build)
        new = cache.stage("step", self.inputs("new"), self.build)
        self.assertFalse(old.exists())
        self.assertTrue(other.exists() and recent.exists() and new.exists())


class Digests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def digest_of_file(self, content: str, mode: int = 0o644, name: str = "f") -> str:
        path = self.root / name
        path.write_text(content)
        path.chmod(mode)
        return cache.Inputs().file(path).digest()

    def test_follow_content_name_and_permission_to_execute(self):
        digests = [self.digest_of_file("a"), self.digest_of_file("b"), self.digest_of_file("a", 0o755),
                   self.digest_of_file("a", name="g")]
        self.assertEqual(len(set(digests)), 4)

    def test_do_not_follow_the_place_of_a_file(self):
        here = self.digest_of_file("a")
        (self.root / "sub").mkdir()
        self.assertEqual(here, self.digest_of_file("a", name="sub/f"))

    def test_items_do_not_run_into_each_other(self):
        self.assertNotEqual(cache.Inputs().text("a", "bc").digest(), cache.Inputs().text("ab", "c").digest())
        self.assertNotEqual(cache.Inputs().text("a", "").text("b", "").digest(), cache.Inputs().text("a", "b").digest())

    def test_trees_include_every_file_and_its_relative_name(self):
        tree = self.root / "tree"
        (tree / "a").mkdir(parents=True)
        (tree / "a" / "x").write_text("1")
        before = cache.Inputs().tree(tree, "t").digest()
        (tree / "a" / "x").rename(tree / "x")
        self.assertNotEqual(before, cache.Inputs().tree(tree, "t").digest())
        self.assertEqual(cache.Inputs().tree(self.root / "none", "t").digest(),
                         cache.Inputs().tree(self.root / "none2", "t").digest())


if __name__ == "__main__":
    unittest.main()
