# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's commands."""

import argparse
import os
import random
import shlex
import shutil
import signal
import sys
from pathlib import Path

from . import bench, boot, cache, counts, delay_bench, dom0, emulator, guest, kernel, point_bench, point_soak, soak, tools, xen
from .errors import EXIT_INTERRUPTED, EXIT_UNAVAILABLE, EXIT_USAGE, LabError, UsageError

DESCRIPTION = "Boots a patched Xen with a Debian dom0 under emulation and runs commands there."

EXAMPLES = """\
examples:
  scripts/lab run -- xl info                          one command in dom0
  scripts/lab run -- 'xl create -c /guest/plain.cfg'  one word: a shell script; boots an ordinary guest
  scripts/lab run --share /tmp/logs -- 'casmotion record /guest/work.cfg -o /share/work.log'
  scripts/lab run --stock -- xl info                  the same on Debian's Xen without our patches
  scripts/lab run --debug -- xl info                  on a debug build of Xen: assertions and lock checks are on
  scripts/lab run --xen tree/xen/xen.gz -- xl dmesg   a hypervisor that you built yourself
  scripts/lab bench --icount                          what a recording costs, in instructions
  scripts/lab run --pmu --pmu-skid 30 -- casmotion doctor
                                                      processors with a counter whose interrupts come late
  scripts/lab soak --runs 20                          20 recordings under disturbances, 40 replays
  scripts/lab soak --debug --runs 2                   the same on a debug build of Xen
  scripts/lab shell                                   a shell in dom0 (Ctrl-A x ends the machine)
  scripts/lab build                                   fetches and builds what the lab needs, boots nothing
  scripts/lab build debug                             the debug build of Xen; prints where it is
  scripts/lab clean xen                               removes the cached builds of Xen

In dom0: /guest/*.cfg are guests (plain: outside the recording cpupool; light, work, boot, idle, spin, panic, reboot:
inside), /share is the folder given with --share, /var/log/xen/console holds what guests print.

exit code of run: the command's, 124 if the time ran out; of soak: 1 if a replay was not equal; of all: 2 usage, 69 if the
lab could not be brought up, 130 interrupted.
"""

STAGES = ("source", "xen", "debug", "stock", "tools", "kernels", "dom0", "emulator")


