"""Thumbnails of a video's worst frame, with true and predicted boxes and the incorrect parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup

from actparse.core.errors import VideoError
from actparse.data.submission import FRAME_NAME, TpsFiles, frame_index
from actparse.metrics.outcomes import OUTCOMES, Outcome
from actparse.report.charts import boxes_on_picture
from actparse.report.evaluation import RunFigures, VideoFigures
from actparse.report.inline import data_url, jpeg
from actparse.video.decode import read_frames

LONG_SIDE = 360  # pixels of a thumbnail
JPEG_QUALITY = 72


@dataclass(frozen=True)
class Picture:
    """A frame as a JPEG in a data URL; `size` (height, width) is that of the original frame, pixels."""

    url: str
    size: tuple[int, int]

    @classmethod
    def of_frame(cls, path: Path, index: int) -> Picture | None:
        """Read a frame of a video; None if the video is shorter or cannot be read."""
        try:
            with read_frames(path) as reader:
                image = next((frame.image for frame in reader if frame.index == index), None)
        except VideoError:
            return None  # the score does not depend on it, and the page reports that there is no picture
        if image is None:
            return None
        height, width = image.shape[:2]
        scale = min(1.0, LONG_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return cls(data_url(jpeg(small, quality=JPEG_QUALITY), "image/jpeg"), (height, width))


class Pictures:
    """Frames of the available videos, each read only once."""

    def __init__(self, videos: Mapping[str, Path]) -> None:
        """Read frames from `videos`, files by name."""
        self._videos = videos
        self._read: dict[tuple[str, str], Picture | None] = {}

    def frame(self, video: str, name: str) -> Picture | None:
        """Return the frame with that name; None if the video is not available, cannot be read, or is shorter."""
        if (video, name) not in self._read:
            path = self._videos.get(video)
            readable = path is not None and FRAME_NAME.fullmatch(name)
            self._read[video, name] = Picture.of_frame(path, frame_index(name)) if path and readable else None
        return self._read[video, name]


def thumbnail(pictures: Pictures, truth: TpsFiles, run: RunFigures, video: VideoFigures) -> Markup | None:
    """Draw the video's worst frame with true and predicted persons and the incorrect parts; None without a picture."""
    frame = video.worst_frame
    picture = pictures.frame(video.name, frame) if frame else None
    if frame is None or picture is None:
        return None
    true = truth.parts[video.name][frame]["humans"]
    predicted = (run.run.files.parts[video.name].get(frame) or {"humans": []})["humans"]
    wrong = wrong_parts(run, video)
    boxes = [
        *(("wrong", box, fault) for box, fault in wrong),
        *(("true", human["box"], "person, truth") for human in true),
        *(("predicted", human["box"], "person, predicted") for human in predicted),
    ]
    label = f"{video.name}, {frame.removesuffix('.json')}: {len(true)} persons in truth, {len(predicted)} predicted, "
    return boxes_on_picture(picture.url, picture.size, boxes, label=f"{label}{len(wrong)} parts wrong")


def wrong_parts(run: RunFigures, video: VideoFigures) -> list[tuple[Any, str]]:
    """Return the true box (4,) and the fault of every part of the worst frame that does not count."""
    table = run.table
    frames = [
        index
        for index in np.flatnonzero(table.frame_video == table.videos.index(video.name))
        if table.frame_names[index] == video.worst_frame
    ]
    indices = np.flatnonzero(np.isin(table.part_frame, frames))
    outcomes = run.shares[indices].argmax(axis=1)
    return [
        (table.part_box[row], f"{table.names[table.part_name[row]]}: {OUTCOMES[code].value}")
        for row, code in zip(indices, outcomes, strict=True)
        if OUTCOMES[code] not in (Outcome.RIGHT, Outcome.HEDGED)
    ]
