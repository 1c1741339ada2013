"""What several commands share: exit codes, and options of the same meaning."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # what add_subparsers returns; it has no public name
else:
    Commands = object

EXIT_SOME_FAILED = 1  # some videos of several
EXIT_USER_ERROR = 2  # what the user can mend
EXIT_INTERRUPTED = 130


def add_model_options(command: argparse.ArgumentParser) -> None:
    """Which weights, and where they compute."""
    command.add_argument(
        "--weights", default="tiny", metavar="NAME_OR_PATH", help="a bundled name or a bundle's folder"
    )
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1; default: a GPU where there is one")