def _examples_of(command: str) -> str:
    """Those of EXAMPLES that begin with this command, and the exit codes."""
    lines = [line for line in EXAMPLES.splitlines() if line.startswith(f"  scripts/lab {command} ")]
    return "\n".join(["examples:", *lines, "", EXAMPLES[EXAMPLES.index("exit code"):]])


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(prog="scripts/lab", description=DESCRIPTION, epilog=EXAMPLES,
                                          formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="run|shell|soak|bench|build|clean")

    def add_command(name: str, **arguments) -> argparse.ArgumentParser:
        return commands.add_parser(name, epilog=_examples_of(name), formatter_class=argparse.RawDescriptionHelpFormatter,
                                   **arguments)

    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("--stock", action="store_true", help="Xen without xen-patches/")
    machine.add_argument("--debug", action="store_true",
                         help="a debug build of Xen (CONFIG_DEBUG=y): assertions, lock checks, poisoned memory; with --stock too")
    machine.add_argument("--xen", type=Path, metavar="FILE", help="use this hypervisor (xen.gz or xen) instead of building one")
    machine.add_argument("--xen-args", default="", metavar="ARGS", help="more arguments for Xen")
    machine.add_argument("--dom0-args", default="", metavar="ARGS", help="more arguments for dom0's kernel")
    machine.add_argument("--mem", type=_at_least(1024), default=3072, metavar="MIB", help="memory of the machine (3072)")
    machine.add_argument("--smp", type=_at_least(1), default=2, metavar="N", help="processors of the machine (2)")
    machine.add_argument("--icount", action="store_true",
                         help="virtual time counts executed instructions: repeatable numbers, one host thread")
    machine.add_argument("--guest", choices=("amd64", "cloud", "rt", "6.12"), default="amd64", help="kernel of the guests (amd64)")
    machine.add_argument("--casmotion", type=Path, metavar="FILE", help="this program (default: the one built last)")
    machine.add_argument("--no-casmotion", action="store_true", help="leave casmotion out of dom0")
    machine.add_argument("--no-setup", action="store_true", help="do not run 'casmotion setup' before the command")
    machine.add_argument("--program", type=Path, action="append", default=[], metavar="FILE",
                         help="another program of this machine, to be found in dom0's PATH; repeatable")
    machine.add_argument("--share", type=Path, metavar="DIR", help="folder to be seen as /share in dom0")
    machine.add_argument("--console", type=Path, metavar="FILE", help="keep the log of Xen's and dom0's console")
    machine.add_argument("--count", type=Path, metavar="FILE",
                         help="count instructions; 'lab-mark N' in dom0 appends a snapshot to FILE")
    pmu = machine.add_argument_group("performance counter", "each of these implies --pmu")
    pmu.add_argument("--pmu", action="store_true",
                     help="processors that count conditional branches, in an emulator that is built for it (tests/emulator)")
    pmu.add_argument("--pmu-cpu", choices=tuple(emulator.PROCESSORS), metavar="MODEL",
                     help=f"which: {', '.join(emulator.PROCESSORS)} ({emulator.DEFAULT_PROCESSOR})")
    pmu.add_argument("--pmu-skid", type=_at_least(0), metavar="N",
                     help="overflow interrupts come 0 to N counted branches late (0)")
    pmu.add_argument("--pmu-iskid", type=_at_least(0), metavar="N", help="... and then 0 to N instructions (0)")
    pmu.add_argument("--pmu-seed", type=_at_least(0), metavar="S", help="what decides how late each is (0)")
    pmu.add_argument("--no-cpuid-fault", action="store_true", help="processors that cannot trap CPUID in user mode")
    pmu.add_argument("--no-umip", action="store_true", help="processors without UMIP: SIDT and its like do not trap")
    pmu.add_argument("--pmu-fault", type=emulator.parse_fault, metavar="N[,M]",
                     help="a faulty counter: the N-th branch, and then each M-th, is counted twice")
    machine.add_argument("--qemu-args", default="", metavar="ARGS", help="more arguments for the emulator")

    run = add_command("run", parents=[machine], help="run a command in dom0, return its output and exit code",
                      usage="scripts/lab run [options] -- COMMAND [ARGUMENT...]")
    run.add_argument("--timeout", type=_at_least(1), default=600, metavar="S", help="give up after so many seconds (600)")
    run.add_argument("--script", type=Path, metavar="FILE", help="run this shell script of the host; COMMAND is its arguments")
    run.add_argument("words", nargs="*", metavar="COMMAND", help="one word: a shell script; several: a program and arguments")

    add_command("shell", parents=[machine], help="an interactive shell in dom0", usage="scripts/lab shell [options]")

    soak_parser = add_command("soak", parents=[machine], usage="scripts/lab soak [options]",
                              help="record under many disturbances, replay each recording twice; or --points")
    soak_parser.add_argument("--points", action="store_true",
                             help="instead: guests that hardly enter Xen, --runs recordings of each on counters whose interrupts "
                                  "are 0, up to 30, up to 200 and by chance late")
    soak_parser.add_argument("--runs", type=_at_least(1), default=20, metavar="N", help="recordings (20)")
    soak_parser.add_argument("--seed", type=int, metavar="S", help="repeats the disturbances of an earlier soak")
    soak_parser.add_argument("--first", type=int, default=0, metavar="K", help="number of the first run (0)")
    soak_parser.add_argument("--guest-config", choices=tuple(guest.CONFIGS), default="work", metavar="NAME",
                             help="which of the lab's guests (work)")
    soak_parser.add_argument("--keep", type=Path, default=Path("."), metavar="DIR",
                             help="where the logs of failed runs go (the current folder)")

    bench_parser = add_command("bench", parents=[machine], usage="scripts/lab bench [options]",
                               help="what a recording costs, in instructions, by cause; use it with --icount")
    bench_parser.add_argument("--guest-config", choices=tuple(guest.CONFIGS), default="work", metavar="NAME",
                              help="which of the lab's guests (work)")
    bench_parser.add_argument("--points", action="store_true",
                              help="instead: what it costs to find time points; needs --pmu too")
    bench_parser.add_argument("--delays", action="store_true",
                              help="instead: how long effects wait for a point, without points between entries and with them; "
                                   "needs --pmu, and not --icount")

    build = add_command("build", help="fetch and build, boot nothing")
    build.add_argument("stage", nargs="?", choices=STAGES, help="only this (default: everything but debug, stock and emulator)")

    clean = add_command("clean", help="remove cached stages")
    clean.add_argument("stage", nargs="?", help="only stages of this name, e.g. xen, tools, kernel-amd64 (default: all)")
    return main_parser


# Their values usually start with a dash, which argparse takes for an option unless it is joined with "=".
_RAW_OPTIONS = ("--xen-args", "--dom0-args", "--qemu-args")


def _join_raw(argv: list[str]) -> list[str]:
    end = argv.index("--") if "--" in argv else len(argv)
    joined: list[str] = []
    for index, word in enumerate(argv):
        if 0 < index < end and argv[index - 1] in _RAW_OPTIONS:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _at_least(low: int):
    def convert(text: str) -> int:
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}")
        return value
    convert.__name__ = "number"
    return convert


def _script(arguments) -> str:
    """What dom0's shell is to run."""
    words = arguments.words
    if arguments.script is not None:
        if not arguments.script.is_file():
            raise UsageError(f"there is no script {arguments.script}")
        return f"set -- {shlex.join(words)}\n" + arguments.script.read_text(encoding="utf-8")
    if not words:
        raise UsageError("no command; for example: scripts/lab run -- xl info")
    return words[0] if len(words) == 1 else shlex.join(words)


def _flavour(name: str) -> str:
    return name if name == "amd64" else f"{name}-amd64"


