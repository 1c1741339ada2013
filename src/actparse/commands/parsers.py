"""How the command speaks: help with examples, defaults, exit codes; errors of one line that guess what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from actparse.commands.options import EXIT_USER_ERROR

EXIT_CODES = "exit codes: 0 done; 2 wrong input or option, said in one line; 130 interrupted"
QUIET_HELP = "nothing but errors, and JSON where it is asked for"


class HelpFormatter(argparse.HelpFormatter):
    """Shows defaults; keeps the lines of an epilog, and examples, which are indented, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines()
        wrap = super()._fill_text
        return "\n".join(line if line.startswith(" ") else wrap(line, width, indent) for line in lines)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        shows = action.default not in (None, argparse.SUPPRESS, True, False) and action.default != []
        if not shows or not text or "default" in text:
            return text
        return f"{text}; default: %(default)s"


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line each, with the likeliest word where one is unknown."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with the exit code of an error of use."""
        self.exit(EXIT_USER_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def _get_formatter(self) -> argparse.HelpFormatter:
        return HelpFormatter(prog=self.prog)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse's, but what is unknown is an error of the command that it was given to."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            known = [name for action in self._actions for name in action.option_strings]
            name = unknown[0].partition("=")[0]
            self.error(f"unknown argument {unknown[0]}{_suggestion(name, known)}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            wanted = f"must be one of {', '.join(known)}, got {value!r}{_suggestion(str(value), known)}"
            raise argparse.ArgumentError(action, wanted)


def _suggestion(word: str, known: Sequence[str]) -> str:
    from actparse.core.words import suggestion

    return suggestion(word, known)


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The commands below a parser that do something, those of groups too."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for command in dict.fromkeys(group.choices.values()):
            yield from leaves(command)


def finish(parser: argparse.ArgumentParser) -> None:
    """Give every command what all have: --quiet, its exit codes in the help, and its parser beside its options."""
    for command in leaves(parser):
        command.add_argument("-q", "--quiet", action="store_true", help=QUIET_HELP)
        command.set_defaults(parser=command)
        told = f"{command.description or ''}{command.epilog or ''}".lower()
        if "exit code" not in told:
            command.epilog = "\n".join(filter(None, (command.epilog, EXIT_CODES)))
