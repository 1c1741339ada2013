"""Pictures as players show them: upright, not mirrored, with square pixels and ordinary colours, all of one size."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.video.pictures.filters import build_graph, frame_layout
from actparse.video.pictures.hdr import SdrConverter, needs_conversion
from actparse.video.pictures.yuv import Matrix, Yuv420, frame_to_yuv, matrix_of

Plane = NDArray[np.uint8]
MAX_STRETCHED_SIDE = 16384  # pixels; pixels that are not square do not make a picture wider than this
UNKNOWN_SIDE_DATA = range(28, 64)  # kinds that PyAV does not list; 31 is EXIF. Source: FFmpeg's AVFrameSideDataType


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to place a picture: first the axes are exchanged, then each axis may be reversed."""

    is_transposed: bool = False
    is_x_reversed: bool = False
    is_y_reversed: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Orientation:
        """Return the orientation that a frame's display matrix is nearest to."""
        matrix = _display_matrix(frame)
        if matrix is None:
            return cls()
        a, b, _, c, d, *_ = matrix  # a point (x, y) is shown at (a x + c y, b x + d y). Source: QuickTime file format
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def rotation_degrees(self) -> int:
        """The turn counterclockwise, 0, 90, 180 or 270; a mirrored picture is then also reversed left to right."""
        if self.is_transposed:
            return 90 if self.is_y_reversed else 270
        return 180 if self.is_y_reversed else 0

    def apply(self, plane: Plane) -> Plane:
        """Return the plane (H, W) or (H, W, C) as it is shown."""
        turned = plane.swapaxes(0, 1) if self.is_transposed else plane
        y, x = (slice(None, None, -1 if reverse else 1) for reverse in (self.is_y_reversed, self.is_x_reversed))
        return plane if self == Orientation() else np.ascontiguousarray(turned[y, x])


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers of a frame's display matrix, row by row, or None."""
    try:
        side_data = frame.side_data
    except ValueError:  # PyAV lists no side data at all if a kind is unknown to it, such as the EXIF of a photo
        graph = build_graph(frame, *(("sidedata", {"mode": "delete", "type": str(kind)}) for kind in UNKNOWN_SIDE_DATA))
        graph.push(frame)
        side_data = graph.vpull().side_data
    data = cast(SideDataContainer, side_data).get("DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", bytes(data)[:36])


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Return the width of a pixel over its height; 1 if the file does not state it."""
    aspect = stream.sample_aspect_ratio
    return Fraction(aspect) if aspect is not None and aspect > 0 else Fraction(1)


def square_size(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """Return the (height, width) with square pixels of a picture whose pixels have this aspect; the height is kept.

    A picture that would be wider than MAX_STRETCHED_SIDE loses height instead.
    """
    height, width = size
    stretched = max(1, round(width * aspect))
    limit = max(width, MAX_STRETCHED_SIDE)
    if stretched > limit:
        return max(1, round(height * limit / stretched)), limit
    return height, stretched


class UprightImages:
    """Converts decoded frames to pictures as they are shown, all of the first frame's size."""

    def __init__(self, aspect: Fraction = Fraction(1), cropping: tuple[int, int, int, int] = (0, 0, 0, 0)) -> None:
        """Prepare for frames whose pixels have this width over height, less `cropping_of` their container."""
        self.orientation = Orientation()
        self.size: tuple[int, int] | None = None  # (height, width) of the images; None before the first frame
        self.size_changed = False  # whether a later frame had another size
        self._aspect, self._cropping = aspect, cropping
        self._cropper: tuple[tuple[int, int, str], Graph] | None = None  # with the layout of the frames it is for
        self._coded_size: tuple[int, int] | None = None  # (height, width) of the first frame in the file
        self._square_size = (0, 0)  # of the first frame with square pixels, before its orientation
        self._matrix: Matrix = "bt601"  # of the first frame
        self._to_sdr: SdrConverter | None = None  # for HDR and wide colours
        self._to_rgb, self._to_yuv = VideoReformatter(), VideoReformatter()  # shared by all frames: the set-up is slow

    @property
    def is_as_coded(self) -> bool:
        """Whether the pictures of the file are shown without a change, as far as the frames so far tell."""
        is_whole = not any(self._cropping) and self._square_size == self._coded_size
        return is_whole and self.orientation == Orientation() and self._to_sdr is None

    def picture(self, frame: av.VideoFrame) -> UprightPicture:
        """Return the frame as a picture that is converted later."""
        frame = self._cropped(frame) if any(self._cropping) else frame
        coded_size = (frame.height, frame.width)
        if self._coded_size is None:
            self._coded_size = coded_size
            self._square_size = square_size(coded_size, self._aspect)
            self.orientation = Orientation.of(frame)
            self._to_sdr = SdrConverter() if needs_conversion(frame) else None
            self._matrix = matrix_of(frame) if self._to_sdr is None else "bt709"
            self.size = self._square_size[::-1] if self.orientation.is_transposed else self._square_size
        self.size_changed |= self._coded_size != coded_size
        return UprightPicture(self, frame)

    def _cropped(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame without the pixels that players cut off; odd numbers of pixels may be rounded down."""
        layout = frame_layout(frame)
        if self._cropper is None or self._cropper[0] != layout:
            left, right, top, bottom = self._cropping
            corner = {"x": str(left), "y": str(top)}
            crop = ("crop", {"w": f"iw-{left + right}", "h": f"ih-{top + bottom}", **corner})
            self._cropper = layout, build_graph(frame, crop)
        self._cropper[1].push(frame)
        return cast(av.VideoFrame, self._cropper[1].pull())

    def image(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Convert the frame to (H, W, 3) uint8 RGB."""
        return self.picture(frame).image()

    def rgb_of(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Convert a frame that was passed to `picture` to (H, W, 3) uint8 RGB."""
        height, width = self._square_size
        ordinary = frame if self._to_sdr is None else self._to_sdr(frame)
        return self.orientation.apply(
            np.asarray(self._to_rgb.reformat(ordinary, width, height, format="rgb24").to_ndarray())
        )

    def yuv_of(self, frame: av.VideoFrame) -> Yuv420:
        """Convert a frame that was passed to `picture` to YUV, often without a copy; do not change it in place."""
        ordinary = frame if self._to_sdr is None else self._to_sdr(frame)
        coded = frame_to_yuv(ordinary, self._to_yuv, size=self._square_size, matrix=self._matrix)
        return coded.changed(self.orientation.apply)


class UprightPicture:
    """A decoded frame that is converted to an image only on demand."""

    def __init__(self, images: UprightImages, frame: av.VideoFrame) -> None:
        self._images, self._frame = images, frame

    def image(self) -> NDArray[np.uint8]:
        """Convert the frame to (H, W, 3) uint8 RGB."""
        return self._images.rgb_of(self._frame)

    def yuv(self) -> Yuv420:
        """Convert the frame to YUV, without a copy if possible; do not change it in place."""
        return self._images.yuv_of(self._frame)
