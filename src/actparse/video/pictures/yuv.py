"""Pictures in YUV as video codecs store them: luma at full size, chroma at half the size, without conversion to RGB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Matrix = Literal["bt601", "bt709"]  # conversion between RGB and YUV
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
}  # weights of red and blue
BT709_TAG, BT601_TAG, LIMITED_RANGE = 1, 6, 1  # FFmpeg's codes in a file
SAME_AS_BT601 = (2, 5, 6)  # FFmpeg's codes: not stated, BT.470BG, SMPTE 170M


@dataclass(frozen=True)
class Yuv420:
    """An upright picture in limited range."""

    y: Plane  # (H, W) uint8, luma
    u: Plane  # (ceil(H / 2), ceil(W / 2)) uint8, blue difference
    v: Plane  # (ceil(H / 2), ceil(W / 2)) uint8, red difference
    matrix: Matrix

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) in pixels."""
        return self.y.shape[0], self.y.shape[1]

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Luma, then the two colour differences."""
        return self.y, self.u, self.v

    def changed(self, change: Callable[[Plane], Plane]) -> Yuv420:
        """Apply `change` to each plane and return the new picture."""
        return Yuv420(change(self.y), change(self.u), change(self.v), self.matrix)


def matrix_of(frame: av.VideoFrame) -> Matrix:
    """Return the matrix for storing a frame: BT.709 if the frame has it, else BT.601."""
    return "bt709" if frame.colorspace == BT709_TAG else "bt601"


def frame_to_yuv(
    frame: av.VideoFrame, reformatter: VideoReformatter, *, size: tuple[int, int], matrix: Matrix
) -> Yuv420:
    """Convert a decoded frame to a picture; if the format already fits, the planes are not copied.

    Args:
        frame: any size and pixel format; not changed.
        reformatter: converts frames of another size or format.
        size: (height, width) of the result.
        matrix: matrix of the result.
    """
    height, width = size
    is_in_matrix = frame.colorspace == BT709_TAG if matrix == "bt709" else frame.colorspace in SAME_AS_BT601
    is_in_range = frame.color_range in (ColorRange.UNSPECIFIED, ColorRange.MPEG)
    is_in_format = frame.format.name == "yuv420p" and (frame.height, frame.width) == size
    if not (is_in_matrix and is_in_range and is_in_format):
        space = Colorspace.ITU709 if matrix == "bt709" else Colorspace.ITU601
        frame = reformatter.reformat(
            frame, width, height, "yuv420p", dst_colorspace=space, dst_color_range=ColorRange.MPEG
        )
    y, u, v = plane_views(frame)
    return Yuv420(y, u, v, matrix)


def plane_views(frame: av.VideoFrame) -> list[Plane]:
    """Return the three planes of a yuv420p frame, as views of its memory."""
    views = []
    for plane in frame.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size].reshape(
            plane.height, plane.line_size
        )
        views.append(lines[:, : plane.width])
    return views


def yuv_to_frame(picture: Yuv420) -> av.VideoFrame:
    """Copy a picture into a frame for an encoder; both sides must be even."""
    frame = av.VideoFrame(picture.size[1], picture.size[0], "yuv420p")
    for target, plane in zip(plane_views(frame), picture.planes, strict=True):
        target[:] = plane
    return frame


@lru_cache(maxsize=100)
def rgb_to_yuv_color(color: tuple[int, int, int], matrix: Matrix) -> tuple[int, int, int]:
    """Convert an RGB colour, 0..255, to (y, u, v) in limited range. Source: ITU-R BT.601 and BT.709, section 3."""
    red_weight, blue_weight = LUMA_WEIGHTS[matrix]
    red, green, blue = (value / 255 for value in color)
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    u, v = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)  # -0.5..0.5
    return round(16 + 219 * luma), round(128 + 224 * u), round(128 + 224 * v)
