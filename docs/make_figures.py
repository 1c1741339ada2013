"""The figures of docs/concepts.md: what each stage makes of the demo's clip, drawn with the bundled weights.

python docs/make_figures.py      # again after a change of the weights or of the stages
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from actparse import Parser
from actparse.app.demo import DEMO_PLAN
from actparse.core.files import write_text
from actparse.core.structures import FrameParse, PersonParse, VideoParse
from actparse.core.vocabulary import PARTS
from actparse.export import StateInterval, state_intervals
from actparse.report.labels import text_size
from actparse.report.overlay import INK, LEFT, MIDDLE, PAPER, RIGHT, Color, Pen, draw_skeleton, side_color
from actparse.stages.inputs import stack_images
from actparse.stages.people.dots import draw_dots
from actparse.stages.people.person_crops import square_crops
from actparse.synth.dataset import write_dataset
from actparse.video.decode import read_frames

Image = NDArray[np.uint8]

FIGURES = Path(__file__).parent / "figures"
ENLARGED = 2  # pixels of a picture of the frame for each pixel of the frame
CROP_SIDE = 480  # pixels of a picture of a crop
MIN_PERSON_SCORE = 0.3  # as in the overlay
TEXT_SCALE = 0.5  # of OpenCV's font
STATE_FILLS = ("#8ec5ff", "#ffc078", "#96dfb0", "#d9b3ff", "#ffe066", "#ffb0c0", "#7ee0dc", "#d8c3a5")
QUIET_FILL, SHEET, TEXT, FAINT = "#e2e5ea", "#ffffff", "#16181d", "#c4cad4"
LANE, LANE_GAP, NAME_ROOM, SECOND, TOP, MARGIN = 20, 4, 92, 62, 46, 12  # lengths of lanes.svg, in its own units
LETTER = 6.2  # the width of a letter there


def main() -> None:
    """Make the clip that `actparse demo` makes, and the figures."""
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder), DEMO_PLAN)
        (plan,) = DEMO_PLAN.videos()
        make_figures(Path(folder) / f"{plan.split}_videos" / plan.action / f"{plan.name}.mp4", FIGURES)


def make_figures(video: Path, out: Path) -> list[Path]:
    """Draw every stage of one video's parse.

    Args:
        video: the source.
        out: a folder, made where it is missing.

    Returns:
        The files, in the order of the stages.
    """
    parser = Parser.load("tiny", device="cpu")
    parse = parser.parse(video)
    frame, person = clearest(parse)
    image = next(found.image for found in read_frames(video) if found.index == frame.index)
    pictures = {
        "persons.jpg": picture_of_persons(image, frame),
        **pictures_of_crop(parser, image, person),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        cv2.imwrite(str(out / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    write_text(out / "lanes.svg", lanes(parse, person.track_id))
    return [*(out / name for name in pictures), out / "lanes.svg"]


def clearest(parse: VideoParse) -> tuple[FrameParse, PersonParse]:
    """Return the frame and the person in it who is large and whose parts are detected best."""
    persons = [(frame, person) for frame in parse.frames for person in frame.persons]
    return max(persons, key=lambda pair: _height(pair[1]) * sum(part.score for part in pair[1].parts))


def _height(person: PersonParse) -> float:
    _, y1, _, y2 = person.box
    return y2 - y1


def picture_of_persons(image: Image, frame: FrameParse) -> Image:
    """Draw the frame with the box, the score and the skeleton of each person."""
    picture = np.asarray(cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC), np.uint8)
    pen = Pen.for_size((picture.shape[0], picture.shape[1]))
    for person in frame.persons:
        if person.score >= MIN_PERSON_SCORE:
            box = np.array(person.box) * ENLARGED
            draw_box(picture, box, PAPER, 2)
            draw_skeleton(picture, person.keypoint_array() * (ENLARGED, ENLARGED, 1), pen)
            write(picture, f"person {person.score:.2f}", (round(box[0]), round(box[1])), PAPER)
    return picture


def pictures_of_crop(parser: Parser, image: Image, person: PersonParse) -> dict[str, Image]:
    """Draw the person's crop as the part detector gets it: bare, with the dots, and with the parts that it finds."""
    config = parser.people.parts.config
    window = square_crops(np.array([person.box], np.float32), size=config.size, padding=config.padding)
    crop = stack_images(window.cut(image), torch.device("cpu"))  # (1, 3, S, S)
    keypoints = person.keypoint_array()[None]  # (1, 17, 3)
    keypoints[..., :2] = window.points_to_crop(keypoints[..., :2])
    assert config.dots is not None
    dotted = draw_dots(crop, torch.from_numpy(keypoints), config.dots)
    parts = enlarged(dotted)
    corners = np.array([part.box for part in person.parts], np.float32).reshape(1, -1, 2)
    boxes = window.points_to_crop(corners).reshape(-1, 4) * (CROP_SIDE / config.size)
    for part, box in zip(person.parts, boxes, strict=True):
        draw_box(parts, box, side_color(part.name), 2)
    return {"crop.jpg": enlarged(crop), "dots.jpg": enlarged(dotted), "parts.jpg": with_key(parts)}


