"""The report page in a real browser, opened from disk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actparse.core.structures import (
    FrameParse,
    ObjectParse,
    PartParse,
    PersonParse,
    Reason,
    SegmentParse,
    Verdict,
    VideoInfo,
    VideoParse,
)
from actparse.core.vocabulary import PARTS
from actparse.data.submission import TpsFiles
from actparse.report.mistakes import find_mistakes
from actparse.report.page import write_report
from actparse.video.encode import VideoWriter
from browser import Browser, open_browser

TIMES = [round(0.08 * k + (0.03 if k % 2 else 0.0), 3) for k in range(25)]  # seconds, of the video's frames
SAMPLED = range(0, 25, 5)
END = 2.0
BEND_UNTIL = 2  # sampled frames; then the arms are unbent
HOSTILE = '</script><img src="x" onerror="document.title = 1">&<b>'


def person(track_id: int, x: float, arms: str, score: float = 0.9) -> PersonParse:
    keypoints = tuple((x + 10 + k, 20.0 + 5 * k, 0.1 if k == 10 else 0.9) for k in range(17))
    parts = tuple(
        PartParse(name, (x + 5, 20, x + 25, 60), 0.8, arms if "arm" in name else "none", 0.7)
        for name in PARTS
        if name != "right_foot"
    )
    return PersonParse(track_id, (x, 15, x + 40, 110), score, keypoints, parts)


def example() -> VideoParse:
    """Two persons, and one who is never sure; the second is away in the third sample and after."""
    frames = []
    for row, index in enumerate(SAMPLED):
        persons = [person(1, 10 + 5 * row, "bend" if row < BEND_UNTIL else "unbend")]
        persons += [person(2, 110, "lift")] if row < 2 else []
        persons += [person(3, 60, "bend", score=0.1)] if row == 1 else []
        objects = (ObjectParse("skateboard", (60, 90, 140, 110), 0.6 if row == 0 else 0.4),) if row < 2 else ()
        frames.append(FrameParse(index, TIMES[index], tuple(persons), objects))
    return VideoParse(
        video=VideoInfo("somewhere/v.mp4", 160, 120, len(TIMES), END, len(TIMES) / END),
        action="push_up",
        action_scores={"push_up": 0.6, "lunge": 0.3, "chinup": 0.1},
        frames=tuple(frames),
        segments=(SegmentParse(0.0, END, 0, len(TIMES)),),
        reasons=(Reason("left_arm", "bend", 0.8, 0.0, 0.8, 1), Reason("hip", "none", -0.3, 0.8, 2.0, 1)),
        explanation="The bent arms of person 1 speak for a push-up.",
    )


def truth(name: str) -> TpsFiles:
    """Person 2 is nobody, somebody was missed in the first frame, the arms of person 1 are bent in the third too."""

    def human(x: float, arms: str, box_shift: float = 0.0) -> dict[str, object]:
        parts = {"left_arm": {"box": [x + 5 + box_shift, 20, x + 25 + box_shift, 60], "verb": arms}}
        return {"box": [x, 15, x + 40, 110], "parts": parts}

    frames = {
        "img_00001.json": {"humans": [human(10, "bend"), human(60, "bend")]},
        "img_00006.json": {"humans": [human(15, "bend", box_shift=30)]},
        "img_00011.json": {"humans": [human(20, "bend")]},
    }
    return TpsFiles({name: "push_up"}, {name: frames})


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    with VideoWriter(path, size=(120, 160)) as writer:
        for k, seconds in enumerate(TIMES):
            writer.write(np.full((120, 160, 3), 5 * k, np.uint8), seconds)
    return path


@pytest.fixture(scope="module")
def page(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(example(), tmp_path_factory.mktemp("parse") / "a video & more", source=video)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.size(1600)
    browser.open(page)
    browser.wait("document.getElementById('video').readyState >= 2")
    return browser


DRAWN = """
const canvas = document.getElementById('canvas');
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
let drawn = 0;
for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0;
return drawn;
"""


def clock(browser: Browser) -> float:
    return float(browser.js("return document.getElementById('clock').textContent").split()[0])


def click_lane(browser: Browser, name: str, share: float) -> None:
    """A real click into the lane of that name, `share` of its width from the left."""
    from selenium.webdriver.common.action_chains import ActionChains

    lane = browser.driver.find_element("css selector", f'.lane[aria-label="{name}"]')
    browser.js("arguments[0].scrollIntoView({block: 'center'})", lane)
    offset = round((share - 0.5) * lane.size["width"])
    ActionChains(browser.driver, duration=0).move_to_element_with_offset(lane, offset, 0).click().perform()


def test_it_opens_without_complaint_and_asks_no_network(opened: Browser, page: Path) -> None:
    assert opened.complaints() == []
    assert set(opened.requests()) == {page.as_uri(), page.with_name("video.mp4").as_uri()}
    assert opened.js("return document.querySelector('h1').textContent") == "a video & more"
    assert opened.js("return document.getElementById('action').textContent") == "Push up"
    assert opened.js("return [...document.querySelectorAll('#actions .value')].map(n => n.textContent)") == [
        "60 %",
        "30 %",
        "10 %",
    ]


def test_every_layer_and_person_is_drawn_and_can_be_switched(opened: Browser) -> None:
    def toggle(name: str) -> None:
        opened.js("document.querySelector(`[name=${arguments[0]}]`).click()", name)

    on_at_first = ["boxes", "parts", "skeleton", "labels", "objects"]
    for name in on_at_first:
        toggle(name)
    assert opened.js(DRAWN) == 0
    amounts = []
    for name in ("boxes", "parts", "skeleton", "dots", "labels", "objects"):
        toggle(name)
        amounts.append(opened.js(DRAWN))
        toggle(name)
        assert opened.js(DRAWN) == 0
    assert min(amounts) > 500
    toggle("boxes")
    both = opened.js(DRAWN)
    toggle("person-2")
    assert opened.js(DRAWN) == pytest.approx(both / 2, rel=0.1)
    assert opened.js("return document.querySelector('.person[data-id=\"2\"]').offsetParent === null")


def test_boxes_lie_where_they_belong_between_samples(opened: Browser) -> None:
    for name in ("parts", "skeleton", "labels", "person-2"):
        opened.js("document.querySelector(`[name=${arguments[0]}]`).click()", name)
    for _ in range(7):  # between the second and the third sample
        opened.keys("\ue014")  # right arrow
        opened.wait("!document.getElementById('video').seeking")
    share = (TIMES[7] - TIMES[5]) / (TIMES[10] - TIMES[5])
    columns = opened.js("""
        const canvas = document.getElementById('canvas');
        const { data } = canvas.getContext('2d').getImageData(0, canvas.height / 2, canvas.width, 1);
        const found = [];
        for (let x = 0; x < canvas.width; x++) if (data[4 * x + 3] > 200) found.push(x * 160 / canvas.width);
        return found;""")
    assert (min(columns) + 0.2, max(columns) - 0.2) == pytest.approx((15 + 5 * share, 55 + 5 * share), abs=0.5)


def test_lanes_are_as_many_as_parts_and_run_as_long_as_states(opened: Browser) -> None:
    assert opened.js("return document.querySelectorAll('.person:not(.unsure) .rows .row:not(.angle)').length") == 20
    widths = opened.js("""
        const lane = document.querySelector('.lane[aria-label="Person 1, left arm"]');
        return [...lane.querySelectorAll('.run')].map(n => [n.textContent, n.offsetWidth / lane.offsetWidth]);""")
    assert [text for text, _ in widths] == ["bend", "unbend"]
    assert widths[0][1] == pytest.approx(TIMES[10] / END, abs=0.01)
    away = opened.js("""
        const lane = document.querySelector('.lane[aria-label="Person 2, left arm"]');
        return lane.querySelector('.run:last-of-type').offsetWidth / lane.offsetWidth;""")
    assert away == pytest.approx(2 * TIMES[5] / END, abs=0.05)
    assert opened.js("return document.querySelector('.person[data-id=\"3\"]').offsetParent === null")
    opened.js("document.getElementById('show-unsure').click()")
    assert opened.js("return document.querySelector('.person[data-id=\"3\"]').offsetParent !== null")


def test_a_click_seeks_to_the_frame_that_is_shown_then(opened: Browser) -> None:
    click_lane(opened, "Person 1, left arm", 0.75)
    shown = max(time for time in TIMES if time <= 0.75 * END)
    opened.wait("!document.getElementById('video').seeking")
    assert clock(opened) == pytest.approx(shown, abs=0.006)
    assert opened.js("return document.getElementById('video').currentTime") == pytest.approx(shown, abs=0.03)
    playhead = opened.js("""
        const marks = document.querySelector('.marks').getBoundingClientRect();
        const head = document.getElementById('playhead').getBoundingClientRect();
        return (head.x + head.width / 2 - marks.x) / marks.width;""")
    assert playhead == pytest.approx(shown / END, abs=0.003)


def test_hovering_tells_part_state_score_and_times(opened: Browser) -> None:
    click_lane(opened, "Person 1, left arm", 0.2)
    tip = opened.js("return document.getElementById('tip').innerText")
    for text in ("Person 1, left arm", "bend", "70 %", "0.00 s to 0.80 s"):
        assert text in tip


def test_keys_play_step_and_walk_along_the_lanes(opened: Browser) -> None:
    for k in (1, 2, 3):
        opened.keys("\ue014")  # right arrow
        assert clock(opened) == pytest.approx(TIMES[k], abs=0.006)
    opened.keys("\ue012")  # left arrow
    assert clock(opened) == pytest.approx(TIMES[2], abs=0.006)
    opened.wait("!document.getElementById('video').seeking")
    opened.keys(" ")
    opened.wait("!document.getElementById('video').paused")
    opened.wait(f"parseFloat(document.getElementById('clock').textContent) > {TIMES[6]}")
    opened.keys(" ")
    opened.wait("document.getElementById('video').paused")
    assert min(abs(clock(opened) - time) for time in TIMES) < 0.006
    click_lane(opened, "Person 1, left arm", 0.1)
    opened.keys("\ue014")  # to the next state
    assert clock(opened) == pytest.approx(TIMES[10], abs=0.006)
    assert "unbend" in opened.js("return document.activeElement.getAttribute('aria-valuetext')")
    opened.keys("\ue015")  # arrow down
    assert opened.js("return document.activeElement.getAttribute('aria-label')") == "Person 1, right arm"
    opened.keys("\ue010")  # end
    assert clock(opened) == pytest.approx(TIMES[-1], abs=0.006)


def test_while_it_plays_every_picture_is_of_the_frame_below_it(opened: Browser) -> None:
    opened.js("""
        window.pairs = [];
        const video = document.getElementById('video');
        const look = (_, shown) => {
          window.pairs.push([shown.mediaTime, parseFloat(document.getElementById('clock').textContent)]);
          video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);""")
    opened.keys(" ")
    opened.wait("document.getElementById('video').ended")
    pairs = opened.js("return window.pairs")
    assert len({media for media, _ in pairs}) > 5
    assert all(abs(media - said) < 0.006 for media, said in pairs)


def test_tables_sort_and_filter(opened: Browser) -> None:
    def column(number: int) -> list[str]:
        return opened.js(
            "return [...document.querySelectorAll('tbody tr')].map(r => r.cells[arguments[0]].textContent)", number
        )

    def write(text: str) -> None:
        opened.js(
            "const f = document.getElementById('filter'); f.value = arguments[0]; f.dispatchEvent(new Event('input'))",
            text,
        )

    write("left arm bend")
    assert [column(k) for k in range(6)] == [
        ["1", "3", "1"],
        ["left arm"] * 3,
        ["bend", "bend", "unbend"],
        ["0.00", "0.43", "0.80"],
        ["0.80", "0.86", "2.00"],
        ["0.70"] * 3,
    ]
    write("")
    opened.js("document.querySelectorAll('th button')[0].click()")
    assert column(0) == sorted(column(0))
    opened.js("document.querySelectorAll('th button')[0].click()")
    assert column(0) == sorted(column(0), reverse=True)
    assert opened.js("return document.querySelector('th').getAttribute('aria-sort')") == "descending"
    opened.js("document.getElementById('tab-Persons').click()")
    assert column(0) == ["1", "2", "3"]
    opened.js("document.getElementById('tab-Frames').click()")
    write("unbend")
    assert len(column(0)) == len(SAMPLED) - BEND_UNTIL
    assert set(column(5)) == {"arms: unbend"}


def test_it_says_why(opened: Browser) -> None:
    assert "speak for a push-up" in opened.js("return document.getElementById('explanation').textContent")
    rows = opened.js("return [...document.querySelectorAll('#reasons li')].map(n => [n.className, n.innerText])")
    assert [(kind, text.split("\n")[0]) for kind, text in rows] == [
        ("for", "Person 1, left arm: bend"),
        ("against", "Person 1, hip: none"),
    ]
    assert "+0.80" in rows[0][1]
    opened.js("document.querySelectorAll('#reasons button')[1].click()")
    assert clock(opened) == pytest.approx(TIMES[10], abs=0.006)


@pytest.mark.parametrize(
    ("verdict", "said", "heading"),
    [
        ("unknown", "No known action (closest: push up 60 %)", "What supports push up, the closest"),
        ("nobody", "Nobody found", "Why no action"),
    ],
)
def test_an_action_that_is_not_asserted_is_not_claimed(
    browser: Browser, tmp_path: Path, verdict: Verdict, said: str, heading: str
) -> None:
    parse = replace(example(), verdict=verdict, explanation="None.", reasons=example().reasons[: verdict == "unknown"])
    page = write_report(parse, tmp_path / "v", mistakes=find_mistakes(parse, "v", truth("v")))
    browser.size(1600)
    browser.open(page)
    assert browser.js("return document.getElementById('action').textContent") == said
    assert browser.js("return document.getElementById('why-title').textContent") == heading
    assert browser.js("return document.querySelectorAll('#actions .chosen').length") == 0
    assert browser.js("return document.querySelectorAll('#actions li').length") == (3 if verdict == "unknown" else 0)
    assert browser.js("return document.getElementById('action-truth').textContent") == "✗ the truth is push up"
    assert browser.driver.title.lower() == f"v: {said}".lower()
    assert browser.complaints() == []


def test_angles_are_drawn_with_gaps(opened: Browser) -> None:
    assert opened.js("return document.querySelectorAll('.angle').length") == 0
    opened.js("document.getElementById('show-angles').click()")
    assert opened.js("return document.querySelector('.angle').offsetParent !== null")
    lines = opened.js("""
        const lane = document.querySelector('.lane[aria-label="Person 1, angle of the elbow"]');
        return [...lane.querySelectorAll('.line')].map(n => n.getAttribute('d'));""")
    assert lines[0].count("L") == len(SAMPLED) - 1
    assert lines[1] == ""  # the right wrist is never sure


@pytest.mark.parametrize(("width", "theme"), [(400, "light"), (1600, "dark")])
def test_it_is_readable_at_any_width_and_in_both_themes(
    browser: Browser, marked_page: Path, width: int, theme: str
) -> None:
    browser.size(width, theme=theme)
    browser.open(marked_page)
    browser.js("document.getElementById('show-angles').click(); document.getElementById('show-unsure').click()")
    assert browser.js("return document.documentElement.scrollWidth") == width
    background = browser.js("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, background[4:-1].split(","))) > 128) == (theme == "light")
    assert browser.violations() == []
    browser.js("document.getElementById('theme').click()")
    assert browser.js("return getComputedStyle(document.body).backgroundColor") != background


@pytest.fixture(scope="module")
def marked_page(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marked") / "v"
    parse = replace(example(), warnings=("v.mp4: ends after 25 frames",))
    return write_report(parse, folder, source=video, mistakes=find_mistakes(parse, "v", truth("v")))


def test_mistakes_are_counted_and_marked(browser: Browser, marked_page: Path) -> None:
    browser.size(1600)
    browser.open(marked_page)
    counts = browser.js("return [...document.querySelectorAll('#counts div')].map(n => n.innerText.split('\\n'))")
    assert dict(counts) == {
        "Persons missed": "1",
        "Persons false": "3",
        "Parts right": "1 of 3",
        "Parts not found": "0",
        "Wrong box": "1",
        "Wrong state": "1",
        "Wrong box and state": "0",
    }
    marks = browser.js("""
        const lane = document.querySelector('.lane[aria-label="Person 1, left arm"]');
        return [...lane.querySelectorAll('.mark')].map(n => n.className);""")
    assert marks == ["mark box", "mark state"]
    assert browser.js("return document.querySelectorAll('.lane[aria-label=\"Missed persons\"] .mark').length") == 1
    drawn = browser.js(DRAWN)
    browser.js("document.querySelector('[name=mistakes]').click()")
    assert browser.js(DRAWN) < drawn
    assert "ends after 25 frames" in browser.js("return document.getElementById('warning-list').textContent")


def test_text_of_a_parse_is_never_more_than_text(browser: Browser, video: Path, tmp_path: Path) -> None:
    parse = replace(example(), action=HOSTILE, action_scores={HOSTILE: 1.0}, warnings=(HOSTILE,), explanation=HOSTILE)
    frames = tuple(replace(f, persons=(person(1, 10, HOSTILE),)) for f in parse.frames)
    page = write_report(replace(parse, frames=frames), tmp_path / "v", source=video)
    browser.size(1600)
    browser.open(page)
    assert browser.complaints() == []
    assert browser.js("return document.images.length") == 0
    assert browser.js("return document.getElementById('explanation').textContent") == HOSTILE
    assert browser.driver.title == f"v: {HOSTILE}".replace("_", " ")


def test_a_page_that_holds_its_video_can_be_sent_alone(browser: Browser, video: Path, tmp_path: Path) -> None:
    page = write_report(example(), tmp_path / "v", source=video, embed=True)
    (tmp_path / "v" / "video.mp4").unlink()
    browser.size(1600)
    browser.open(page)
    browser.wait("document.getElementById('video').readyState >= 2")
    browser.keys("\ue014")
    assert clock(browser) == pytest.approx(TIMES[1], abs=0.006)
    assert browser.complaints() == []
    assert {url.partition(",")[0] for url in browser.requests()} <= {page.as_uri(), "data:video/mp4;base64"}


def test_without_its_video_the_page_still_plays(browser: Browser, tmp_path: Path) -> None:
    page = write_report(example(), tmp_path / "v")
    browser.size(1600)
    browser.open(page)
    assert "no video" in browser.js("return document.getElementById('warning-list').textContent")
    assert browser.js(DRAWN) > 500
    browser.keys(" ")
    browser.wait("parseFloat(document.getElementById('clock').textContent) > 0.5")
    assert browser.complaints() == []


def test_a_stretch_is_shown_at_its_own_times(browser: Browser, video: Path, tmp_path: Path) -> None:
    whole = example()
    frames = tuple(frame for frame in whole.frames if 0.4 <= frame.time_seconds < 1.3)
    start = min(time for time in TIMES if time >= 0.4)
    num_frames = sum(0.4 <= time < 1.3 for time in TIMES)
    info = replace(whole.video, num_frames=num_frames, duration_seconds=1.3 - start)
    segments = (SegmentParse(start, 1.3, 5, 17),)
    page = write_report(replace(whole, frames=frames, segments=segments, video=info), tmp_path / "v", source=video)
    browser.size(1600)
    browser.open(page)
    browser.wait("document.getElementById('video').readyState >= 2")
    assert clock(browser) == pytest.approx(start, abs=0.006)
    browser.keys("\ue014")
    assert clock(browser) == pytest.approx(TIMES[TIMES.index(start) + 1], abs=0.006)
    assert math.isclose(browser.js("return document.getElementById('video').duration"), 1.3 - start, abs_tol=0.2)
