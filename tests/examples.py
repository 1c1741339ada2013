"""The examples in a Markdown page: run in order and in one folder, or held against the command's parser."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from typing import Any

from actparse.cli import main

FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
NAMES_US = re.compile(r"\bactparse\s")
PUNCTUATION = "|&;()<>"  # of the shell: what ends the arguments of a program
SPECIAL = set(PUNCTUATION + "$*?`")  # a line with any of these, outside a comment, needs a shell


@dataclass(frozen=True)
class Block:
    """A fenced example: its language, "sh", "python", "text" or another, and its code."""

    language: str
    code: str


def find_blocks(page: str) -> list[Block]:
    """The examples of a page, in order."""
    return [Block(language, dedent(code)) for _, language, code in FENCE.findall(page)]


def run_page(page: str) -> None:
    """Run every sh and python example in the current folder; those in python share their names, as on the page.

    Lines that are plain calls of our command run in this process, which spares each the loading of torch.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in find_blocks(page):
        if block.language == "python":
            exec(compile(block.code, "<example>", "exec"), names)
        elif block.language == "sh":
            _run_shell(block.code)


def check_commands(page: str) -> None:
    """Hold the calls in examples that are not run against our command, which says what is wrong on standard error."""
    for block in find_blocks(page):
        if block.language == "text":
            for words in our_calls(block.code):
                assert main([*words, "--print-config"]) == 0, words


def our_calls(code: str) -> Iterator[list[str]]:
    """The arguments of each call of actparse in lines of the shell."""
    for line in filter(NAMES_US.search, _joined(code)):
        words = _words(line)
        for start in (place + 1 for place, word in enumerate(words) if word == "actparse"):
            if start == 1 or set(words[start - 2]) <= set(PUNCTUATION):
                yield list(takewhile(lambda word: not set(word) <= set(PUNCTUATION), words[start:]))


def _run_shell(code: str) -> None:
    lines = [line for line in _joined(code) if _words(line)]
    if any(_words(line)[0] != "actparse" for line in lines):
        _run_bash(code)
        return
    for line in lines:
        words = _words(line)
        if SPECIAL & set("".join(words)):
            _run_bash(line)
        else:
            assert main(words[1:]) == 0, line


def _run_bash(code: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", code], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def _joined(code: str) -> list[str]:
    """The lines that a shell would see."""
    return code.replace("\\\n", " ").splitlines()


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=PUNCTUATION)
    lexer.whitespace_split = True
    return list(lexer)
