# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors that a user of the lab sees, and exit codes of the lab itself."""

EXIT_USAGE = 2
EXIT_UNAVAILABLE = 69  # the lab could not be brought up
EXIT_TIMEOUT = 124     # as timeout(1)
EXIT_INTERRUPTED = 130


class LabError(Exception):
    """The lab cannot be brought up. One line: what is wrong, where, and what to do."""


class UsageError(Exception):
    """The command line makes no sense."""
