"""Make the pictures of the report page that docs/ shows: python tests/report/make_screenshots.py PARSE_FOLDER docs

PARSE_FOLDER is that of `actparse demo`, with report.html; the page is made anew without the truth's marks.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2

from actparse.data.parses import load_parse
from actparse.report.page import write_report

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser import open_browser

PICTURES = (
    ("report.png", 1600, 1500, "light"),
    ("report-dark.png", 1600, 1500, "dark"),
    ("report-400.png", 400, 1600, "light"),
)
SHARE = 0.56  # of the video's time, that is shown


def main(folder: Path, out: Path) -> None:
    page = write_report(load_parse(folder / "parse.json"), folder)
    with tempfile.TemporaryDirectory() as profile, open_browser(Path(profile)) as browser:
        for name, width, height, theme in PICTURES:
            browser.size(width, height, theme=theme)
            browser.open(page.resolve())
            browser.wait("document.getElementById('video').readyState >= 2")
            browser.js(
                """const box = document.querySelector('.marks').getBoundingClientRect();
                const at = { bubbles: true, button: 0, clientX: box.left + box.width * arguments[0], clientY: box.top };
                document.querySelector('.marks').dispatchEvent(new PointerEvent('pointerdown', at));
                window.dispatchEvent(new PointerEvent('pointerup'));""",
                SHARE,
            )
            browser.wait("!document.getElementById('video').seeking")
            browser.js("return new Promise(done => setTimeout(done, 500))")
            browser.driver.save_screenshot(str(out / name))
            picture = cv2.imread(str(out / name))
            assert picture is not None
            assert picture.shape[:2] == (height, width)
            cv2.imwrite(str(out / name), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
