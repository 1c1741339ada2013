"""The command: its parts are in commands/, one thin function for each capability."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from actparse import __version__
from actparse.commands import compute, datasets, parsing, scoring, training, weights
from actparse.commands.options import EXIT_INTERRUPTED, EXIT_USER_ERROR
from actparse.errors import ActparseError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_argument_parser()
    args = parser.parse_args(arguments)
    try:
        code: int = args.run(args)
    except ActparseError as error:
        print(f"actparse: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"actparse: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("actparse: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return code


def build_argument_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="actparse", description="What people in a video do, down to each body part.")
    parser.add_argument("--version", action="version", version=f"actparse {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (parsing, datasets, training, scoring, compute, weights):
        group.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
