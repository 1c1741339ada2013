from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from actparse.core.errors import ShapeError
from actparse.video.decode import read_frames
from actparse.video.encode import VideoWriter
from actparse.video.pictures.yuv import (
    Matrix,
    Yuv420,
    frame_to_yuv,
    matrix_of,
    plane_views,
    rgb_to_yuv_color,
    yuv_to_frame,
)

COLORS = [(0, 0, 0), (255, 255, 255), (255, 150, 40), (60, 160, 255)]


def flat(color: tuple[int, int, int], *, size: tuple[int, int] = (32, 48)) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((*size, 3), color, np.uint8), format="rgb24")


@pytest.mark.parametrize(
    ("color", "matrix", "expected"),
    [
        pytest.param((0, 0, 0), "bt601", (16, 128, 128), id="black"),
        pytest.param((255, 255, 255), "bt709", (235, 128, 128), id="white"),
        pytest.param((255, 0, 0), "bt601", (81, 90, 240), id="red"),
        pytest.param((255, 0, 0), "bt709", (63, 102, 240), id="red, high definition"),
    ],
)
def test_a_color_is_coded(color: tuple[int, int, int], matrix: Matrix, expected: tuple[int, int, int]) -> None:
    assert rgb_to_yuv_color(color, matrix) == expected


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("color", COLORS)
def test_a_frame_of_rgb_becomes_the_same_color(color: tuple[int, int, int], matrix: Matrix) -> None:
    coded = frame_to_yuv(flat(color), VideoReformatter(), size=(32, 48), matrix=matrix)
    assert coded.size == (32, 48)
    found = [int(plane[5, 5]) for plane in coded.planes]
    assert found == pytest.approx(rgb_to_yuv_color(color, matrix), abs=2)


def test_full_range_becomes_limited() -> None:
    full = flat((255, 255, 255)).reformat(format="yuvj420p", dst_colorspace=Colorspace.ITU601)
    assert plane_views(full)[0][0, 0] == 255
    coded = frame_to_yuv(full, VideoReformatter(), size=(32, 48), matrix=matrix_of(full))
    assert (coded.y[0, 0], coded.matrix) == (235, "bt601")


def test_planes_as_asked_are_not_copied() -> None:
    frame = flat((60, 160, 255)).reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    assert matrix_of(frame) == "bt709"
    coded = frame_to_yuv(frame, VideoReformatter(), size=(32, 48), matrix="bt709")
    assert all(np.shares_memory(*pair) for pair in zip(coded.planes, plane_views(frame), strict=True))
    copied = yuv_to_frame(coded)
    assert all(np.array_equal(*pair) for pair in zip(plane_views(copied), plane_views(frame), strict=True))


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_a_file_says_how_its_colors_are_coded(tmp_path: Path, matrix: Matrix) -> None:
    y, u, v = rgb_to_yuv_color((255, 150, 40), matrix)
    picture = Yuv420(
        np.full((48, 64), y, np.uint8), np.full((24, 32), u, np.uint8), np.full((24, 32), v, np.uint8), matrix
    )
    with VideoWriter(tmp_path / "v.mp4", size=(48, 64), matrix=matrix, fast=True) as writer:
        writer.write_yuv(picture, 0.0)
        writer.write_yuv(picture, 0.1)
    (frame, _) = read_frames(tmp_path / "v.mp4")
    assert frame.yuv().matrix == matrix
    assert frame.image[20, 30].tolist() == pytest.approx([255, 150, 40], abs=6)


def test_a_picture_of_another_size_or_matrix_is_refused(tmp_path: Path) -> None:
    planes = np.zeros((48, 64), np.uint8), np.zeros((24, 32), np.uint8), np.zeros((24, 32), np.uint8)
    for size, matrix in (((50, 64), "bt601"), ((48, 64), "bt709")):
        with (
            pytest.raises(ShapeError, match="picture must have size and matrix"),
            VideoWriter(tmp_path / "v.mp4", size=size, matrix=matrix) as writer,
        ):
            writer.write_yuv(Yuv420(*planes, "bt601"), 0.0)
