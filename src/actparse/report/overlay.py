"""A parse drawn over its video: boxes, skeletons, parts in fixed colours, states beside people, the action below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.report.labels import Label, place_labels, text_size
from actparse.report.tracks import PersonAt, TrackLines
from actparse.structures import VideoParse
from actparse.video.decode import TimeRange, read_frames
from actparse.video.encode import VideoWriter
from actparse.vocabulary import GROUP_PARTS, KEYPOINTS, PARTS, SKELETON

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

LEFT: Color = (255, 150, 40)  # RGB; the person's left side is warm, the right one cold
RIGHT: Color = (60, 160, 255)
MIDDLE: Color = (150, 225, 110)
PAPER: Color = (245, 245, 240)
INK: Color = (20, 20, 24)
MIN_SHORT_SIDE = 480  # pixels; smaller videos are enlarged by a whole factor, so that text can be read
MIN_PERSON_SCORE = 0.3  # of a person who is drawn
MIN_CONFIDENCE = 0.25  # of a keypoint that is drawn
MIN_PART_SCORE = 0.1  # of a part that is drawn
QUIET_STATES = ("none",)  # not worth a label
BAR = 0.075  # height of the caption over the picture's short side


@dataclass(frozen=True)
class Pen:
    """Sizes that follow the picture's."""

    scale: float  # output pixels per 480

    @classmethod
    def for_size(cls, size: tuple[int, int]) -> Pen:
        """The pen of a picture of (height, width)."""
        return cls(min(size) / MIN_SHORT_SIDE)

    @property
    def line(self) -> int:
        """Width of a line, pixels."""
        return max(1, round(1.3 * self.scale))

    @property
    def text(self) -> float:
        """Scale of OpenCV's font."""
        return 0.42 * self.scale


def side_color(name: str) -> Color:
    """The colour of a part's or keypoint's side."""
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE


