"""Exit codes, common options and JSON output, shared by several commands."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[
        argparse.ArgumentParser
    ]  # result type of add_subparsers, which has no public name
else:
    Commands = object

EXIT_SOME_FAILED = 1  # some of several videos or parses failed
EXIT_USER_ERROR = 2  # an error that the user can fix
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141  # the reader of the output has closed it, as `head` does
STANDARD_OUTPUT = Path("-")


def exit_code(errors: Sequence[str | None]) -> int:
    """Return the exit code of a command with several results, from each result's error or None."""
    num_failed = sum(error is not None for error in errors)
    if num_failed == 0:
        return 0
    return EXIT_USER_ERROR if num_failed == len(errors) else EXIT_SOME_FAILED


def add_model_options(command: argparse.ArgumentParser, *, default: str = "people") -> None:
    """Add the options for the weights, by default a bundled name, and for the device."""
    command.add_argument(
        "--weights",
        default=default,
        metavar="NAME_OR_PATH",
        help="people (real footage), tiny (drawn people), or a bundle's folder; default: %(default)s",
    )
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1; default: a GPU if available")


def add_json_option(command: argparse.ArgumentParser, content: str = "one JSON document") -> None:
    """Add `--json` to a command that prints text: `args.json` is True or False."""
    command.add_argument("--json", action="store_true", help=f"print {content} and nothing else to standard output")


def add_json_file_option(command: argparse.ArgumentParser, content: str) -> None:
    """Add `--json [FILE]` to a command whose metrics are worth a file: `args.json` is a path, "-" or None."""
    command.add_argument(
        "--json",
        nargs="?",
        const=STANDARD_OUTPUT,
        type=Path,
        metavar="FILE",
        help=f"write {content}; without FILE print them, and nothing else, to standard output",
    )


def add_config_options(command: argparse.ArgumentParser) -> None:
    """Add `--config` and `--print-config`, which are handled before the command runs."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML file with one option per line, NAME: VALUE; flags have precedence",
    )
    command.add_argument("--print-config", action="store_true", help="print all options as YAML for --config, and stop")


def print_json(document: Any) -> None:
    """Print the JSON document of a command, indented; a terminal that is not UTF-8 gets escapes."""
    is_utf8 = sys.stdout.encoding is not None and sys.stdout.encoding.lower().replace("-", "") == "utf8"
    print(json.dumps(document, indent=2, ensure_ascii=not is_utf8, allow_nan=False))


def write_or_print(text: str, target: Path | None) -> bool:
    """Write the text of `--json [FILE]` to the requested file or to standard output.

    Returns:
        Whether it was printed to standard output, which must then contain nothing else.

    Raises:
        OutputError: the file cannot be written.
    """
    from actparse.core.files import write_text

    if target == STANDARD_OUTPUT:
        print(text)
    elif target is not None:
        write_text(target, text)
    return target == STANDARD_OUTPUT
