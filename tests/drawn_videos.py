"""Videos that tests make: numbered pictures, encoded as a test needs them, and FFmpeg's own answer for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.video.decode import DecodedFrame, frame_times, probe, read_frames

Image = NDArray[np.uint8]
MILLISECOND = Fraction(1, 1000)
SIZE = (48, 64)


def numbered(index: int, size: tuple[int, int] = SIZE) -> Image:
    """A picture without any symmetry, whose brightness says its index."""
    image = np.full((*size, 3), 20, np.uint8)
    image[: size[0] // 2, : size[1] // 4] = 60 + 12 * (index % 16)
    image[size[0] * 3 // 4 :, :] = (30, 90, 160)
    image[:, size[1] * 7 // 8 :] = (150, 40, 60)
    return image


def write_video(
    path: Path,
    images: Iterable[Image],
    *,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    prepare: Callable[[VideoStream], None] | None = None,
    mark: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
    rate: int = 10,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format_name: str | None = None,
) -> Path:
    """Encode images at the rate, or at the given times."""
    pictures = list(images)
    stamps = [n / rate for n in range(len(pictures))] if times is None else times
    base = Fraction(1, rate) if times is None else MILLISECOND
    with av.open(str(path), "w", format=format_name, options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = pixels, base
        if prepare is not None:
            prepare(stream)
        for image, seconds in zip(pictures, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = round(seconds / base), base
            container.mux(stream.encode(frame if mark is None else mark(frame)))
        container.mux(stream.encode(None))
    return path


def read_all(path: Path, **options: float) -> list[DecodedFrame]:
    """Read a video that needs no warning; what the container says agrees with what is decoded."""
    with read_frames(path, **options) as reader:
        frames = list(reader)
    assert reader.warnings == []
    assert reader.info == probe(path, **options)
    assert frame_times(path, **options).tolist() == [frame.time_seconds for frame in frames]
    return frames


def indices_of(frames: Sequence[DecodedFrame]) -> list[int]:
    """The indices that the brightness of the frames says."""
    return [round((float(frame.image[4:20, 2:14].mean()) - 60) / 12) for frame in frames]


def filtered(path: Path, filters: Sequence[str]) -> list[Image]:
    """The frames of a file through a chain of FFmpeg's filters."""
    images = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = Graph()
        nodes = [graph.add(*item.split("=", 1)) for item in [*filters, "format=rgb24"]]
        graph.link_nodes(graph.add_buffer(template=stream), *nodes, graph.add("buffersink")).configure()
        frames: list[av.VideoFrame | None] = [*container.decode(stream), None]
        for frame in frames:
            graph.push(frame)
            while True:
                try:
                    images.append(graph.vpull().to_ndarray())
                except (av.BlockingIOError, av.EOFError):
                    break
    return images


def difference(image: Image, expected: Image) -> float:
    """The mean absolute difference, grey levels."""
    assert image.shape == expected.shape
    return float(np.abs(image.astype(int) - expected).mean())
