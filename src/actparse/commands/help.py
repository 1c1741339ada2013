"""The layout of --help: aligned columns with defaults, wrapped to the width of the terminal."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

LABEL_WIDTH = 24  # columns of an option's name, with its indentation; a longer name has a line to itself
UNNAMED_DEFAULTS = ("None", "True", "False", "[]", "()")
EXIT_CODES = "exit codes: 0 done; 2 wrong input or option, with a one-line error;\n  130 interrupted"


def epilogue(command: Callable[..., Any]) -> str:
    """Return the examples of a command's docstring and, unless the docstring describes them, its exit codes."""
    description, _, examples = inspect.cleandoc(command.__doc__ or "").partition("\nExamples:\n")
    return f"examples:\n{examples}" + ("" if "exit code" in description.lower() else f"\n{EXIT_CODES}")


class HelpFormatter:
    """Prints help for cyclopts."""

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the usage."""
        _print(console, textwrap.fill(f"usage: {usage}", options.max_width, subsequent_indent=" " * 7))

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Print the description; indented lines keep their breaks."""
        for text in _plain(console, description).split("\n\n"):
            lines = [text] if text.startswith(" ") else textwrap.wrap(text, options.max_width, break_on_hyphens=False)
            _print(console, "\n".join(("", *lines)))

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a list of commands or options."""
        if not panel.entries:
            return
        _print(console, f"\n{panel.title}:")
        for entry in panel.entries:
            label, text = f"  {_label(entry)}", " ".join(_plain(console, entry.description).split())
            if entry.default not in (None, *UNNAMED_DEFAULTS) and "default" not in text:
                text = f"{text}; default: {entry.default}" if text else f"default: {entry.default}"
            lines = textwrap.wrap(text, max(options.max_width - LABEL_WIDTH, 20), break_on_hyphens=False)
            if len(label) + 2 > LABEL_WIDTH:
                _print(console, label)
                label = ""
            for line in lines or [""]:
                _print(console, f"{label:{LABEL_WIDTH}}{line}".rstrip())
                label = ""


def _label(entry: HelpEntry) -> str:
    """Return the name of an option or command, without its aliases, and what its value is."""
    if entry.positional_label:
        return entry.positional_label
    value = "{" + ",".join(entry.choices) + "}" if entry.choices else entry.metavar
    name = ", ".join((*entry.positive_shorts, *entry.positive_names[:1]))
    return f"{name} {value}" if value else name


def _plain(console: Console, renderable: Any) -> str:
    with console.capture() as capture:
        console.print(renderable, markup=False, highlight=False, soft_wrap=True)
    return capture.get().strip()


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
