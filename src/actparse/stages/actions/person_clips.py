"""Clips of persons: a square around each person, along the person's track through one segment.

The clips of the paper contain the whole frame, so all persons of a segment share their states. These are a variant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import FrameParse
from actparse.stages.actions.classifier import ClipConfig, clip_frame_indices
from actparse.stages.people.person_crops import square_crops

PADDING = 1.25  # side of a square relative to the longer side of the person's box

Image = NDArray[np.uint8]  # (H, W, 3) RGB


def person_squares(image: Image, boxes: NDArray[np.float32], side: int) -> list[Image]:
    """Cut out the squares (side, side, 3) around boxes (N, 4); outside the frame they are black."""
    return square_crops(boxes, size=side, padding=PADDING).cut(image)


class PersonClips:
    """A buffer of the squares around all persons in the sampled frames of one segment."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self._squares: dict[int, list[tuple[float, Image]]] = {}  # by track, with the times of their frames

    def add(self, image: Image, frame: FrameParse) -> None:
        """Add the next sampled frame (H, W, 3) with its persons, who have track ids."""
        boxes = np.array([person.box for person in frame.persons], np.float32).reshape(-1, 4)
        squares = person_squares(image, boxes, self.config.short_side)
        for person, square in zip(frame.persons, squares, strict=True):
            self._squares.setdefault(person.track_id, []).append((frame.time_seconds, square))

    def take(self) -> dict[int, NDArray[np.uint8]]:
        """Return the clips (num_clips, T, side, side, 3) of each track, and begin the next segment."""
        clips = {}
        for track, squares in self._squares.items():
            indices = clip_frame_indices(np.array([seconds for seconds, _ in squares]), self.config)  # (num_clips, T)
            clips[track] = np.stack([np.stack([squares[index][1] for index in row]) for row in indices])
        self._squares = {}
        return clips