def counter_from(arguments) -> emulator.Counter | None:
    """The performance counter that the options describe."""
    options = {"processor": arguments.pmu_cpu, "skid_branches": arguments.pmu_skid, "skid_instructions": arguments.pmu_iskid,
               "seed": arguments.pmu_seed}
    given = {name: value for name, value in options.items() if value is not None}
    if arguments.pmu_fault is not None:
        given["fault_at_branch"], given["fault_every_branches"] = arguments.pmu_fault
    if arguments.no_cpuid_fault:
        given["cpuid_faults"] = False
    if arguments.no_umip:
        given["umip"] = False
    return emulator.Counter(**given) if arguments.pmu or given else None


def machine_from(arguments) -> boot.Machine:
    """Brings up every stage that the options need."""
    if arguments.stock and arguments.xen:
        raise UsageError("--stock and --xen contradict each other")
    if arguments.debug and arguments.xen:
        raise UsageError("--debug and --xen contradict each other")
    if arguments.casmotion and arguments.no_casmotion:
        raise UsageError("--casmotion and --no-casmotion contradict each other")
    if arguments.xen and not arguments.xen.is_file():
        raise LabError(f"there is no hypervisor {arguments.xen}")
    hypervisor = arguments.xen.resolve() if arguments.xen else xen.hypervisor(arguments.stock, arguments.debug) / "xen.gz"
    casmotion = None
    if not arguments.no_casmotion:
        casmotion = arguments.casmotion.resolve() if arguments.casmotion else dom0.built_casmotion()
    counter = counts.fetch() if arguments.count else None
    programs = [p.resolve() for p in arguments.program] + ([counter / "lab-mark"] if counter else [])
    initrd = dom0.initramfs(_flavour(arguments.guest), casmotion, tuple(programs))
    return boot.Machine(
        xen=hypervisor, kernel=kernel.fetch("amd64") / "vmlinux", initrd=initrd, memory_mib=arguments.mem,
        processors=arguments.smp, xen_arguments=arguments.xen_args, dom0_arguments=arguments.dom0_args,
        icount=arguments.icount, share=arguments.share.resolve() if arguments.share else None,
        counter=counter / "counter.so" if counter else None, counts=arguments.count.resolve() if arguments.count else None,
        console=arguments.console, setup=not arguments.no_setup, pmu=counter_from(arguments),
        qemu_arguments=tuple(shlex.split(arguments.qemu_args)))


def _shell_setup() -> str:
    size = shutil.get_terminal_size()
    return (f"stty rows {size.lines} cols {size.columns}\n"
            "echo 'dom0 of the lab. Guests: /guest/*.cfg. \"exit\" powers off, Ctrl-A x ends the machine.'\n")


def _build(stage: str | None):
    if stage == "source":
        print(xen.pristine() / "tree")
    if stage in (None, "xen"):
        print(xen.hypervisor() / "xen.gz")
    if stage == "debug":
        print(xen.hypervisor(debug=True) / "xen.gz")
    if stage == "stock":
        print(xen.hypervisor(stock=True) / "xen.gz")
    if stage in (None, "tools"):
        print(tools.fetch() / "root")
    if stage in (None, "kernels"):
        for flavour in kernel.FLAVOURS:
            print(kernel.fetch(flavour) / "vmlinuz")
    if stage == "emulator":
        print(emulator.fetch() / emulator.PROGRAM)
    if stage in (None, "dom0"):
        print(dom0.initramfs("amd64", dom0.built_casmotion()))


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the emulator is ended
    arguments = parser().parse_args(_join_raw(argv))
    try:
        if arguments.command == "run":
            script = _script(arguments)
            return boot.run(machine_from(arguments), script, arguments.timeout)
        if arguments.command == "shell":
            return boot.shell(machine_from(arguments), _shell_setup())
        if arguments.command == "soak":
            seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
            if arguments.points:
                arguments.program += [dom0.built_test_program(name) for name in point_soak.PROGRAMS]
                return point_soak.run(machine_from(arguments), arguments.runs, seed, arguments.guest, arguments.keep)
            return soak.run(machine_from(arguments), arguments.runs, arguments.first, seed, arguments.guest_config,
                            arguments.keep)
        if arguments.command == "bench":
            if arguments.debug:
                raise UsageError("what a recording costs on a debug build says nothing: bench takes no --debug")
            if arguments.delays:
                arguments.program += [dom0.built_test_program("casm-timepoints")]
                return delay_bench.run(machine_from(arguments))
            arguments.count = arguments.count or Path(os.devnull)  # every boot has a file of its own
            if arguments.points:
                arguments.program += [dom0.built_test_program("casm-timepoints")]
                return point_bench.run(machine_from(arguments))
            return bench.run(machine_from(arguments), arguments.guest_config)
        if arguments.command == "build":
            _build(arguments.stage)
        else:
            print(f"lab: removed {cache.clean(arguments.stage)} stages", file=sys.stderr)
        return 0
    except UsageError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_USAGE
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
