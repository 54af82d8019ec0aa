# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples in the lab's help are commands that it takes."""
import contextlib
import io
import re
import shlex
import unittest

import lab_path  # noqa: F401
from casmlab import cli

COMMANDS = ("run", "shell", "soak", "bench", "build", "clean")


def examples(command: str) -> list[list[str]]:
    """Arguments of the examples in a command's help; what explains them stands two spaces behind."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        cli.parser().parse_args([command, "--help"])
    lines = re.findall(r"(?m)^  scripts/lab (.*)$", text.getvalue())
    return [shlex.split(re.split(r"\s{2,}", line)[0]) for line in lines]


class Help(unittest.TestCase):
    def test_of_each_command_has_examples_of_it_which_it_takes(self):
        for command in COMMANDS:
            with self.subTest(command):
                self.assertTrue(examples(command))
                for words in examples(command):
                    self.assertEqual(cli.parser().parse_args(words).command, command)

    def test_of_all_has_those_of_each(self):
        text = cli.parser().format_help()
        for command in COMMANDS:
            self.assertIn(f"  scripts/lab {command} ", text)


if __name__ == "__main__":
    unittest.main()
