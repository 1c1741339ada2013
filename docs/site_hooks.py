"""Add pages to the site: the help of every command, the public checkpoints, and files outside docs/ that pages link to.

A link that leaves docs/ leads to a file of the repository. The site has no repository around it: such files go along,
Markdown as pages.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from actparse.cli import COMMANDS, main
from actparse.weights.registry import markdown_table

ROOT = Path(__file__).parents[1]
COMMANDS_PAGE = "reference/commands.md"
CHECKPOINTS = "reference/checkpoints.md"
OUTSIDE = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)")  # the target of a link that goes up
ALONG = "repository"  # the folder of the site for files from outside docs/


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of commands and checkpoints, and the files that pages link to outside docs/."""
    pages = {file.src_uri: file.content_string for file in files.documentation_pages()}
    for target in sorted({target for uri, text in pages.items() for target in outside_targets(uri, text)}):
        files.append(File.generated(config, site_path(target), abs_src_path=str(ROOT / target)))
    files.append(File.generated(config, COMMANDS_PAGE, content=commands_page()))
    files.append(File.generated(config, CHECKPOINTS, content=checkpoints_page()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that leave docs/ lead to the files that went along."""
    uri = page.file.src_uri

    def along(match: re.Match[str]) -> str:
        target = repository_path(uri, match[1])
        if target is None:
            return match[0]
        return "](" + posixpath.relpath(site_path(target), posixpath.dirname(uri) or ".")

    return OUTSIDE.sub(along, markdown)


def site_path(target: str) -> str:
    """Return the path in the site of a file of the repository; a README is named after its folder.

    The theme opens a page named README in place of its section.
    """
    return f"{ALONG}/{target.removesuffix('/README.md')}.md" if target.endswith("/README.md") else f"{ALONG}/{target}"


def outside_targets(uri: str, text: str) -> Iterator[str]:
    """Return the files of the repository outside docs/ that a page links to, seen from the root."""
    for match in OUTSIDE.finditer(text):
        target = repository_path(uri, match[1])
        if target is not None:
            yield target


def repository_path(uri: str, link: str) -> str | None:
    """Where a link of a page leads, seen from the repository's root; None where that is within docs/ or no file."""
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(uri), link))
    is_outside = not target.startswith(("docs/", "..")) and (ROOT / target).is_file()
    return target if is_outside else None


def commands_page() -> str:
    """Return the help of every command."""
    text = "# Commands\n\nWhat `actparse COMMAND --help` prints.\n"
    for name in COMMANDS:
        with redirect_stdout(StringIO()) as output:
            main([*name.split(), "--help"])
        text += f"\n## actparse {name}\n\n```text\n{output.getvalue()}```\n"
    return text


def checkpoints_page() -> str:
    """Return the table of the public checkpoints, as `actparse weights list` prints it."""
    return f"# Public checkpoints\n\nHow to use them: [Public weights](../weights.md).\n\n{markdown_table()}\n"
