"""The documentation site, built and looked at in a browser: complete, without complaints, asking nobody else."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser import Browser, open_browser

ROOT = Path(__file__).parents[1]
LOOKED_AT = ("index.html", "concepts.html", "reference/structures.html", "reference/commands.html")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as `make docs` does."""
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where a server of this machine shows it."""
    handler = functools.partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_every_page_has_a_place_in_the_navigation(site: Path) -> None:
    menu = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert f'href="{name}"' in menu, f"{page.name} needs a line in mkdocs.yml"


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r"<(?:script|img|iframe|video)[^>]*\ssrc=\"(?:https?:)?//|<link[^>]*stylesheet[^>]*(?:https?:)?//"
    )
    assert [page.name for page in site.rglob("*.html") if loads.search(page.read_text(encoding="utf-8"))] == []


def test_the_reference_says_what_the_docstrings_say(site: Path) -> None:
    page = (site / "reference" / "structures.html").read_text(encoding="utf-8")
    for text in ("VideoParse", "track_id", "Return the parse as JSON text"):
        assert text in page
    assert "actparse parse" in (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "movenet-thunder" in (site / "reference" / "checkpoints.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("page", LOOKED_AT)
def test_pages_in_a_browser(page: str, width: int, address: str, browser: Browser) -> None:
    browser.size(width)
    browser.driver.get("about:blank")
    browser.complaints()
    browser.requests()
    browser.driver.get(f"{address}/{page}")
    browser.wait("document.readyState === 'complete'")
    assert browser.complaints() == []
    assert {url for url in browser.requests() if not url.startswith((address, "data:", "blob:", "about:"))} == set()
    assert browser.js("return [...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
    assert browser.js("return document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"
