from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from actparse.video.decode import read_frames
from actparse.video.pictures.deinterlacing import WovenFrames, deinterlace
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


def scene(index: int, *, order: str) -> Image:
    """A disc that moves over fine stripes and noise, in two fields of an order or whole."""
    rng = np.random.default_rng(5)
    background = (90 + 60 * (np.arange(144) // 3 % 2)[:, None] + rng.integers(-6, 7, (144, 192))).astype(np.uint8)
    y, x = np.mgrid[:144, :192]
    image = background.copy()
    for field in range(2):
        first = 0 if order == "tff" else 1
        moment = index + (0 if order == "whole" or field == first else 0.5)
        disc = (y - 70) ** 2 + (x - 40 - 9 * moment) ** 2 < 28**2
        image[field::2][disc[field::2]] = 230
    return np.repeat(image[..., None], 3, axis=2)


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("codec", "pixels", "name"), [("libx264", "yuv420p", "v.mp4"), ("ffv1", "yuv422p", "v.mkv")])
def test_interlaced_frames_without_a_mark(tmp_path: Path, order: str, codec: str, pixels: str, name: str) -> None:
    path = write_video(tmp_path / name, [scene(n, order=order) for n in range(12)], codec=codec, pixels=pixels, rate=25)
    with read_frames(path) as reader:
        frames = list(reader)
    assert reader.warnings == [f"{path}: the frames are interlaced without a mark; they are deinterlaced"]
    assert not reader.is_as_coded
    assert [frame.index for frame in frames] == list(range(12))
    expected = filtered(path, [f"setfield=mode={order}", "yadif"])
    assert max(difference(f.image, image) for f, image in list(zip(frames, expected, strict=True))[4:]) < 1.5


@pytest.mark.parametrize("speed", [0, 1, 3], ids="{} lines a frame".format)
def test_moving_stripes_are_not_taken_for_fields(tmp_path: Path, speed: int) -> None:
    stripes = np.repeat(np.repeat((np.arange(400) % 2 * 120 + 60).astype(np.uint8)[:, None, None], 64, 1), 3, 2)
    images = [np.ascontiguousarray(stripes[n * speed : n * speed + 48]) for n in range(12)]
    read_all(write_video(tmp_path / "v.mkv", images, codec="ffv1", pixels="yuv420p"))


def test_whole_frames_of_a_scene_are_not_taken_for_fields(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [scene(n, order="whole") for n in range(20)], rate=25)
    assert len(read_all(path)) == 20


def test_motion_that_begins_late_is_noticed(tmp_path: Path) -> None:
    images = [scene(0, order="tff")] * 20 + [scene(n % 16, order="tff") for n in range(32)]
    path = write_video(tmp_path / "v.mp4", images, rate=25)
    woven = WovenFrames()
    with av.open(str(path)) as container:
        frames = list(deinterlace(enumerate(container.decode(video=0)), woven))
    assert woven.order == "tff"
    assert [index for index, _ in frames] == list(range(52))
