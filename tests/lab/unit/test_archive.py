# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab takes from an archive that dropped what is pinned. The archive is a folder, read by the real apt."""
import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import lab_path  # noqa: F401
from casmlab import cache, debian, source, tools
from casmlab.errors import LabError

OLD, PINNED, NEWER, NEWEST, OTHER_SERIES = "4.17.4+4", "4.17.5+72", "4.17.6+1", "4.17.7+13", "4.18.0+1"
BINARIES = ("xen-utils-4.17", "xen-utils-common", "libxen", "xen-data")
CODE = "".join(f"line {i}\n" for i in range(1, 21))
PATCH = """\
--- a/code
+++ b/code
@@ -9,6 +9,7 @@
 line 9
 line 10
 line 11
+ours
 line 12
 line 13
 line 14
"""
CHANGED_CONTEXT = CODE.replace("line 9\n", "line nine\n")  # patch(1) would take it with fuzz
OTHER_LINE_NUMBERS = "a new line\n" + CODE


@unittest.skipUnless(shutil.which("apt-get") and shutil.which("dpkg-source"), "apt or dpkg-dev is not installed")
class WithArchive(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.archive = self.root / "archive"
        self.archive.mkdir()
        self.enterContext(mock.patch.dict(os.environ, CASMOTION_CACHE=str(self.root / "cache")))
        sources = self.root / "sources.list"
        sources.write_text(f"deb [trusted=yes] file:{self.archive} ./\n")
        self.enterContext(mock.patch.object(debian, "source_files", lambda: [sources]))
        self.enterContext(mock.patch.object(source, "_said", set()))

    def index(self):
        """Makes the archive offer what lies in it, and nothing else; apt's lists are read again."""
        for program, name in (("dpkg-scansources", "Sources"), ("dpkg-scanpackages", "Packages")):
            result = subprocess.run([program, *(["-m"] if name == "Packages" else []), "."], cwd=self.archive, check=True,
                                    capture_output=True)
            (self.archive / name).write_bytes(result.stdout)
        (self.root / "cache/apt/lists.stamp").unlink(missing_ok=True)

    def add_source(self, version: str, code: str):
        with tempfile.TemporaryDirectory() as temporary:
            tree = Path(temporary) / f"xen-{version}"
            (tree / "debian/source").mkdir(parents=True)
            (tree / "code").write_text(code)
            (tree / "debian/source/format").write_text("3.0 (native)\n")
            (tree / "debian/control").write_text("Source: xen\nMaintainer: N <n@example.org>\nStandards-Version: 4.6.2\n\n"
                                                 + "\n".join(f"Package: {name}\nArchitecture: all\nDescription: d\n" for name in BINARIES))
            (tree / "debian/changelog").write_text(f"xen ({version}) s; urgency=low\n\n  * c\n\n"
                                                   " -- N <n@example.org>  Mon, 01 Jan 2024 00:00:00 +0000\n")
            subprocess.run(["dpkg-source", "-b", str(tree)], cwd=self.archive, check=True, capture_output=True)

    def files(self, version: str) -> list[Path]:
        return sorted(self.archive.glob(f"xen_{version}.*"))


@mock.patch.dict(os.environ, SOURCE_DATE_EPOCH="0")
class Substitute(WithArchive):
    def setUp(self):
        super().setUp()
        patches = self.root / "patches"
        patches.mkdir()
        (patches / "series").write_text("0001-a.patch\n")
        (patches / "0001-a.patch").write_text(PATCH)
        self.base = source.Base("test-source", "xen", patches)
        self.said = io.StringIO()
        self.enterContext(mock.patch("sys.stderr", self.said))

    def pin(self):
        """The pinned source is in the archive."""
        self.add_source(PINNED, CODE)
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files(PINNED)}
        self.base.pinned.write_text("".join(f"{sha}  {name}\n" for name, sha in sums.items()))

    def drop(self, version: str):
        for path in self.files(version):
            path.unlink()

    def test_is_none_while_the_pinned_one_is_there(self):
        self.pin()
        self.add_source(NEWEST, CODE)
        self.index()
        taken = source.take(self.base)
        self.assertTrue(taken.pinned)
        self.assertEqual((taken.tree() / "code").read_text(), CODE)
        self.assertNotIn("***", self.said.getvalue())

    def test_is_the_newest_of_the_series_that_the_patches_apply_to(self):
        self.pin()
        self.drop(PINNED)
        self.add_source(OLD, CODE)
        self.add_source(NEWER, OTHER_LINE_NUMBERS)
        self.add_source(NEWEST, CHANGED_CONTEXT)
        self.add_source(OTHER_SERIES, CODE)
        self.index()
        taken = source.take(self.base)
        self.assertEqual((taken.file_version, taken.pinned), (NEWER, False))
        self.assertEqual((taken.tree() / "code").read_text(), OTHER_LINE_NUMBERS)

    def test_is_said_with_what_was_expected_and_what_was_not_taken(self):
        self.pin()
        self.drop(PINNED)
        self.add_source(NEWER, CODE)
        self.add_source(NEWEST, CHANGED_CONTEXT)
        self.index()
        source.take(self.base)
        for words in (f"xen {PINNED}, which ", "base.sha256", f"taken instead: xen {NEWER}", "signed index", "Another base",
                      f"not taken: xen {NEWEST}: 0001-a.patch does not apply"):
            self.assertIn(words, self.said.getvalue())

    def test_is_taken_when_the_index_names_a_file_that_is_not_there(self):
        self.pin()
        self.add_source(NEWER, CODE)
        self.index()
        self.drop(PINNED)
        self.assertEqual(source.take(self.base).file_version, NEWER)

    def test_that_does_not_exist_is_one_line_which_says_why_and_what_to_do(self):
        self.pin()
        self.drop(PINNED)
        self.add_source(NEWEST, CHANGED_CONTEXT)
        self.add_source(OTHER_SERIES, CODE)
        self.index()
        with self.assertRaises(LabError) as caught:
            source.take(self.base)
        said = str(caught.exception)
        for words in ("xen 4.17 ", PINNED, f"{NEWEST}: 0001-a.patch does not apply", "CASMOTION_CACHE", "Another base"):
            self.assertIn(words, said)
        self.assertNotIn("\n", said)
        self.assertNotIn(OTHER_SERIES, said)

    def test_is_not_for_a_pinned_one_that_was_changed(self):
        self.pin()
        self.base.pinned.write_text("".join(f"{'0' * 64}  {path.name}\n" for path in self.files(PINNED)))
        self.add_source(NEWER, CODE)
        self.index()
        with self.assertRaisesRegex(LabError, "not the pinned"):
            source.take(self.base)

    def test_is_part_of_what_a_stage_depends_on(self):
        self.pin()
        self.drop(PINNED)
        self.add_source(NEWER, CODE)
        self.index()
        first = source.take(self.base)
        self.drop(NEWER)
        self.add_source(NEWEST, CODE)
        self.index()
        self.base.pinned.touch()
        shutil.rmtree(self.root / "cache/choices")
        second = source.take(self.base)
        same_version = source.Source(self.base, second.file_version, {name: "0" * 64 for name in second.sums})
        digests = {taken.add_to(cache.Inputs()).digest() for taken in (self.base.pinned_source(), first, second, same_version)}
        self.assertEqual(len(digests), 4)

    def test_is_decided_once_until_the_lists_are_old(self):
        self.pin()
        kept = {path: path.read_bytes() for path in self.files(PINNED)}
        self.drop(PINNED)
        self.add_source(NEWER, CODE)
        self.index()
        source.take(self.base)
        with mock.patch.object(debian.Apt, "run", side_effect=AssertionError("apt was asked again")):
            self.assertEqual(source.take(self.base).file_version, NEWER)
        for path, content in kept.items():
            path.write_bytes(content)
        self.index()
        choice = next((self.root / "cache/choices").iterdir())
        os.utime(choice, (0, 0))
        self.assertTrue(source.take(self.base).pinned)

    def test_is_decided_again_when_a_patch_changes(self):
        self.pin()
        self.drop(PINNED)
        self.add_source(NEWER, CODE)
        self.index()
        source.take(self.base)
        (self.base.patches / "0001-a.patch").write_text(PATCH.replace("line 12", "line twelve"))
        with self.assertRaisesRegex(LabError, "0001-a.patch does not apply"):
            source.take(self.base)

    def test_is_not_looked_for_when_all_is_built(self):
        self.pin()
        with mock.patch.object(debian.Apt, "run", side_effect=AssertionError("apt was asked")):
            self.assertTrue(source.take(self.base, lambda candidate: candidate.pinned).pinned)


