"""Argument parsers whose help has examples, defaults and exit codes, and whose one-line errors suggest a correction."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from actparse.commands.options import EXIT_USER_ERROR

EXIT_CODES = "exit codes: 0 done; 2 wrong input or option, with a one-line error; 130 interrupted"
QUIET_HELP = "print only errors, and JSON if requested"


class HelpFormatter(argparse.HelpFormatter):
    """Shows defaults; keeps the line breaks of an epilog and of indented examples."""

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
    """A parser with one-line errors that suggest the most similar word for an unknown one."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with the code of a user error."""
        self.exit(EXIT_USER_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def _get_formatter(self) -> argparse.HelpFormatter:
        return HelpFormatter(prog=self.prog)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse as argparse does, but report unknown arguments as errors of their own command."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [name for action in self._actions for name in action.option_strings]
            name = unknown[0].partition("=")[0]
            self.error(f"unknown argument {unknown[0]}{_suggestion(name, options)}")
        return parsed, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            wanted = f"must be one of {', '.join(choices)}, got {value!r}{_suggestion(str(value), choices)}"
            raise argparse.ArgumentError(action, wanted)


def _suggestion(word: str, candidates: Sequence[str]) -> str:
    from actparse.core.words import suggestion

    return suggestion(word, candidates)


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers of all commands, including those in groups of commands."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for command in dict.fromkeys(group.choices.values()):
            yield from leaves(command)


def finish(parser: argparse.ArgumentParser) -> None:
    """Add --quiet and the exit codes to every command, and store its parser in the options."""
    for command in leaves(parser):
        command.add_argument("-q", "--quiet", action="store_true", help=QUIET_HELP)
        command.set_defaults(parser=command)
        text = f"{command.description or ''}{command.epilog or ''}".lower()
        if "exit code" not in text:
            command.epilog = "\n".join(filter(None, (command.epilog, EXIT_CODES)))
