# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one boot in the emulator: composes its command line, carries output and exit code, tells how far it came."""

import ctypes
import dataclasses
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from . import emulator
from .errors import EXIT_TIMEOUT, LabError

CONSOLE_TAIL_LINES = 40

# One processor for dom0, the others free for the recording cpupool; 384 MiB from 512 MiB on for recordable guests
# (an unpatched Xen says that it does not know casm_pool and goes on). The emulator's memory is zero, and to scrub it is a third
# of the processor time of a boot.
XEN_ARGUMENTS = ("console=com1 com1=115200,8n1 dom0_max_vcpus=1 dom0_vcpus_pin dom0_mem=1G,max:1G "
                 "casm_pool=384M@512M bootscrub=0 loglvl=all guest_loglvl=all")
DOM0_ARGUMENTS = "console=hvc0 panic=1"

# How far a boot came: what the console then shows. In order.
STAGES = (
    ("qemu", None),
    ("xen", "(XEN) "),
    ("dom0 kernel", "Linux version "),
    ("dom0 init", "casm-lab: dom0 init"),
    ("command", "casm-lab: command"),
)


@dataclasses.dataclass
class Machine:
    """What to boot, and how."""
    xen: Path
    kernel: Path
    initrd: Path
    memory_mib: int = 3072
    processors: int = 2
    xen_arguments: str = ""
    dom0_arguments: str = ""
    icount: bool = False
    share: Path | None = None     # folder seen as /share in dom0
    console: Path | None = None   # where to keep the console's log; None: only when the boot fails
    setup: bool = True            # run "casmotion setup" before the command
    counter: Path | None = None   # the counting plugin, and where its snapshots go
    counts: Path | None = None
    pmu: emulator.Counter | None = None  # a performance counter; needs the patched emulator
    qemu_arguments: tuple[str, ...] = ()


def stage_reached(console: str) -> str:
    """The last stage that a boot got to, from its console."""
    reached = STAGES[0][0]
    for name, mark in STAGES:
        if mark is not None and mark in console:
            reached = name
    return reached


# What explains the end of a boot: in Xen's, the kernel's and our init's words, the first that occurs.
_REASONS = (
    re.compile(r"casm-lab: failed: (.+)"),
    re.compile(r"\(XEN\) Panic on CPU \d+:\s*\(XEN\) (.+)"),
    re.compile(r"Kernel panic - not syncing: (.+)"),
    re.compile(r"\(XEN\) Hardware Dom\d+ (crashed.*)"),
)


def failure_reason(console: str) -> str | None:
    """Why the machine went down, if its console says so."""
    text = console.replace("\r", "")
    found = next((match for pattern in _REASONS if (match := pattern.search(text))), None)
    return found[0].replace("\n(XEN)", "").strip() if found else None


def tail(console: str) -> str:
    lines = [line.rstrip() for line in console.replace("\r", "").splitlines() if line.strip()]
    return "\n".join(lines[-CONSOLE_TAIL_LINES:])


def command_line(machine: Machine, folder: Path, out_fd: int | None, err_fd: int | None) -> list[str]:
    """The emulator's arguments. folder: private folder of this boot; without descriptors: interactive."""
    share = machine.share or folder / "share"
    xen_arguments = f"{XEN_ARGUMENTS} {machine.xen_arguments}".strip()
    dom0_arguments = f"{DOM0_ARGUMENTS} {machine.dom0_arguments}".strip()
    arguments = [
        *emulator.command(machine.pmu), "-accel", "tcg", "-m", str(machine.memory_mib), "-smp", str(machine.processors),
        "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
        "-serial", f"file:{folder}/console.log",
        "-kernel", str(_uncompressed(machine.xen, folder)), "-append", xen_arguments,
        # In a multiboot module list a comma separates modules; within a file name it is doubled.
        "-initrd", f"{_module(machine.kernel)} {dom0_arguments.replace(',', ',,')},{_module(machine.initrd)}",
        "-virtfs", f"local,path={_escaped(folder / 'lab')},mount_tag=lab,security_model=none",
        "-virtfs", f"local,path={_escaped(share)},mount_tag=share,security_model=none",
        "-device", "virtio-serial-pci",
        # Without a source of randomness each libuuid user in dom0 waits seconds for the kernel's pool.
        "-device", "virtio-rng-pci",
    ]
    if out_fd is None or err_fd is None:
        arguments += ["-chardev", "stdio,id=shell,mux=on,signal=off", "-device", "virtconsole,chardev=shell"]
    else:
        arguments += ["-chardev", f"file,id=out,path=/dev/fd/{out_fd}", "-device", "virtserialport,chardev=out,name=casm.out",
                      "-chardev", f"file,id=err,path=/dev/fd/{err_fd}", "-device", "virtserialport,chardev=err,name=casm.err"]
    if machine.icount:
        arguments += ["-icount", "shift=0,sleep=off"]
    if machine.counter is not None:
        arguments += ["-plugin", f"{machine.counter},out={_escaped(machine.counts)}"]
    return arguments + list(machine.qemu_arguments)


