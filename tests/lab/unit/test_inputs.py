# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading what goes into the lab: pinned hashes, apt sources, the patch series, kernel images and modules; and the
archives that come out."""
import lzma
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import lab_path
from casmlab import cache, cli, cpio, debian, emulator, guest, kernel, source, xen
from casmlab.errors import LabError


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def file(self, name: str, content: str) -> Path:
        path = self.root / name
        path.write_text(content)
        return path


class PinnedHashes(WithFolder):
    SUM_OF_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    def test_of_the_project_name_the_three_files_of_the_source_package(self):
        for folder in (xen.PATCHES, emulator.PATCHES):
            pinned = debian.read_sha256(folder / "base.sha256")
            self.assertEqual(sorted(name.rpartition(".")[2] for name in pinned), ["dsc", "xz", "xz"])

    def test_accept_the_right_file(self):
        self.file("f", "")
        debian.verify_sha256(self.root, {"f": self.SUM_OF_EMPTY})

    def test_refuse_a_changed_or_missing_file(self):
        self.file("f", "changed")
        with self.assertRaisesRegex(LabError, "not the pinned"):
            debian.verify_sha256(self.root, {"f": self.SUM_OF_EMPTY})
        with self.assertRaisesRegex(LabError, "not fetched"):
            debian.verify_sha256(self.root, {"g": self.SUM_OF_EMPTY})

    def test_refuse_a_line_that_is_none_of_sha256sum(self):
        with self.assertRaisesRegex(LabError, ":2: "):
            debian.read_sha256(self.file("sums", f"{self.SUM_OF_EMPTY}  f\nnonsense\n"))


class AptSources(unittest.TestCase):
    def test_both_formats_get_source_packages_once(self):
        self.assertEqual(debian.with_sources("Types: deb\nURIs: u\nSuites: s\n", ".sources"),
                         "Types: deb deb-src\nURIs: u\nSuites: s\n")
        self.assertEqual(debian.with_sources("Types: deb-src deb\n", ".sources"), "Types: deb deb-src\n")
        self.assertEqual(debian.with_sources("# c\ndeb [a=b] u s main\ndeb-src [a=b] u s main\n", ".list"),
                         "deb [a=b] u s main\ndeb-src [a=b] u s main\n")


class Series(WithFolder):
    def test_is_read_in_order_without_comments(self):
        path = self.file("series", "# bands\n0001-a.patch\n\n0002-b.patch -p1 # why\n")
        self.assertEqual(source.series(path), ["0001-a.patch", "0002-b.patch"])

    def test_that_does_not_exist_is_empty(self):
        self.assertEqual(source.series(self.root / "series"), [])

    def test_of_the_project_names_only_files_that_exist(self):
        for folder in (xen.PATCHES, emulator.PATCHES):
            names = source.series(folder / "series")
            self.assertTrue(names)
            source.add_patches(cache.Inputs(), folder, names)

    def test_that_names_a_missing_file_is_refused(self):
        with self.assertRaisesRegex(LabError, "series names 0001-a.patch, which does not exist"):
            source.add_patches(cache.Inputs(), self.root, ["0001-a.patch"])


class DebugBuild(WithFolder):
    def test_is_asked_for_once(self):
        for line in ("# CONFIG_DEBUG is not set\n", "CONFIG_DEBUG=y\n", ""):
            config = self.file("config", f"CONFIG_DEBUG_INFO=y\n{line}CONFIG_X86=y\n")
            xen.configure_debug(config)
            self.assertEqual(sorted(config.read_text().splitlines()), ["CONFIG_DEBUG=y", "CONFIG_DEBUG_INFO=y", "CONFIG_X86=y"])

    def test_without_one_of_the_checks_is_refused(self):
        whole = [f"{name}=y" for name in xen.DEBUG_CONFIG]
        self.assertEqual(xen.missing_debug("\n".join(whole)), [])
        self.assertEqual(xen.missing_debug("\n".join(whole[:-1] + [f"# {xen.DEBUG_CONFIG[-1]} is not set"])),
                         [xen.DEBUG_CONFIG[-1]])

    def test_is_another_stage(self):
        pinned = xen.BASE.pinned_source()
        digests = {xen._inputs(pinned, stock, debug).digest() for stock in (False, True) for debug in (False, True)}
        self.assertEqual(len(digests), 4)


class Kernel(unittest.TestCase):
    def image(self, payload: bytes, magic: bytes = b"HdrS") -> bytes:
        header = bytearray(1024)
        header[0x1f1] = 1  # one more sector of setup code
        header[0x202:0x206] = magic
        header[0x248:0x24c] = (16).to_bytes(4, "little")
        header[0x24c:0x250] = len(payload).to_bytes(4, "little")
        return bytes(header) + bytes(16) + payload + b"trailing"

    def test_elf_is_taken_out_of_a_compressed_image(self):
        payload = lzma.compress(b"\x7fELF content", check=lzma.CHECK_CRC32) + (13).to_bytes(4, "little")
        self.assertEqual(kernel.elf_of(self.image(payload)), b"\x7fELF content")

    def test_anything_else_is_refused(self):
        for image in (self.image(b"\x1f\x8b"), self.image(b"", b"none"), b""):
            with self.assertRaises(LabError):
                kernel.elf_of(image)

    def test_dependencies_of_a_module_come_from_its_own_words(self):
        self.assertEqual(kernel.depends(b"..\0license=GPL\0depends=virtio,9pnet\0intree=Y\0"), ["virtio", "9pnet"])
        self.assertEqual(kernel.depends(b"\0depends=\0"), [])


@unittest.skipUnless(shutil.which("cpio"), "cpio is not installed")
class Archive(WithFolder):
    def test_is_what_cpio_reads(self):
        archive = cpio.Archive()
        archive.file("/a/b/file", "content", 0o755)
        archive.link("/a/link", "b/file")
        archive.directory("/empty", 0o700)
        subprocess.run(["cpio", "-idm", "--quiet"], input=archive.bytes(), cwd=self.root, check=True)
        self.assertEqual((self.root / "a/link").read_text(), "content")
        self.assertTrue(os.access(self.root / "a/b/file", os.X_OK))
        self.assertEqual((self.root / "empty").stat().st_mode & 0o777, 0o700)

    def test_is_the_same_for_the_same_content(self):
        def archive() -> bytes:
            made = cpio.Archive()
            made.file("/x", "1")
            made.node("/dev/null", 1, 3)
            return made.bytes()
        self.assertEqual(archive(), archive())


class CommandLine(unittest.TestCase):
    def test_arguments_for_others_may_start_with_a_dash(self):
        arguments = cli.parser().parse_args(cli._join_raw(["run", "--qemu-args", "-s -S", "--", "prog", "--qemu-args", "-x"]))
        self.assertEqual(arguments.qemu_args, "-s -S")
        self.assertEqual(arguments.words, ["prog", "--qemu-args", "-x"])

    def test_every_guest_but_the_plain_one_is_recordable(self):
        for name in guest.CONFIGS:
            self.assertEqual("pool" in guest.config(name), name != "plain")


if __name__ == "__main__":
    unittest.main()
