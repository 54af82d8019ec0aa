#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor's files depend on each other in one direction: no cycle among their object files.

usage: layers_test.py ARCHIVE FILE...    ARCHIVE has FILE.c.o of each FILE; others in it (the shim) are left out
       layers_test.py --canary           a cycle is found, and no cycle is not

Prints the files, bottom first. Exit code 1: a cycle, which is named.
"""

import re
import subprocess
import sys


def depends(archive: str, files: list[str]) -> dict[str, dict[str, str]]:
    """For each file those that it calls, or whose data it uses, with a name of such a symbol."""
    text = subprocess.run(["nm", "--format=posix", archive], check=True, capture_output=True, text=True).stdout
    defined: dict[str, str] = {}
    wanted: dict[str, set[str]] = {}
    member = None
    for line in text.splitlines():
        if start := re.fullmatch(r".*\[(.*)\.c\.o\]:", line):
            member = start[1] if start[1] in files else None
            if member is not None:
                wanted[member] = set()
        elif member is not None and line:
            name, kind = line.split()[:2]
            if kind == "U":
                wanted[member].add(name)
            elif kind.isupper():
                defined[name] = member
    if missing := set(files) - set(wanted):
        sys.exit(f"layers_test.py: not in {archive}: {', '.join(sorted(missing))}")
    return {file: {defined[name]: name for name in sorted(names) if defined.get(name, file) != file}
            for file, names in wanted.items()}


def layers(uses: dict[str, dict[str, str]]) -> list[list[str]]:
    """Bottom first; each layer uses only those below. Raises ValueError with a cycle."""
    left, found = dict(uses), []
    while left:
        free = sorted(file for file, used in left.items() if not set(used) & set(left))
        if not free:
            raise ValueError(cycle(left))
        found.append(free)
        for file in free:
            del left[file]
    return found


def cycle(uses: dict[str, dict[str, str]]) -> str:
    path = [min(uses)]
    while path[-1] not in path[:-1]:
        path.append(min(set(uses[path[-1]]) & set(uses)))
    path = path[path.index(path[-1]):]
    return ", ".join(f"{user} uses {used} ({uses[user][used]})" for user, used in zip(path, path[1:]))


def canary() -> int:
    line = {"a": {"b": "f"}, "b": {"c": "g"}, "c": {}}
    assert layers(line) == [["c"], ["b"], ["a"]]
    try:
        layers(line | {"c": {"a": "h"}})
    except ValueError as error:
        assert str(error) == "a uses b (f), b uses c (g), c uses a (h)", error
        return 0
    return 1


def main() -> int:
    if sys.argv[1:] == ["--canary"]:
        return canary()
    uses = depends(sys.argv[1], sys.argv[2:])
    try:
        for layer in layers(uses):
            print(", ".join(layer))
    except ValueError as error:
        print(f"a cycle: {error}")
        return 1
    if sum(map(len, uses.values())) < 2 * len(uses):
        print("hardly a file uses another: symbols were not read")
        return 1
    return 0


sys.exit(main())
