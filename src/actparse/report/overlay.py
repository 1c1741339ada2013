"""A parse drawn over its video: boxes, skeletons, parts in fixed colours, states beside people, the action below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.errors import VideoError
from actparse.export.angles import MIN_CONFIDENCE
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
MIN_PART_SCORE = 0.1  # of a part that is drawn
QUIET_STATES = ("none",)  # not worth a label
FONT, WEIGHT = cv2.FONT_HERSHEY_SIMPLEX, 1  # the weight that labels are measured with; text grows by its scale
SHADE = 0.25  # of the picture's brightness under a label
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
    def thin(self) -> int:
        """Width of a part's box, pixels."""
        return max(1, round(0.8 * self.scale))

    @property
    def limb(self) -> int:
        """Width of a limb, pixels."""
        return max(2, round(2 * self.scale))

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
        VideoError: the source cannot be read, or has no frame in the range.
        OutputError: `out` cannot be written.
    """
    lines = TrackLines(parse.frames, min_score=MIN_PERSON_SCORE)
    factor = max(1, -(-MIN_SHORT_SIDE // min(parse.video.width, parse.video.height)))
    size = picture_size((parse.video.height, parse.video.width), factor)
    with read_frames(video, time_range=time_range) as reader:
        frames = iter(reader)
        first = next(frames, None)
        if first is None:
            raise VideoError(f"{video}: needs at least one frame in the asked time, got none")
        heard = (first.time_seconds, time_range[1] if time_range else None)
        with VideoWriter(out, size=size, audio_from=video, time_range=heard) as writer:
            title, sides = caption(parse), dict[int, int]()
            for frame in chain([first], frames):
                time = frame.time_seconds
                picture = draw_frame(frame.image, lines.at(time), title, time, factor=factor, sides=sides)
                writer.write(picture, time - first.time_seconds)


def picture_size(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """(height, width) of the picture of a frame of `size`: enlarged, with the caption's bar below it."""
    height, width = size[0] * factor, size[1] * factor
    return height + round(BAR * min(height, width)), width


def caption(parse: VideoParse) -> str:
    """What the bar says of the video."""
    return parse.verdict_text


def draw_frame(
    image: Image,
    persons: Sequence[PersonAt],
    title: str,
    time_seconds: float,
    *,
    factor: int = 1,
    sides: dict[int, int] | None = None,
) -> Image:
    """One picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        persons: who is in it, pixels of `image`.
        title: text of the caption.
        time_seconds: shown at the caption's right end.
        factor: the picture is that many times as large as the image.
        sides: where labels stood in the frame before, by track; updated in place, so that they do not jump.

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
    _draw_labels(picture, scaled, pen, sides)
    bar = np.full((round(BAR * min(picture.shape[:2])), picture.shape[1], 3), INK, np.uint8)
    _write_caption(bar, title, f"{time_seconds:.1f} s", pen)
    return np.concatenate((picture, bar))


def _draw_person(picture: Image, person: PersonAt, pen: Pen) -> None:
    for row, name in enumerate(PARTS):
        if person.part_scores[row] >= MIN_PART_SCORE:
            _draw_box(picture, person.parts[row], side_color(name), pen.thin)
    _draw_box(picture, person.box, PAPER, pen.line)
    draw_skeleton(picture, person.keypoints, pen)


def _draw_box(picture: Image, box: NDArray[np.float64], color: Color, width: int) -> None:
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), color, width, cv2.LINE_AA)


def draw_skeleton(picture: Image, keypoints: NDArray[np.float64], pen: Pen) -> None:
    """Limbs and joints of keypoints (17, 3), each on a dark rim that keeps it off the picture's own colours."""
    points = [(round(float(x)), round(float(y))) for x, y in keypoints[:, :2]]
    seen = keypoints[:, 2] >= MIN_CONFIDENCE
    limbs = [(start, end) for start, end in SKELETON if seen[start] and seen[end]]
    for start, end in limbs:
        cv2.line(picture, points[start], points[end], INK, pen.limb + 2 * pen.thin, cv2.LINE_AA)
    for start, end in limbs:
        sides = side_color(KEYPOINTS[start]), side_color(KEYPOINTS[end])
        color = sides[0] if sides[0] == sides[1] else MIDDLE
        cv2.line(picture, points[start], points[end], color, pen.limb, cv2.LINE_AA)
    for row in np.flatnonzero(seen):
        cv2.circle(picture, points[row], pen.limb, side_color(KEYPOINTS[row]), -1, cv2.LINE_AA)


def _draw_number(picture: Image, person: PersonAt, labels: Sequence[tuple[int, int, int, int]], pen: Pen) -> None:
    """The number that the label says too, in the first corner of the box that no label (x1, y1, x2, y2) hides."""
    text = str(person.track_id)
    width, height, _ = text_size([(text, PAPER)], pen.text)
    x1, y1 = (max(0, round(float(v))) for v in person.box[:2])
    x2 = min(picture.shape[1], round(float(person.box[2]))) - width
    y2 = min(picture.shape[0], round(float(person.box[3]))) - height
    for x, y in ((x1, y1), (x2, y1), (x1, y2), (x2, y2)):
        if not any(x < right and left < x + width and y < low and top < y + height for left, top, right, low in labels):
            cv2.rectangle(picture, (x, y), (x + width, y + height), PAPER, -1)
            _write(picture, text, (x + (height // 3), y + round(0.75 * height)), INK, pen)
            return


def _write(picture: Image, text: str, at: tuple[int, int], color: Color, pen: Pen) -> None:
    cv2.putText(picture, text, at, FONT, pen.text, color, WEIGHT, cv2.LINE_AA)


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


def _draw_labels(picture: Image, persons: Sequence[PersonAt], pen: Pen, sides: dict[int, int] | None) -> None:
    """A column beside each person with something to say, and everybody's number."""
    said = [(person, state_lines(person.states)) for person in persons]
    labels = [Label(p.box, [(f"person {p.track_id}", PAPER), *lines], p.track_id) for p, lines in said if lines]
    drawn = []
    for label, (x, y) in place_labels(labels, (picture.shape[0], picture.shape[1]), pen.text, sides):
        _draw_label(picture, label, x, y, pen)
        width, height, _ = text_size(label.lines, pen.text)
        drawn.append((x, y, x + width, y + height))
    for person in persons:
        _draw_number(picture, person, drawn, pen)


def _draw_label(picture: Image, label: Label, x: int, y: int, pen: Pen) -> None:
    width, height, line_height = text_size(label.lines, pen.text)
    area = picture[max(y, 0) : y + height, max(x, 0) : x + width]
    area[:] = cv2.convertScaleAbs(area, alpha=SHADE, beta=(1 - SHADE) * INK[0])
    for number, (text, color) in enumerate(label.lines):
        _write(picture, text, (x + line_height // 3, y + round((number + 0.85) * line_height)), color, pen)


def _write_caption(bar: Image, title: str, clock: str, pen: Pen) -> None:
    """The title at the left, smaller where it would run into the clock at the right."""
    height, width = bar.shape[:2]
    scale = pen.text * 1.5
    base, margin = round(height * 0.68), height // 3
    clock_width, title_width = (cv2.getTextSize(text, FONT, scale, WEIGHT)[0][0] for text in (clock, title))
    room = width - clock_width - 3 * margin
    title_scale = scale * min(1.0, room / max(title_width, 1))
    cv2.putText(bar, title, (margin, base), FONT, title_scale, PAPER, WEIGHT, cv2.LINE_AA)
    cv2.putText(bar, clock, (width - clock_width - margin, base), FONT, scale, PAPER, WEIGHT, cv2.LINE_AA)