def write_overlay(parse: VideoParse, video: Path, out: Path, *, time_range: TimeRange | None = None) -> None:
    """Draw a parse over every frame of its video; between sampled frames boxes move along their tracks.

    Args:
        parse: of this video and this time range.
        video: the source; its timestamps and its sound are kept.
        out: an MP4 file, whole or not there.
        time_range: (start, end) in seconds, as it was parsed.

    Raises:
        VideoError: the source cannot be read.
        OutputError: `out` cannot be written.
    """
    lines = TrackLines(parse.frames, min_score=MIN_PERSON_SCORE)
    factor = max(1, -(-MIN_SHORT_SIDE // min(parse.video.width, parse.video.height)))
    size = picture_size((parse.video.height, parse.video.width), factor)
    start: float | None = None
    with VideoWriter(out, size=size, audio_from=video, time_range=time_range) as writer:
        for frame in read_frames(video, time_range=time_range):
            start = frame.time_seconds if start is None else start
            persons = lines.at(frame.time_seconds)
            picture = draw_frame(frame.image, persons, caption(parse), frame.time_seconds, factor=factor)
            writer.write(picture, frame.time_seconds - start)


def picture_size(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """(height, width) of the picture of a frame of `size`: enlarged, with the caption's bar below it."""
    height, width = size[0] * factor, size[1] * factor
    return height + round(BAR * min(height, width)), width


def caption(parse: VideoParse) -> str:
    """What the bar says of the video."""
    return f"{parse.action.replace('_', ' ')}  {parse.action_scores.get(parse.action, 0.0):.0%}"


def draw_frame(image: Image, persons: Sequence[PersonAt], title: str, time_seconds: float, *, factor: int = 1) -> Image:
    """One picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        persons: who is in it, pixels of `image`.
        title: text of the caption.
        time_seconds: shown at the caption's right end.
        factor: the picture is that many times as large as the image.

    Returns:
        Of `picture_size`, uint8 RGB.
    """
    picture: Image = image.copy()
    if factor != 1:
        size = (image.shape[1] * factor, image.shape[0] * factor)
        picture = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    pen = Pen.for_size((picture.shape[0], picture.shape[1]))
    scaled = [person.scaled(float(factor)) for person in persons]
    for person in scaled:
        _draw_person(picture, person, pen)
    _draw_labels(picture, scaled, pen)
    bar = np.full((round(BAR * min(picture.shape[:2])), picture.shape[1], 3), INK, np.uint8)
    _write_caption(bar, title, f"{time_seconds:.1f} s", pen)
    return np.concatenate((picture, bar))


def _draw_person(picture: Image, person: PersonAt, pen: Pen) -> None:
    x1, y1, x2, y2 = (round(float(v)) for v in person.box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), PAPER, pen.line, cv2.LINE_AA)
    for row, name in enumerate(PARTS):
        if person.part_scores[row] >= MIN_PART_SCORE:
            a, b, c, d = (round(float(v)) for v in person.parts[row])
            cv2.rectangle(picture, (a, b), (c, d), side_color(name), pen.line, cv2.LINE_AA)
    points = person.keypoints
    for start, end in SKELETON:
        if min(points[start, 2], points[end, 2]) >= MIN_CONFIDENCE:
            names = KEYPOINTS[start], KEYPOINTS[end]
            color = side_color(names[0]) if side_color(names[0]) == side_color(names[1]) else MIDDLE
            ends = [(round(float(x)), round(float(y))) for x, y in points[[start, end], :2]]
            cv2.line(picture, ends[0], ends[1], color, pen.line + 1, cv2.LINE_AA)
    for name, (x, y, confidence) in zip(KEYPOINTS, points, strict=True):
        if confidence >= MIN_CONFIDENCE:
            cv2.circle(picture, (round(float(x)), round(float(y))), pen.line + 1, side_color(name), -1, cv2.LINE_AA)


def state_lines(states: dict[str, str]) -> list[tuple[str, Color]]:
    """What a person's label says: a line for each group with something to say, both sides in one where they agree."""
    lines: list[tuple[str, Color]] = []
    for group, parts in GROUP_PARTS.items():
        said = {part: states[part] for part in parts if part in states}
        if len(parts) == 2 and len(said) == 2 and len(set(said.values())) == 1:
            said = {f"{group.replace('foot', 'feet') if group == 'foot' else group + 's'}": next(iter(said.values()))}
        for part, state in said.items():
            if state not in QUIET_STATES:
                short = part.replace("left_", "L ").replace("right_", "R ")
                lines.append((f"{short}: {state.replace('_', ' ')}", side_color(part)))
    return lines


def _draw_labels(picture: Image, persons: Sequence[PersonAt], pen: Pen) -> None:
    labels = [
        Label(person.box, [(f"person {person.track_id}", PAPER), *state_lines(person.states)]) for person in persons
    ]
    for label, (x, y) in place_labels(labels, (picture.shape[0], picture.shape[1]), pen.text):
        if label.lines:
            _draw_label(picture, label, x, y, pen)


def _draw_label(picture: Image, label: Label, x: int, y: int, pen: Pen) -> None:
    width, height, line_height = text_size(label.lines, pen.text)
    area = picture[max(y, 0) : y + height, max(x, 0) : x + width]
    area[:] = (area * 0.35 + np.array(INK) * 0.65).astype(np.uint8)
    for number, (text, color) in enumerate(label.lines):
        at = (x + line_height // 3, y + round((number + 0.85) * line_height))
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, pen.text, color, max(1, round(pen.scale)), cv2.LINE_AA)


def _write_caption(bar: Image, title: str, clock: str, pen: Pen) -> None:
    height, width = bar.shape[:2]
    scale, thick = pen.text * 1.5, max(1, round(1.4 * pen.scale))
    base, margin = round(height * 0.68), height // 3
    (clock_width, _), _ = cv2.getTextSize(clock, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    cv2.putText(bar, title, (margin, base), cv2.FONT_HERSHEY_SIMPLEX, scale, PAPER, thick, cv2.LINE_AA)
    at = (width - clock_width - margin, base)
    cv2.putText(bar, clock, at, cv2.FONT_HERSHEY_SIMPLEX, scale, PAPER, thick, cv2.LINE_AA)