def enlarged(crops: torch.Tensor) -> Image:
    """Return the first of crops (N, 3, S, S) as a picture."""
    crop = crops[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    return np.asarray(cv2.resize(crop, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def draw_box(picture: Image, box: Sequence[float] | NDArray[np.float32], color: Color, width: int) -> None:
    """Draw a box xyxy on a dark rim."""
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    for rim, paint in ((width + 2, INK), (width, color)):
        cv2.rectangle(picture, (x1, y1), (x2, y2), paint, rim, cv2.LINE_AA)


def write(picture: Image, text: str, at: tuple[int, int], color: Color) -> None:
    """Text on a dark plate whose upper left corner is a point, or as near to it as the picture allows."""
    width, height, line_height = text_size([(text, color)], TEXT_SCALE)
    x, y = min(at[0], picture.shape[1] - width), min(at[1], picture.shape[0] - height)
    cv2.rectangle(picture, (x, y), (x + width, y + height), INK, -1)
    at = (x + line_height // 3, y + round(0.85 * line_height))
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, color, 1, cv2.LINE_AA)


def with_key(picture: Image) -> Image:
    """Draw what the colours of the boxes mean, in the picture's corner."""
    for row, (text, color) in enumerate((("left, the person's own", LEFT), ("right", RIGHT), ("head, hip", MIDDLE))):
        write(picture, text, (0, CROP_SIDE - 60 + 20 * row), color)
    return picture


def lanes(parse: VideoParse, track_id: int) -> str:
    """Draw an SVG of one person: the segments of the video above, a lane for each body part below, over time."""
    of_person = [run for run in state_intervals(parse) if run.track_id == track_id]
    fills = state_fills(of_person)
    end = max(segment.end_seconds for segment in parse.segments)
    width = NAME_ROOM + end * SECOND + 2 * MARGIN
    bottom = TOP + len(PARTS) * (LANE + LANE_GAP)
    marks = [f'<rect width="{width:.0f}" height="{bottom + 34}" rx="8" fill="{SHEET}"/>']
    for number, segment in enumerate(parse.segments, start=1):
        left, right = across(segment.start_seconds), across(segment.end_seconds)
        marks.append(rectangle(left, MARGIN, right - left - 2, 22, FAINT, f"segment {number}"))
        marks.append(f'<path d="M{right - 1:.1f} {MARGIN}V{bottom}" stroke="{FAINT}" stroke-dasharray="3 3"/>')
    for row, part in enumerate(PARTS):
        y = TOP + row * (LANE + LANE_GAP)
        marks.append(label(MARGIN, y + 14, part.replace("_", " ")))
        for run in of_person:
            if run.part == part:
                left, right = across(run.start_seconds), across(run.end_seconds)
                marks.append(rectangle(left, y, right - left - 1, LANE, fills[run.state], run.state.replace("_", " ")))
    marks += [label(across(second), bottom + 20, f"{second} s") for second in range(0, int(end) + 1, 2)]
    title = f"The states of each body part of person {track_id} over {end:.1f} s"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {bottom + 34}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12"><title>{title}</title>\n' + "\n".join(marks) + "\n</svg>\n"
    )


def state_fills(runs: Iterable[StateInterval]) -> dict[str, str]:
    """Choose a colour for each state, the longest first; "none" is grey."""
    seconds: dict[str, float] = {}
    for run in runs:
        seconds[run.state] = seconds.get(run.state, 0.0) + run.end_seconds - run.start_seconds
    named = sorted((state for state in seconds if state != "none"), key=lambda state: -seconds[state])
    return {"none": QUIET_FILL, **{state: STATE_FILLS[n % len(STATE_FILLS)] for n, state in enumerate(named)}}


def across(seconds: float) -> float:
    """Return the x coordinate of a time."""
    return MARGIN + NAME_ROOM + seconds * SECOND


def rectangle(x: float, y: float, width: float, height: float, fill: str, said: str) -> str:
    """Draw a box with its text inside if it fits, otherwise as a tooltip."""
    box = f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="3" fill="{fill}"'
    if len(said) * LETTER + 8 > width:
        return f"{box}><title>{escape(said)}</title></rect>"
    return f"{box}/>" + label(x + 5, y + height / 2 + 4, said)


def label(x: float, y: float, text: str) -> str:
    """Text that begins at a point."""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{TEXT}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
