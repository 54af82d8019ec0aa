# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recording costs, in executed instructions: the same guest on stock Xen and recorded, in one run of this program.

Under --icount the emulator runs in one thread and time is instructions, so the numbers repeat to about a percent (the guest's
own work varies with its timer ticks; Xen's share is therefore scaled to equal guest work).
"""

import dataclasses
import tempfile
from pathlib import Path

from . import boot, counts, xen
from .errors import LabError

SCRIPTS = Path(__file__).resolve().parent / "in-dom0"
TIMEOUT_S = 580

# Functions of ours in Xen, by what they are for; anything else that Xen runs counts as "rest of Xen".
CAUSES = (
    ("entries: hash and log", ("casm_count_entry", "casm_put", "casm_take")),
    ("RDTSC emulation", ("casm_fast_rdtsc", "pv_soft_rdtsc", "casm_log_msr")),
    ("exits: injection, bridges, rings", ("casm_exit_work", "casm_drain", "casm_publish", "casm_room", "casm_bridge",
                                          "casm_set_pending", "casm_queue", "casm_must_not_block", "casm_inject")),
    ("memory digests", ("casm_digest", "casm_page_", "casm_frame", "domain_digest")),
    ("hypercall wraps", ("casm_wrap", "casm_preempt", "casm_tap", "classify")),
)
# What a processor does while it has nothing to do.
IDLE = ("idle_loop", "default_idle", "scrub_free_pages", "node_to_scrub", "rcu_needs_cpu", "rcu_pending", "__do_softirq",
        "do_softirq", "__bitmap_empty", "__bitmap_weight", "clear_page_sse2", "clear_page_cold")


# Marks in the scripts that run in dom0; RUNNING: the guest runs, what starts a recording is over.
START, END, RUNNING = 1, 2, 3
STARTING = "starting"


@dataclasses.dataclass
class Run:
    name: str
    guest: int            # instructions of the guest, kernel and user
    xen: dict[str, int]   # instructions of Xen on the guest's processor, by function
    dom0: dict[str, int]  # instructions of dom0, by who they are for

    @property
    def xen_total(self) -> int:
        return sum(count for name, count in self.xen.items() if name not in IDLE)

    @property
    def dom0_running(self) -> int:
        """Of dom0, while the guest runs."""
        return sum(count for who, count in self.dom0.items() if who != STARTING)

    @classmethod
    def of(cls, name: str, marks: dict[int, counts.Counts], symbols: counts.Symbols) -> "Run":
        """From what was counted up to the marks of the script, the guest alone on processor 1 and dom0 on processor 0."""
        def dom0(spent: counts.Counts) -> tuple[int, int, int]:
            for_xen = symbols.by_function(spent.xen[0])
            return (spent.by_place[0][counts.USER], spent.by_place[0][counts.KERNEL],
                    sum(count for function, count in for_xen.items() if function not in IDLE))

        running = marks[RUNNING]
        programs, kernel, hypervisor = dom0(marks[END] - running)
        spent = marks[END] - marks[START]
        return cls(name, spent.guest(), symbols.by_function(spent.xen[1]),
                   {STARTING: sum(dom0(running - marks[START])), "programs": programs, "kernel": kernel, "Xen": hypervisor})


def measure(machine: boot.Machine, stock: bool, name: str, script: str) -> Run:
    """One boot; the script marks start and end of what counts with lab-mark."""
    hypervisor = xen.hypervisor(stock=stock)
    with tempfile.TemporaryDirectory(prefix="casmlab-bench-") as temporary:
        share = Path(temporary)
        snapshots = share / "counts"
        code = boot.run(dataclasses.replace(machine, xen=hypervisor / "xen.gz", counts=snapshots, share=share),
                        script, TIMEOUT_S)
        if code != 0:
            raise LabError(f"bench: {name}: the script in dom0 ended with {code}")
        marks = counts.read(snapshots)
    return Run.of(name, marks, counts.Symbols(hypervisor / "xen-syms"))


def table(plain: Run, native: Run, recorded: Run) -> str:
    """Rows: instructions in millions, and percent of the unrecorded run (guest and Xen for it)."""
    scale = plain.guest / recorded.guest
    base = plain.guest + plain.xen_total
    rows = [("", "millions", "of stock"),
            ("guest, unrecorded", plain.guest, None), ("Xen for it, unrecorded", plain.xen_total, None)]
    ours = 0
    for cause, prefixes in CAUSES:
        count = int(scale * sum(n for function, n in recorded.xen.items() if function.startswith(prefixes)))
        was = sum(n for function, n in plain.xen.items() if function.startswith(prefixes))
        ours += count - was
        rows.append((f"  + {cause}", count - was, base))
    extra_xen = int(scale * recorded.xen_total) - plain.xen_total
    rows.append(("  + rest of Xen (emulation and faults more or less)", extra_xen - ours, base))
    rows.append(("Xen, all extra", extra_xen, base))
    extra_dom0 = {who: count - plain.dom0[who] for who, count in recorded.dom0.items()}
    running = recorded.dom0_running - plain.dom0_running
    rows += [("  + casmotion", extra_dom0["programs"], base), ("  + dom0's kernel", extra_dom0["kernel"], base),
             ("  + Xen for dom0", extra_dom0["Xen"], base),
             ("dom0, all extra while the guest runs", running, base),
             ("all extra while the guest runs", extra_xen + running, base),
             ("before: casmotion starts, hashes the boot files", extra_dom0[STARTING], base)]
    lines = []
    for name, count, of in rows:
        number = count if isinstance(count, str) else f"{count / 1e6:,.1f}"
        share = of if isinstance(of, str) else "" if of is None else f"{100 * count / of:+.1f} %"
        lines.append(f"{name:52}{number:>12}{share:>10}")
    native_base = native.guest + native.xen_total
    native_extra = int(native.guest / recorded.guest * recorded.xen_total) - native.xen_total + running
    lines += ["", f"guest work recorded / unrecorded: {recorded.guest / plain.guest:.3f} (timer ticks and spinning differ)",
              f"against stock Xen with tsc_mode=native (the emulated machine has no TSC that Xen calls safe, so the default "
              f"above emulates RDTSC too): {100 * native_extra / native_base:+.1f} %"]
    return "\n".join(lines)


def run(machine: boot.Machine, guest: str) -> int:
    """Three boots, then the table on stdout."""
    plain = (SCRIPTS / "bench-plain.sh").read_text(encoding="utf-8")
    recorded = (SCRIPTS / "bench-recorded.sh").read_text(encoding="utf-8")
    results = []
    for name, stock, script in (("stock", True, f"guest={guest} tsc_mode=default\n{plain}"),
                                ("stock, native TSC", True, f"guest={guest} tsc_mode=native\n{plain}"),
                                ("recorded", False, f"guest={guest}\n{recorded}")):
        print(f"bench: {name}", flush=True)
        results.append(measure(machine, stock, name, script))
    print(table(*results))
    return 0
