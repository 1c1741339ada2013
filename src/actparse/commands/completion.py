"""The command "completion", which makes a shell complete commands, options and their choices."""

from __future__ import annotations

import argparse
import os

from actparse.commands.options import Commands

SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
examples:
  source <(actparse completion bash)                                      # this session, or in ~/.bashrc
  actparse completion zsh > ~/.zfunc/_actparse                            # a folder of your $fpath
  actparse completion fish > ~/.config/fish/completions/actparse.fish"""


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "completion",
        help="print a script that completes commands and options in your shell",
        description="Print the script that makes a shell complete commands, options, their choices and files.",
        epilog=EPILOG,
    )
    command.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    command.set_defaults(run=_completion)


def _completion(args: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["actparse"], shell=args.shell))
    return 0


def answer_shell(parser: argparse.ArgumentParser) -> None:
    """Answer a shell's request for completions and exit; do nothing if there is no such request."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, exclude=["--help"])