class Tools(WithArchive):
    def add_package(self, name: str, version: str, depends: str = ""):
        tree = self.root / "package"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: d\n"
            + (f"Depends: {depends}\n" if depends else ""))
        (tree / name).write_text(version)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(self.archive)], check=True, capture_output=True)
        shutil.rmtree(tree)

    def add_version(self, version: str, binary: str):
        self.add_source(version, CODE)
        self.add_package("xen-utils-4.17", binary, f"libxen (= {binary}), libany")
        self.add_package("xen-utils-common", binary)
        self.add_package("libxen", binary, "xen-data")
        self.add_package("xen-data", binary)

    def fetch(self, wanted: str) -> tuple[dict[str, str], str]:
        """The versions of what was unpacked, and what was said."""
        with (mock.patch.object(tools.xen, "base_source", lambda: mock.Mock(file_version=wanted)),
              mock.patch.object(tools, "_said", set()), contextlib.redirect_stderr(io.StringIO()) as said):
            root = tools.fetch() / "root"
        return {path.name: path.read_text() for path in root.iterdir()}, said.getvalue()

    def setUp(self):
        super().setUp()
        for name in ("busybox-static", "libany"):
            self.add_package(name, "1")

    def expected(self, binary: str) -> dict[str, str]:
        return {"xen-utils-4.17": binary, "xen-utils-common": binary, "libxen": binary, "xen-data": binary,
                "busybox-static": "1", "libany": "1"}

    def test_are_those_of_the_hypervisor_with_all_that_they_need(self):
        self.add_version(PINNED, PINNED)
        self.add_version(NEWEST, NEWEST)
        self.index()
        files, said = self.fetch(PINNED)
        self.assertEqual(files, self.expected(PINNED))
        self.assertNotIn("***", said)

    def test_may_be_a_rebuild(self):
        self.add_version(PINNED, PINNED + "+b1")
        self.add_version(NEWEST, NEWEST)
        self.index()
        files, said = self.fetch(PINNED)
        self.assertEqual(files, self.expected(PINNED + "+b1"))
        self.assertNotIn("***", said)

    def test_are_others_of_the_series_when_those_are_gone_and_it_says_so(self):
        self.add_version(NEWER, NEWER)
        self.add_version(NEWEST, NEWEST)
        self.index()
        files, said = self.fetch(PINNED)
        self.assertEqual(files, self.expected(NEWEST))
        for words in ("***", PINNED, NEWEST):
            self.assertIn(words, said)

    def test_of_no_version_are_one_line(self):
        self.add_version(OTHER_SERIES, OTHER_SERIES)
        self.index()
        with self.assertRaises(LabError) as caught:
            self.fetch(PINNED)
        said = str(caught.exception)
        for words in ("no xen-utils-4.17 ", f" of {PINNED} ", f"only: {OTHER_SERIES}"):
            self.assertIn(words, said)
        self.assertNotIn("\n", said)


if __name__ == "__main__":
    unittest.main()
