"""The way from the picture of a camera to the frame of a video: the lens bends it, bars and borders frame it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import NO_PERSON, Floats
from actparse.synth.drawing.texture import any_color

Image = NDArray[np.uint8]
Singles = NDArray[np.float32]
Size = tuple[int, int]
ITERATIONS = 12  # to invert the lens; each one makes the error several times smaller
LIMIT = 1.3  # points farther from the middle than this multiple of the half sides keep their distance to that rim
MIN_PICTURE = 32  # sides of the picture between the bars, pixels


@dataclass(frozen=True)
class FrameLens:
    """A lens that bends straight lines, a shutter that reads row after row, and the bars around the picture.

    `curvature` is the relative change of the magnification from the middle to the corners: above 0 for a barrel.
    `wobble` is by how many pixels the rows are shifted at most while the camera shakes.
    """

    frame: Size  # (height, width) of the video, pixels
    corner: tuple[int, int]  # (x, y) of the picture in the frame
    size: Size  # (height, width) of the picture
    curvature: float = 0.0
    wobble: float = 0.0
    wobble_hertz: float = 4.0
    bars: tuple[int, int, int] | None = None  # colour around the picture; None: the picture itself, large and blurred

    @cached_property
    def _scale(self) -> float:
        """The factor by which the picture is enlarged so that its bent border reaches the border of the frame."""
        height, width = self.size
        rim = np.array([[0, 0], [width / 2, 0], [0, height / 2]], float)
        half = np.array([width, height]) / 2
        reach = np.abs(self._radial(rim - half)) / half
        return float(1 / reach.max())

    def _radial(self, offsets: Floats) -> Floats:
        """Return offsets from the middle (..., 2) times the magnification there."""
        half_diagonal = np.hypot(*self.size) / 2
        radius = (offsets**2).sum(axis=-1, keepdims=True) / half_diagonal**2
        bent: Floats = offsets * (1 + self.curvature * radius)
        return bent

    def _row_shift(self, y: Floats, time_seconds: float) -> Floats:
        """Return the shift (...) of rows at `y` in a shaking camera with a rolling shutter, pixels."""
        phase = 2 * np.pi * self.wobble_hertz * (time_seconds + 0.03 * y / self.size[0])
        shift: Floats = self.wobble * np.sin(phase)
        return shift

    def source(self, points: Floats, time_seconds: float) -> Floats:
        """Return where the camera without a lens sees what the picture shows at points (..., 2)."""
        half = np.array(self.size[::-1]) / 2
        straight = half + self._scale * self._radial(points - half)
        straight[..., 0] += self._row_shift(points[..., 1], time_seconds)
        return straight

    def to_frame(self, points: Floats, time_seconds: float) -> Floats:
        """Return where the frame shows points (..., 2) that a pinhole camera sees, pixels."""
        if not (self.curvature or self.wobble):
            return points + self.corner
        half = np.array(self.size[::-1]) / 2
        limit = LIMIT * half  # farther away a lens may not be invertible; such points are outside the frame
        near = half + np.clip(points - half, -limit, limit)
        bent = near.copy()
        for _ in range(ITERATIONS):
            bent = bent - (self.source(bent, time_seconds) - near) * 0.8
        return bent + (points - near) + self.corner

    @cached_property
    def _grid(self) -> tuple[Singles, Singles]:
        height, width = self.size
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        half = np.array([width, height]) / 2
        straight = half + self._scale * self._radial(np.stack((x, y), axis=-1) - half) - 0.5
        columns, lines = (np.ascontiguousarray(straight[..., axis], np.float32) for axis in (0, 1))
        return columns, lines

    def bend(self, image: Image, ids: Image, time_seconds: float) -> tuple[Image, Image]:
        """Return the picture (H, W, 3) and the id plane (H, W) as the lens and the shutter show them."""
        if not (self.curvature or self.wobble):
            return image, ids
        columns, lines = self._grid
        if self.wobble:
            shift = self._row_shift(np.linspace(0.5, self.size[0] - 0.5, self.size[0]), time_seconds)
            columns = columns + shift.astype(np.float32)[:, None]
        bent = cv2.remap(image, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        bent_ids = cv2.remap(ids, columns, lines, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0)
        return np.asarray(bent, np.uint8), np.asarray(bent_ids, np.uint8)

    def put_in_frame(self, image: Image, ids: Image) -> tuple[Image, Image]:
        """Return the frame and its id plane: the picture between its bars, which belong to nobody."""
        if self.size == self.frame:
            return image, ids
        height, width = self.frame
        if self.bars is None:
            tiny = cv2.resize(image, (max(4, width // 8), max(4, height // 8)), interpolation=cv2.INTER_AREA)
            soft = cv2.GaussianBlur(tiny, (0, 0), 2.0)
            frame = np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        else:
            frame = np.empty((height, width, 3), np.uint8)
            frame[:] = self.bars
        frame_ids = np.full(self.frame, NO_PERSON, np.uint8)
        x, y = self.corner
        window = (slice(y, y + self.size[0]), slice(x, x + self.size[1]))
        frame[window], frame_ids[window] = image, ids
        return frame, frame_ids


def draw_lens(rng: np.random.Generator, frame: Size, *, bars_share: float) -> FrameLens:
    """Draw the lens and the bars of a video whose frames have this (height, width); `bars_share` have bars."""
    corner, size = (0, 0), frame
    bars: tuple[int, int, int] | None = (0, 0, 0)
    if rng.random() < bars_share:
        corner, size = _draw_bars(rng, frame)
        color = any_color(rng).astype(int)
        kinds: list[tuple[int, int, int] | None] = [(0, 0, 0), (0, 0, 0), None, None, (255, 255, 255)]
        kinds.append((int(color[0]), int(color[1]), int(color[2])))
        bars = kinds[int(rng.integers(len(kinds)))]
    curvature = float(np.clip(rng.normal(0.02, 0.04), -0.08, 0.16)) if rng.random() < 0.5 else 0.0
    wobble = float(rng.uniform(0.3, 1.6) * frame[0] / 240) if rng.random() < 0.15 else 0.0
    return FrameLens(frame, corner, size, curvature, wobble, float(rng.uniform(2, 7)), bars)


def _draw_bars(rng: np.random.Generator, frame: Size) -> tuple[tuple[int, int], Size]:
    """Draw the (x, y) and the (height, width) of the picture: bars above and below, at the sides, or all round."""
    height, width = frame
    kind = rng.random()
    across = rng.uniform(0.4, 0.9) if kind >= 0.5 else 1.0
    down = rng.uniform(0.6, 0.92) if kind < 0.5 or kind > 0.85 else 1.0
    if kind > 0.85:  # a picture in a picture
        across = rng.uniform(0.6, 0.9)
    if height > width and kind < 0.5:  # a wide picture on a phone
        down = rng.uniform(0.42, 0.8)
    size = (max(MIN_PICTURE, round(height * down)), max(MIN_PICTURE, round(width * across)))
    free = (height - size[0], width - size[1])
    if rng.random() < 0.8:
        return (free[1] // 2, free[0] // 2), size
    return (int(rng.integers(0, free[1] + 1)), int(rng.integers(0, free[0] + 1))), size
