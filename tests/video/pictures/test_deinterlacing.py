from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from drawn_videos import Image, difference, filtered, read_all, write_video

MOVING = 6  # pixels that the bars move from field to field


def woven(index: int, *, progressive: bool = False) -> Image:
    """Vertical bars that move between the two fields of a frame."""
    image = np.zeros((64, 96, 3), np.uint8)
    for field in range(2):
        start = MOVING * (2 * index + (0 if progressive else field))
        image[field::2, start : start + 16] = 220
    return image


def combing(image: Image) -> float:
    """How much the rows differ from the mean of their neighbours, grey levels."""
    gray = image[8:-8, :, 1].astype(int)
    return float(np.abs(gray[1:-1] - (gray[:-2] + gray[2:]) / 2).mean())


def top_field_first(frame: av.VideoFrame) -> av.VideoFrame:
    """Mark a frame as interlaced."""
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("setfield", mode="tff"), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.vpull()


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("v.mpg", "mpeg2video", "yuv420p"),
        ("v.ts", "libx264", "yuv420p"),
        ("v.mp4", "libx264", "yuv420p"),
        ("v.avi", "mpeg4", "yuv420p"),
        ("v.mkv", "ffv1", "yuv420p"),
        ("v.mov", "prores_ks", "yuv422p10le"),
    ],
    ids=["mpeg-2", "h264 in ts", "h264 in mp4", "mpeg-4", "ffv1", "prores"],
)
@pytest.mark.parametrize("num_frames", [1, 7])
def test_interlaced_frames_are_deinterlaced(
    tmp_path: Path, name: str, codec: str, pixels: str, num_frames: int
) -> None:
    options = {"flags": "+ildct+ilme", "q": "2"}
    images = map(woven, range(num_frames))
    path = tmp_path / name
    write_video(path, images, codec=codec, pixels=pixels, options=options, rate=25, mark=top_field_first)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    frames = read_all(path)
    expected = filtered(path, ["yadif=deint=interlaced"])
    assert len(frames) == len(expected) == num_frames
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 25 for n in range(num_frames)], abs=1e-4)
    assert max(difference(frame.image, image) for frame, image in zip(frames, expected, strict=True)) < 1.5
    if num_frames > 2:
        assert combing(woven(2)) > 8
        assert combing(frames[2].image) < 2
        assert combing(np.repeat(frames[2].yuv().y[..., None], 3, axis=2)) < 2


def test_a_frame_that_is_not_interlaced_stays_as_it_is(tmp_path: Path) -> None:
    frames = read_all(write_video(tmp_path / "v.mkv", map(woven, range(3)), codec="ffv1", pixels="bgr0"))
    assert all(np.array_equal(frame.image, woven(n)) for n, frame in enumerate(frames))
