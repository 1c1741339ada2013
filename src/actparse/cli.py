"""The command line interface; the commands are in commands/, one thin function for each."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path

from actparse import __version__
from actparse.commands import (
    calibrating,
    completion,
    compute,
    converting,
    datasets,
    explaining,
    parsing,
    repetitions,
    reporting,
    reproducing,
    scoring,
    training,
    watching,
    weights,
)
from actparse.commands.config_files import config_text, with_config
from actparse.commands.options import (
    EXIT_INTERRUPTED,
    EXIT_PIPE_CLOSED,
    EXIT_USER_ERROR,
    STANDARD_OUTPUT,
    print_json,
)
from actparse.commands.parsers import CommandParser, finish
from actparse.core.errors import ActparseError
from actparse.core.files import printable
from actparse.core.progress import silent
from actparse.core.signals import end_on_signals

EPILOG = """\
examples:
  actparse demo
  actparse parse video.mp4 --out parses
  actparse COMMAND --help
exit codes: 0 done; 1 some of several failed; 2 wrong input or option, with a one-line error; 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a test or a notebook may have replaced it
            stream.reconfigure(errors="backslashreplace")  # any file name can be printed in any encoding
    end_on_signals()
    parser = build_argument_parser()
    completion.answer_shell(parser)
    args = parser.parse_args(arguments)
    try:
        args = with_config(parser, args, arguments)
        with _quiet_output(args):
            return _run(args)
    except ActparseError as error:
        return _report_failure(str(error), args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python prints no error at exit
        return EXIT_PIPE_CLOSED
    except OSError as error:
        prefix = f"{error.filename}: " if error.filename else ""
        return _report_failure(f"{prefix}{error.strerror or error}", args)
    except KeyboardInterrupt:
        print("actparse: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def build_argument_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands and their options."""
    parser = CommandParser(prog="actparse", description="What people in a video do, down to each body part.")
    parser.epilog = EPILOG
    parser.add_argument("--version", action="version", version=f"actparse {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (
        parsing,
        watching,
        explaining,
        reporting,
        repetitions,
        converting,
        datasets,
        training,
        scoring,
        calibrating,
        reproducing,
        compute,
        weights,
        completion,
    ):
        group.add_commands(commands)
    finish(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    code = 0
    if getattr(args, "print_config", False):
        print(config_text(args), end="")
    else:
        code = args.run(args)
    sys.stdout.flush()  # a closed pipe raises its error here, not at exit
    return code


@contextmanager
def _quiet_output(args: argparse.Namespace) -> Iterator[None]:
    """Apply --quiet: only requested JSON goes to standard output, and only errors to standard error."""
    if not args.quiet:
        yield
        return
    with silent():
        if _prints_json(args):
            yield
            return
        with Path(os.devnull).open("w", encoding="utf-8", errors="replace") as devnull, redirect_stdout(devnull):
            yield


def _report_failure(message: str, args: argparse.Namespace) -> int:
    print(f"actparse: {printable(message)}", file=sys.stderr)
    if _prints_json(args):
        with suppress(OSError):  # standard output itself may be what failed
            print_json({"error": message})
    return EXIT_USER_ERROR


def _prints_json(args: argparse.Namespace) -> bool:
    return getattr(args, "json", None) in (True, STANDARD_OUTPUT)


if __name__ == "__main__":
    sys.exit(main())
