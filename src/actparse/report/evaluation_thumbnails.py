"""The worst frame of a video as a small picture, with true and predicted boxes and the parts that are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import VideoError
from actparse.data.submission import FRAME_NAME, TpsFiles, frame_index
from actparse.metrics.outcomes import OUTCOMES, Outcome
from actparse.report.evaluation import RunFigures, VideoFigures
from actparse.report.inline import data_url, jpeg
from actparse.video.decode import read_frames

LONG_SIDE = 360  # pixels of a thumbnail
JPEG_QUALITY = 72


@dataclass(frozen=True)
class Picture:
    """A frame as a JPEG in a data URL; `size` (height, width) is the frame's own, pixels."""

    url: str
    size: tuple[int, int]


class Pictures:
    """Frames of the videos at hand, each read once."""

    def __init__(self, videos: Mapping[str, Path]) -> None:
        """Take them from `videos`, by name."""
        self._videos = videos
        self._read: dict[tuple[str, str], Picture | None] = {}

    def frame(self, video: str, name: str) -> Picture | None:
        """The frame of that name; None where the video is not at hand, cannot be read, or is shorter."""
        if (video, name) not in self._read:
            path = self._videos.get(video)
            readable = path is not None and FRAME_NAME.fullmatch(name)
            self._read[video, name] = _read_picture(path, frame_index(name)) if path and readable else None
        return self._read[video, name]


def _read_picture(path: Path, index: int) -> Picture | None:
    try:
        with read_frames(path) as reader:
            image = next((frame.image for frame in reader if frame.index == index), None)
    except VideoError:
        return None  # the score does not depend on it, and the page says that there is no picture
    return None if image is None else _to_picture(image)


def _to_picture(image: NDArray[np.uint8]) -> Picture:
    height, width = image.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return Picture(data_url(jpeg(np.asarray(small, np.uint8), quality=JPEG_QUALITY), "image/jpeg"), (height, width))


def thumbnail(picture: Picture, truth: TpsFiles, figures: RunFigures, video: VideoFigures) -> str:
    """An SVG of the video's worst frame: persons of the truth and of the predictions, and the wrong parts."""
    frame = video.worst_frame or ""
    true = truth.parts[video.name][frame]["humans"]
    found = (figures.run.files.parts[video.name].get(frame) or {"humans": []})["humans"]
    wrong = wrong_parts(figures, video)
    height, width = picture.size
    said = f"{video.name}, {frame.removesuffix('.json')}: {len(true)} persons in truth, {len(found)} predicted, "
    marks = [f'<image href="{picture.url}" width="{width}" height="{height}"/>']
    marks += [_rect("wrong", box, text) for box, text in wrong]
    marks += [_rect("true", human["box"], "person, truth") for human in true]
    marks += [_rect("predicted", human["box"], "person, predicted") for human in found]
    return (
        f'<svg class="thumbnail" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(said)}{len(wrong)} parts wrong">{"".join(marks)}</svg>'
    )


def wrong_parts(figures: RunFigures, video: VideoFigures) -> list[tuple[Any, str]]:
    """True box (4,) and what went wrong, of every part of the worst frame that does not count."""
    table = figures.table
    frames = [
        number
        for number in np.flatnonzero(table.frame_video == table.videos.index(video.name))
        if table.frame_names[number] == video.worst_frame
    ]
    rows = np.flatnonzero(np.isin(table.part_frame, frames))
    outcomes = figures.shares[rows].argmax(axis=1)
    return [
        (table.part_box[row], f"{table.names[table.part_name[row]]}: {OUTCOMES[code].value}")
        for row, code in zip(rows, outcomes, strict=True)
        if OUTCOMES[code] not in (Outcome.RIGHT, Outcome.HEDGED)
    ]


def _rect(kind: str, box: Any, said: str) -> str:
    x1, y1, x2, y2 = (float(value) for value in box)
    return (
        f'<rect class="{kind}" x="{x1:.1f}" y="{y1:.1f}" width="{max(x2 - x1, 0):.1f}" height="{max(y2 - y1, 0):.1f}">'
        f"<title>{escape(said)}</title></rect>"
    )
