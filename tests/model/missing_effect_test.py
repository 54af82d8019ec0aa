#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A class of the taxonomy without a symbolic effect does not compile, and neither does an effect that names a field which the
taxonomy does not have.

usage: missing_effect_test.py COMPILER SOURCE_DIR
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

compiler, source = sys.argv[1], pathlib.Path(sys.argv[2])


def compile_with(change):
    """Compiles effect.cc with `change` applied to the text of the taxonomy; returns the compiler's messages, '' for success."""
    with tempfile.TemporaryDirectory() as folder:
        abi = pathlib.Path(folder)
        for name in ("casm_abi.h", "casm_taxonomy.def"):
            shutil.copy(source / "events/abi" / name, abi)
        table = abi / "casm_taxonomy.def"
        before = table.read_text()
        table.write_text(change(before))
        run = subprocess.run(
            [compiler, "-std=c++20", "-fsyntax-only", f"-I{abi}", f"-I{source}/events/include", f"-I{source}/model",
             f"-I{source}/model/include", str(source / "model/effects/effect.cc")],
            capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
        assert (run.returncode == 0) == (not run.stderr), run.stderr
        return run.stderr


def add_class(text):
    row = ('CASM_CLASS(15, NEWCOMER, "newcomer", SYNC, "somewhere", "something", "somehow", "C3")\n'
           'CASM_FIELD(NEWCOMER, "value", W0, VALUE, PLAIN, "a value")\n\n')
    assert "#undef CASM_CLASS" in text
    return text.replace("#undef CASM_CLASS", row + "#undef CASM_CLASS", 1)


def rename_field(text):
    assert 'CASM_FIELD(TSC, "quanta"' in text
    return text.replace('CASM_FIELD(TSC, "quanta"', 'CASM_FIELD(TSC, "ticks"')


messages = compile_with(lambda text: text)
assert not messages, f"the taxonomy as it is must compile:\n{messages}"
messages = compile_with(add_class)
assert "SymbolicEffect<" in messages and "CASM_CLS_NEWCOMER" in messages, f"not named:\n{messages}"
messages = compile_with(rename_field)
assert "the taxonomy has no such field" in messages and '"quanta"' in messages, f"not named:\n{messages}"
print("a class without an effect, and a field that is not in the table, do not compile, and the compiler names them")
