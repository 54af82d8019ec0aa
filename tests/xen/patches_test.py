#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every prefix of xen-patches/series applies to the pristine source without fuzz or offset; nothing is left over. If the pinned
source left the archive and another was taken, line numbers may differ.

usage: patches_test.py PROJECT [--break]    --break: changes a line of context first; succeeds if that patch, and for that
                                            reason, is refused
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def first_context(patch: str) -> tuple[str, str]:
    """The first file of a patch, and a line of context in its first hunk."""
    name = re.search(r"(?m)^--- a/(\S+)$", patch)[1]
    hunk = patch[patch.index("\n@@"):]
    return name, re.search(r"(?m)^ (.*\w.*)$", hunk)[1]


# The functions in which dom0's commands on a domain begin, and what must not come between its lookup and the refusal: newer Xen
# handles commands before it asks xsm_domctl().
COMMANDS = (("xen/common/domctl.c", "long do_domctl(", r"\b(case|switch|xsm_domctl|domctl_lock_acquire)\b"),
            ("xen/arch/x86/mm/paging.c", "do_paging_domctl_cont(", r"\b(domctl_lock_acquire|paging_domctl)\b"))


def refused_late(tree: Path) -> list[str]:
    """Where a command is handled between the lookup of its domain and the question whether it is refused."""
    problems = []
    for name, start, handling in COMMANDS:
        if not (tree / name).is_file():
            problems.append(f"no patch puts casm_domctl_denied() into {name}")
            continue
        text = (tree / name).read_text(encoding="utf-8")
        body = text[text.index(start):]
        body = body[:body.index("\n}\n")]
        lookup = body.index("rcu_lock_domain_by_id(op")
        found = re.compile(r"casm_domctl_denied\(d, &?op\)").search(body, max(lookup, 0))
        refusal = found.start() if found else -1
        if refusal < 0 or re.search(handling, body[lookup:refusal]):
            problems.append(f"{name}: {start.split()[-1]}...) handles a command before it asks casm_domctl_denied()")
    return problems


def main() -> int:
    project = Path(sys.argv[1]).resolve()
    broken = "--break" in sys.argv[2:]
    patches = project / "xen-patches"
    sys.path.insert(0, str(project / "scripts"))
    sys.dont_write_bytecode = True
    from casmlab import source, xen
    from casmlab.errors import LabError

    series = source.series(patches / "series")
    problems = []
    unlisted = {path.name for path in patches.glob("*.patch")} - set(series)
    if unlisted:
        problems.append(f"not in the series: {', '.join(sorted(unlisted))}")
    if len(set(series)) != len(series) or series != sorted(series):
        problems.append("the series is not in the order of the patches' numbers")
    try:
        base = xen.base_source()
        pristine = base.tree()
    except LabError as error:
        print(f"skipped: no pristine source: {error}")
        return 77

    touched = {match for name in series
               for match in re.findall(r"^--- a/(\S+)", (patches / name).read_text(encoding="utf-8"), re.M)}
    for path in sorted(p.relative_to(patches / "files") for p in (patches / "files").rglob("*") if p.is_file()):
        if (pristine / path).exists():
            problems.append(f"files/{path} replaces a file of Xen instead of patching it")

    with tempfile.TemporaryDirectory() as folder:
        for path in touched:
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(pristine / path, Path(folder) / path)
        if broken:
            name, line = first_context((patches / series[0]).read_text(encoding="utf-8"))
            victim = Path(folder) / name
            victim.write_text(victim.read_text(encoding="utf-8").replace(line, line + " /* changed */"), encoding="utf-8")
        for count, name in enumerate(series, 1):
            result = subprocess.run(["patch", "-p1", "--forward", "--batch", "--fuzz=0", "-i", str(patches / name)],
                                    cwd=folder, capture_output=True, text=True, check=False)
            output = result.stdout + result.stderr
            if result.returncode != 0 or base.pinned and re.search(r"\b(offset|fuzz)\b", output):
                problems.append(f"{name} (prefix of {count}) does not apply exactly:\n{output.strip()}")
                if result.returncode != 0:
                    break
        else:
            problems += refused_late(Path(folder))
        left = [str(p) for p in Path(folder).rglob("*") if p.suffix in (".orig", ".rej")]
        if left:
            problems.append(f"left behind: {', '.join(left)}")

    if broken:
        print(problems[0] if problems else "the changed line was not noticed")
        first = f"{series[0]} (prefix of 1) does not apply exactly:"
        return 0 if problems and problems[0].startswith(first) and len(problems) == 1 + bool(left) else 1
    for problem in problems:
        print(problem)
    print(f"{len(series)} patches on {len(touched)} files: "
          f"{'FAILED' if problems else 'each prefix applies exactly' if base.pinned else 'each prefix applies without fuzz'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
