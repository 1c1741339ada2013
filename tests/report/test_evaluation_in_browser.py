"""The evaluation page in a real browser: what axe finds, what it asks the network for, sorting, filtering, reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actparse.core.files import write_text
from actparse.data.evaluation import videos_of_truth
from actparse.data.runs import load_run
from actparse.data.submission import load_truth
from actparse.report.evaluation import evaluate_runs
from actparse.report.evaluation_page import evaluation_page
from browser import Browser, open_browser
from planted_parses import SWAPPED_HANDS, write_parses, write_short_dataset

NUM_VIDEOS = 4


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: hands exchanged and a wrong action against the truth."""
    root = tmp_path_factory.mktemp("evaluation")
    data = write_short_dataset(root / "data", num_videos=NUM_VIDEOS, seed=16)
    truth = load_truth(data / "test_truth")
    last = list(truth.videos)[-1]
    before = write_parses(data, root / "before", states_of=SWAPPED_HANDS, actions={last: "lunge"})
    (before / last / "report.html").write_text("<!doctype html><title>a report</title>")
    after = write_parses(data, root / "after")
    evaluation = evaluate_runs(truth, [load_run(before, truth), load_run(after, truth)])
    path = root / "page.html"
    write_text(path, evaluation_page(evaluation, videos_of_truth(data / "test_truth"), path))
    return path


@pytest.mark.parametrize(("width", "theme"), [(400, "light"), (1600, "dark")])
def test_axe_finds_nothing_serious_and_nothing_runs_off_the_side(
    browser: Browser, page: Path, width: int, theme: str
) -> None:
    browser.size(width, theme=theme)
    browser.open(page)
    browser.js("document.querySelectorAll('details').forEach(table => { table.open = true; })")
    assert browser.violations() == []
    assert browser.js("return document.documentElement.scrollWidth") <= width
    assert browser.complaints() == []
    assert all(url.startswith(("file:", "data:")) for url in browser.requests())


def column(browser: Browser, number: int) -> list[str]:
    cells = f"#all-videos tbody tr:not([hidden]) > :nth-child({number})"
    texts: list[str] = browser.js(f"return [...document.querySelectorAll('{cells}')].map(cell => cell.textContent)")
    return texts


def test_a_header_sorts_and_the_filter_counts(browser: Browser, page: Path) -> None:
    browser.size(1600)
    browser.open(page)
    headers = browser.js("return [...document.querySelectorAll('#all-videos th button')].map(b => b.textContent)")
    adds = headers.index("adds A")
    for order in ("ascending", "descending"):
        browser.js(f"document.querySelectorAll('#all-videos th button')[{adds}].click()")
        values = [float(text) for text in column(browser, adds + 1)]
        assert values == sorted(values, reverse=order == "descending")
        assert browser.js(f"return document.querySelectorAll('#all-videos th')[{adds}].ariaSort") == order
    browser.js("document.querySelector('[data-wrong]').click()")
    assert len(column(browser, 1)) == 1
    assert browser.js("return document.querySelector('[data-count]').textContent") == f"1 of {NUM_VIDEOS} videos"
    browser.js("document.querySelector('[data-filter]').focus()")
    browser.keys("no such action")
    assert column(browser, 1) == []


def test_the_keyboard_goes_past_the_head_of_the_page(browser: Browser, page: Path) -> None:
    browser.size(1600)
    browser.open(page)
    browser.keys("\ue004")  # tab
    assert browser.js("return document.activeElement.textContent") == "Skip to the content"
    browser.keys("\ue007")  # enter
    assert browser.js("return document.activeElement.id") == "main"


def test_pointing_at_the_curve_reads_it(browser: Browser, page: Path) -> None:
    browser.size(1600)
    browser.open(page)
    browser.js(
        "const chart = document.querySelector('[data-lines]'), box = chart.getBoundingClientRect();"
        "chart.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 1, clientY: box.top + 9}))"
    )
    assert browser.js("return document.querySelector('[data-readout]').textContent") == (
        "at 1.000: A before 50.0 %, B after 100.0 %"
    )


def test_thumbnails_are_decoded_and_links_open_from_disk(browser: Browser, page: Path) -> None:
    browser.size(1600)
    browser.open(page)
    boxes = browser.js("return document.querySelectorAll('.thumbnail rect.true').length")
    assert boxes >= 2 * NUM_VIDEOS
    urls = browser.js("return [...document.querySelectorAll('.thumbnail image')].map(image => image.href.baseVal)")
    assert len(urls) == 2 * NUM_VIDEOS
    browser.js(
        "window.sizes = []; for (const url of arguments[0]) { const image = new Image();"
        "image.onload = () => window.sizes.push(image.naturalWidth); image.src = url; }",
        urls,
    )
    browser.wait(f"window.sizes.length === {2 * NUM_VIDEOS} && window.sizes.every(width => width === 320)")
    browser.js("document.querySelector('.card a').click()")
    browser.wait("document.title === 'a report'")