def _uncompressed(hypervisor: Path, folder: Path) -> Path:
    """The emulator starts a plain multiboot image only."""
    data = hypervisor.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return hypervisor
    plain = folder / "xen"
    plain.write_bytes(gzip.decompress(data))
    return plain


def _module(path: Path) -> str:
    if " " in str(path) or "," in str(path):
        raise LabError(f"the emulator takes no blank or comma in a file name: {path} (set CASMOTION_CACHE elsewhere)")
    return str(path)


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")


def run(machine: Machine, command: str, timeout_s: float, out=None, err=None) -> int:
    """Boots, runs a shell script in dom0, powers off. Returns the script's exit code, or EXIT_TIMEOUT.

    out, err: binary streams that get the script's output as it comes. Raises LabError when the boot failed."""
    out = out if out is not None else sys.stdout.buffer
    err = err if err is not None else sys.stderr.buffer
    with tempfile.TemporaryDirectory(prefix="casmlab-") as temporary:
        folder = Path(temporary)
        _prepare(machine, folder, command, interactive=False)
        pipes = [os.pipe(), os.pipe()]
        writers = [pipe[1] for pipe in pipes]
        try:
            process = _start(command_line(machine, folder, *writers), folder, writers)
        finally:
            for writer in writers:
                os.close(writer)
        threads = [threading.Thread(target=_forward, args=(pipe[0], stream), daemon=True)
                   for pipe, stream in zip(pipes, (out, err))]
        for thread in threads:
            thread.start()
        timed_out = _wait(process, timeout_s)
        for thread in threads:
            thread.join()
        return _outcome(machine, folder, process.returncode, timed_out, timeout_s)


def shell(machine: Machine, setup: str) -> int:
    """Boots and gives the terminal a shell in dom0. setup: shell commands to run first."""
    with tempfile.TemporaryDirectory(prefix="casmlab-") as temporary:
        folder = Path(temporary)
        _prepare(machine, folder, setup, interactive=True)
        process = _start(command_line(machine, folder, None, None), folder, [], interactive=True)
        _wait(process, None)
        return _outcome(machine, folder, process.returncode, False, None)


def _prepare(machine: Machine, folder: Path, command: str, interactive: bool):
    (folder / "lab").mkdir()
    (folder / "share").mkdir()
    (folder / "lab" / "command").write_text(command + "\n", encoding="utf-8")
    (folder / "lab" / "options").write_text(f"interactive={int(interactive)}\ncasm_setup={int(machine.setup)}\n")
    if machine.share is not None and not machine.share.is_dir():
        raise LabError(f"the folder to share, {machine.share}, does not exist")


def _start(arguments: list[str], folder: Path, descriptors: list[int], interactive: bool = False) -> subprocess.Popen:
    if shutil.which(arguments[0]) is None:
        raise LabError(f"{arguments[0]} is not installed: run scripts/setup")
    libc = ctypes.CDLL(None)

    def die_with_parent():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no emulator survives a killed lab
        if not interactive:
            os.setsid()  # ^C is for us; we end the emulator

    with open(folder / "qemu.log", "wb") as log:
        return subprocess.Popen(arguments, stdin=None if interactive else subprocess.DEVNULL,
                                stdout=None if interactive else log, stderr=log, pass_fds=descriptors,
                                preexec_fn=die_with_parent)


def _forward(descriptor: int, stream):
    with open(descriptor, "rb", buffering=0) as source:
        while data := source.read(65536):
            try:
                stream.write(data)
                stream.flush()
            except BrokenPipeError:  # whoever read our output left; the command goes on
                pass


def _wait(process: subprocess.Popen, timeout_s: float | None) -> bool:
    """Waits for the emulator's end, ends it on timeout or interrupt. Returns whether the time ran out."""
    try:
        process.wait(timeout_s)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _outcome(machine: Machine, folder: Path, returncode: int, timed_out: bool, timeout_s: float | None) -> int:
    log = folder / "console.log"
    console = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if machine.console is not None:
        machine.console.write_text(console, encoding="utf-8")
    stage = stage_reached(console)
    code = folder / "lab" / "exit"
    if code.exists() and code.read_text().strip().isdigit():
        return int(code.read_text())
    where = _keep(console, machine)
    if timed_out:
        print(f"lab: no end after {timeout_s:.0f} s, stage reached: {stage}; console (all of it: {where}):\n{tail(console)}",
              file=sys.stderr)
        return EXIT_TIMEOUT
    emulator = (folder / "qemu.log").read_text(errors="replace").strip()
    detail = failure_reason(console) or (emulator.splitlines()[-1] if emulator else f"emulator ended with {returncode}")
    what = "the machine went down under the command" if stage == STAGES[-1][0] else f"boot failed, stage reached: {stage}"
    raise LabError(f"{what}: {detail}; console (all of it: {where}):\n{tail(console)}")


def _keep(console: str, machine: Machine) -> Path:
    """Keeps the console of a failed boot where it can be read later."""
    if machine.console is not None:
        return machine.console
    descriptor, name = tempfile.mkstemp(prefix="casmlab-console-", suffix=".log")
    with open(descriptor, "w", encoding="utf-8") as handle:
        handle.write(console)
    return Path(name)
