"""What several commands share: exit codes, options of the same meaning, and JSON in the place of text."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # what add_subparsers returns; it has no public name
else:
    Commands = object

EXIT_SOME_FAILED = 1  # some videos or parses of several
EXIT_USER_ERROR = 2  # what the user can mend
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141  # who read the output has gone, as `head` does
STANDARD_OUTPUT = Path("-")


def exit_code(errors: Sequence[str | None]) -> int:
    """The code of a command that did several things: what went wrong with each, or None."""
    num_failed = sum(error is not None for error in errors)
    if num_failed == 0:
        return 0
    return EXIT_USER_ERROR if num_failed == len(errors) else EXIT_SOME_FAILED


def add_model_options(command: argparse.ArgumentParser, *, default: str = "people") -> None:
    """Add the options for the weights, a bundled name by default, and for where they compute."""
    command.add_argument(
        "--weights",
        default=default,
        metavar="NAME_OR_PATH",
        help="people (real footage), tiny (drawn people), or a bundle's folder; default: %(default)s",
    )
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1; default: a GPU where there is one")


def add_json_option(command: argparse.ArgumentParser, what: str = "one JSON document") -> None:
    """`--json`, for a command whose result is text: `args.json` is True or False."""
    command.add_argument("--json", action="store_true", help=f"print {what} and nothing else to standard output")


def add_json_file_option(command: argparse.ArgumentParser, what: str) -> None:
    """`--json [FILE]`, for a command whose figures are worth a file: `args.json` is a path, "-" or None."""
    command.add_argument(
        "--json",
        nargs="?",
        const=STANDARD_OUTPUT,
        type=Path,
        metavar="FILE",
        help=f"write {what}; without FILE print them, and nothing else, to standard output",
    )


def add_config_options(command: argparse.ArgumentParser) -> None:
    """`--config` and `--print-config`; the command itself sees no difference."""
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML with an option's name and value a line; flags go before it"
    )
    command.add_argument(
        "--print-config", action="store_true", help="print what would be done as YAML that --config reads, and stop"
    )


def print_json(document: Any) -> None:
    """The one JSON document of a command, indented."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def write_or_print(text: str, target: Path | None) -> bool:
    """Bring the text of `--json [FILE]` where it was asked for.

    Returns:
        Whether it went to standard output, which then has to hold nothing else.

    Raises:
        OutputError: the file cannot be written.
    """
    from actparse.core.files import write_text

    if target == STANDARD_OUTPUT:
        print(text)
    elif target is not None:
        write_text(target, text)
    return target == STANDARD_OUTPUT
