"""Frames are read as players show them: the expected pictures and times are made in the test or by FFmpeg's filters."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.video.decode import DecodedFrame, frame_times, probe, read_frames
from actparse.video.hdr import KNEE, SdrConverter, compress, lookup_table

Image = NDArray[np.uint8]
MILLISECOND = Fraction(1, 1000)
SIZE = (48, 64)
MATRICES = {  # the eight right-angled ones, (a, b, c, d), with FFmpeg's filters for them
    "upright": ((1, 0, 0, 1), []),
    "turned 90 clockwise": ((0, 1, -1, 0), ["transpose=clock"]),
    "turned 180": ((-1, 0, 0, -1), ["hflip", "vflip"]),
    "turned 270": ((0, -1, 1, 0), ["transpose=cclock"]),
    "mirrored left to right": ((-1, 0, 0, 1), ["hflip"]),
    "mirrored top to bottom": ((1, 0, 0, -1), ["vflip"]),
    "transposed": ((0, 1, 1, 0), ["transpose=cclock_flip"]),
    "transposed the other way": ((0, -1, -1, 0), ["transpose=clock_flip"]),
}


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


def oriented(name: str, aspect: Fraction) -> Callable[[VideoStream], None]:
    """Set a stream's display matrix and pixel aspect."""
    (a, b, c, d), _ = MATRICES[name]

    def prepare(stream: VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = aspect
        stream.set_display_matrix([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30])

    return prepare


@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(2), Fraction(8, 9)], ids="aspect {}".format)
@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [("mp4", "libx264", "yuv420p"), ("mov", "mpeg4", "yuv420p"), ("mkv", "libx264", "yuv444p")],
    ids=["mp4", "mov", "mkv"],
)
def test_orientation_and_aspect(
    tmp_path: Path, name: str, aspect: Fraction, suffix: str, codec: str, pixels: str
) -> None:
    prepare = oriented(name, aspect)
    path = write_video(tmp_path / f"v.{suffix}", map(numbered, range(3)), codec=codec, pixels=pixels, prepare=prepare)
    frames = read_all(path)
    turned = [f"scale=round(iw*{aspect}):ih:flags=bilinear", *MATRICES[name][1]]
    expected = filtered(path, turned if aspect != 1 else MATRICES[name][1])
    assert [frame.image.shape for frame in frames] == [image.shape for image in expected]
    assert max(difference(frame.image, image) for frame, image in zip(frames, expected, strict=True)) < 1.5
    assert (probe(path).height, probe(path).width) == frames[0].image.shape[:2]
    luma = cv2.cvtColor(frames[0].image, cv2.COLOR_RGB2YUV)[..., 0]
    assert np.abs(frames[0].yuv().y * (255 / 219) - 16 * 255 / 219 - luma).mean() < 2


def hide_start(path: Path, seconds: float) -> Path:
    """Write an edit list that hides the first seconds of an MP4 file, as a phone does that trims a clip."""
    data = path.read_bytes()
    at = data.index(b"elst")
    (size,) = struct.unpack(">I", data[at - 4 : at])
    version, entries = data[at + 4], struct.unpack(">I", data[at + 8 : at + 12])[0]
    assert (size, version, entries) == (28, 0, 1)
    duration, start = struct.unpack(">Ii", data[at + 12 : at + 20])
    (movie_scale,) = struct.unpack(">I", data[data.index(b"mvhd") + 16 : data.index(b"mvhd") + 20])
    (media_scale,) = struct.unpack(">I", data[data.index(b"mdhd") + 16 : data.index(b"mdhd") + 20])
    edit = struct.pack(">Ii", duration - round(seconds * movie_scale), start + round(seconds * media_scale))
    path.write_bytes(data[: at + 12] + edit + data[at + 20 :])
    return path


@pytest.mark.parametrize("num_hidden", [1, 7, 11])
@pytest.mark.parametrize("name", ["upright", "turned 90 clockwise", "mirrored left to right"])
@pytest.mark.parametrize(("suffix", "b_frames"), [("mp4", 2), ("mov", 2), ("mp4", 0)])
def test_frames_hidden_by_an_edit_list(tmp_path: Path, num_hidden: int, name: str, suffix: str, b_frames: int) -> None:
    prepare = oriented(name, Fraction(1))
    options = {"bf": str(b_frames), "g": "8"}
    path = write_video(tmp_path / f"v.{suffix}", map(numbered, range(12)), prepare=prepare, options=options)
    frames = read_all(hide_start(path, num_hidden / 10))
    turn = {"upright": lambda i: i, "turned 90 clockwise": np.rot90, "mirrored left to right": np.fliplr}[name]
    shown = [DecodedFrame(f.index, f.time_seconds, np.ascontiguousarray(turn(f.image))) for f in frames]
    assert indices_of(shown) == list(range(num_hidden, 12))
    assert [frame.index for frame in frames] == list(range(12 - num_hidden))
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 10 for n in range(12 - num_hidden)])
    assert probe(path).duration_seconds == pytest.approx((12 - num_hidden) / 10)


def test_negative_and_late_starts(tmp_path: Path) -> None:
    for name, start in (("v.mkv", 3600.0), ("v.mov", 7.5), ("v.ts", 3600.0)):
        times = [start + n / 10 for n in range(6)]
        frames = read_all(write_video(tmp_path / name, map(numbered, range(6)), times=times))
        assert indices_of(frames) == list(range(6))
        assert [frame.time_seconds for frame in frames] == pytest.approx([n / 10 for n in range(6)])


def join(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize(
    ("starts", "jumps"),
    [
        pytest.param((0, 80_000), "once, at 0.60 s", id="ahead by hours"),
        pytest.param((50, 0), "once, at 0.60 s", id="back"),
        pytest.param((0, 11), "once, at 0.60 s", id="ahead by seconds"),
        pytest.param((500, 0, 40_000), "2 times, at 0.60 s", id="back and ahead"),
    ],
)
def test_the_clock_of_a_transport_stream_jumps(tmp_path: Path, starts: tuple[float, ...], jumps: str) -> None:
    parts = []
    for number, start in enumerate(starts):
        times = [start + n / 10 for n in range(6)]
        images = map(numbered, range(6 * number, 6 * number + 6))
        parts.append(write_video(tmp_path / f"{number}.ts", images, times=times, options={"bf": "2"}))
    path = join(tmp_path / "v.ts", *parts)
    with read_frames(path) as reader:
        frames = list(reader)
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 10 for n in range(6 * len(starts))])
    assert [frame.index for frame in frames] == list(range(6 * len(starts)))
    assert reader.warnings == [f"{path}: the clock jumps {jumps}; time goes on"]
    assert reader.info == probe(path)
    assert frame_times(path).tolist() == [frame.time_seconds for frame in frames]


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_long_pauses_of_a_video_are_kept(tmp_path: Path, name: str) -> None:
    times = [0, 0.1, 12.0, 12.1, 40_000.0]
    frames = read_all(write_video(tmp_path / name, map(numbered, range(5)), times=times))
    assert [frame.time_seconds for frame in frames] == pytest.approx(times)


def test_avi_with_dropped_frames(tmp_path: Path) -> None:
    times = [0, 0.1, 0.4, 0.5, 1.2]
    path = write_video(tmp_path / "v.avi", map(numbered, range(5)), codec="mjpeg", pixels="yuvj420p", times=times)
    with av.open(str(path)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx(times, abs=0.002)
    frames = read_all(path)
    assert [frame.time_seconds for frame in frames] == pytest.approx(times, abs=0.002)


def damage(path: Path, first: int, last: int) -> Path:
    """Overwrite the packets first..last (presentation order), so that they do not decode."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = sorted((p for p in container.demux(video=0) if p.size), key=lambda packet: packet.pts)
    for packet in packets[first : last + 1]:
        at = data.index(bytes(packet))
        data[at : at + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("v.mp4", "libx264", "yuv420p"),
        ("v.mkv", "libx264", "yuv420p"),
        ("v.mov", "png", "rgb24"),
        ("v.avi", "png", "rgb24"),
    ],
)
def test_frames_after_damage_keep_times_and_indices(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    options = {"g": "1"} if codec == "libx264" else {}
    whole = write_video(tmp_path / name, map(numbered, range(12)), codec=codec, pixels=pixels, options=options)
    path = damage(whole, 5, 6)
    with read_frames(path) as reader:
        frames = list(reader)
    assert 9 <= len(frames) <= 11
    for frame, index in zip(frames, indices_of(frames), strict=True):
        if frame.index not in (5, 6, 7):
            assert (frame.index, frame.time_seconds) == (index, pytest.approx(index / 10))
    assert frames[-1].index == 11
    assert any("damaged places were left out" in text for text in reader.warnings)


def sound_and_pictures(path: Path, streams: Sequence[tuple[str, tuple[int, int], int, str]]) -> Path:
    """Write several video streams: codec, size, number of frames in a second, disposition."""
    with av.open(str(path), "w") as container:
        made = []
        for codec, size, rate, disposition in streams:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = av.stream.Disposition[disposition] if disposition else av.stream.Disposition(0)
            made.append((stream, size, rate))
        for stream, size, rate in made:
            for n in range(rate):
                frame = av.VideoFrame.from_ndarray(numbered(n, size), format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


SMALL, LARGE = (32, 48), (96, 128)


@pytest.mark.parametrize(
    ("streams", "size", "num_candidates"),
    [
        pytest.param([("mjpeg", LARGE, 1, ""), ("mpeg4", SMALL, 10, "default")], SMALL, 2, id="slow pictures first"),
        pytest.param([("mjpeg", LARGE, 1, "default"), ("mpeg4", SMALL, 10, "")], SMALL, 2, id="slow default pictures"),
        pytest.param([("mjpeg", LARGE, 1, ""), ("mpeg4", SMALL, 10, "")], SMALL, 2, id="slow pictures, no default"),
        pytest.param([("mpeg4", LARGE, 10, ""), ("mpeg4", SMALL, 10, "default")], SMALL, 2, id="the default one"),
        pytest.param([("mpeg4", SMALL, 10, ""), ("mpeg4", LARGE, 10, "")], LARGE, 2, id="the larger one"),
        pytest.param([("mpeg4", SMALL, 10, "default"), ("mpeg4", LARGE, 10, "default")], LARGE, 2, id="two defaults"),
        pytest.param([("mjpeg", SMALL, 10, "")], SMALL, 1, id="motion JPEG"),
    ],
)
def test_which_stream_is_the_film(
    tmp_path: Path, streams: Sequence[tuple[str, tuple[int, int], int, str]], size: tuple[int, int], num_candidates: int
) -> None:
    path = sound_and_pictures(tmp_path / "v.mkv", streams)
    with read_frames(path) as reader:
        frames = list(reader)
    assert frames[0].image.shape[:2] == size
    assert len(frames) == len(frame_times(path)) == 10
    expected = [] if num_candidates == 1 else [f"{path}: has {num_candidates} video streams; stream "]
    assert [text[: len(start)] for text, start in zip(reader.warnings, expected, strict=True)] == expected


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


BT2020 = np.array([(0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)])  # from BT.709


def hdr_frame(image: Image, transfer: str) -> av.VideoFrame:
    """The frame of HDR that a person sees as this picture, its white at 203 nits. Source: ITU-R BT.2100, BT.2408."""
    light = (image / 255) ** 2.4 @ BT2020.T  # linear, 1 at white
    if transfer == "pq":
        power = (light * 203 / 10_000) ** (2610 / 16384)
        coded = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32)
    elif transfer == "hlg":
        shown = light * 203 / 1000
        luminance = np.maximum(shown @ np.array([0.2627, 0.678, 0.0593]), 1e-9)[..., None]
        scene = shown * luminance ** (1 / 1.2 - 1)
        bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        coded = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    else:
        coded = light ** (1 / 2.4)
    frame = av.VideoFrame.from_ndarray(np.rint(coded * 65535).astype(np.uint16), format="rgb48le")
    frame = frame.reformat(format="yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG)
    frame.color_primaries = ColorPrimaries.BT2020
    frame.color_trc = {"pq": ColorTrc.SMPTE2084, "hlg": ColorTrc.ARIB_STD_B67, "sdr": ColorTrc.BT2020_10}[transfer]
    frame.colorspace = 9
    return frame


def patches() -> Image:
    """Grey, skin and saturated colours, 48 x 64."""
    colors = [(0, 0, 0), (50, 50, 50), (110, 110, 110), (170, 170, 170), (220, 220, 220), (255, 255, 255)]
    colors += [(224, 172, 140), (120, 80, 60), (200, 60, 40), (40, 160, 70), (40, 60, 190), (230, 200, 50)]
    return np.repeat(np.repeat(np.array(colors, np.uint8).reshape(3, 4, 3), 16, axis=0), 16, axis=1)


@pytest.mark.parametrize(("name", "codec"), [("v.mp4", "libx265"), ("v.mkv", "libx265"), ("v.mov", "prores_ks")])
@pytest.mark.parametrize("transfer", ["pq", "hlg", "sdr"])
def test_hdr_and_wide_colours_look_as_on_an_ordinary_screen(
    tmp_path: Path, name: str, codec: str, transfer: str
) -> None:
    def tag(stream: VideoStream) -> None:
        coder = stream.codec_context
        coder.color_primaries, coder.colorspace, coder.color_range = 9, 9, 1
        coder.color_trc = {"pq": 16, "hlg": 18, "sdr": 14}[transfer]

    def convert(frame: av.VideoFrame) -> av.VideoFrame:
        converted = hdr_frame(frame.to_ndarray(format="rgb24"), transfer)
        converted.pts, converted.time_base = frame.pts, frame.time_base
        return converted if codec == "libx265" else converted.reformat(format="yuv422p10le")

    options = {"crf": "4", "x265-params": "log-level=none"} if codec == "libx265" else {}
    pixels = "yuv420p10le" if codec == "libx265" else "yuv422p10le"
    path = tmp_path / name
    write_video(path, [patches()] * 3, codec=codec, pixels=pixels, options=options, prepare=tag, mark=convert)
    image = read_all(path)[1].image
    assert difference(image, patches()) < (5 if transfer == "sdr" else 8)
    centres, expected = image[8::16, 8::16].astype(int), patches()[8::16, 8::16].astype(int)
    assert np.abs(centres - expected)[expected.max(axis=-1) < 230].max() < 20  # highlights are compressed
    assert 225 <= centres[1, 1].min() <= 255  # white
    picture = read_all(path)[1].yuv()
    assert picture.matrix == "bt709"
    assert np.abs(picture.y[8::16, 8::16] - (16 + 219 / 255 * (centres @ (0.2126, 0.7152, 0.0722)))).max() < 6


def test_hdr_highlights_are_distinct_and_never_above_white() -> None:
    light = np.linspace(0, 1000 / 203, 200)
    values = compress(light)
    assert (np.diff(values) > 0).all()
    assert values[-1] == pytest.approx(1)
    assert np.array_equal(values[light < KNEE], light[light < KNEE])
    table = lookup_table(ColorTrc.SMPTE2084, ColorPrimaries.BT2020)
    assert (table.min(), table.max()) == (0, 1)


def test_our_table_agrees_with_ffmpegs_own_conversion_below_white() -> None:
    frame = hdr_frame(patches(), "pq")
    own = SdrConverter()(frame).reformat(format="rgb24").to_ndarray()
    theirs = frame.reformat(
        format="rgb24", dst_color_trc=ColorTrc.BT709, dst_color_primaries=ColorPrimaries.BT709
    ).to_ndarray()
    dark = patches().max(axis=-1) < 200
    assert np.abs(own.astype(int) - theirs)[dark].mean() < 6


def moving(num_frames: int) -> list[Image]:
    """Textured pictures that move, so that codecs use their frames out of order and hidden ones."""
    rows, columns = np.mgrid[:96, :128]
    base = ((3 * columns % 200) + rows).astype(np.uint8)
    return [np.repeat(np.roll(base, 3 * n, axis=1)[..., None], 3, axis=2) for n in range(num_frames)]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("v.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "arnr-maxframes": "7", "b": "200k"}),
        ("v.webm", "libvpx-vp9", {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}),
        ("v.avi", "libx264", {"bf": "2"}),
        ("v.flv", "libx264", {"bf": "2"}),
        ("v.h264", "libx264", {"bf": "2"}),
        ("v.mpg", "mpeg2video", {"bf": "2"}),
    ],
    ids=["vp8, hidden frames", "vp9, hidden frames", "avi", "flv", "no time stamps", "mpeg-2"],
)
def test_as_many_frames_as_ffmpeg_shows(tmp_path: Path, name: str, codec: str, options: dict[str, str]) -> None:
    path = write_video(tmp_path / name, moving(40), codec=codec, options=options)
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 40
    assert [frame.index for frame in read_all(path)] == list(range(40))


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"x264-params": "open-gop=1"}), ("mpeg2video", {})])
def test_a_recording_that_begins_between_two_pictures(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    whole = write_video(tmp_path / "whole.ts", moving(60), codec=codec, options={"g": "12", "bf": "3", **options})
    data = whole.read_bytes()
    path = tmp_path / "v.ts"
    path.write_bytes(data[len(data) // 188 * 3 // 7 * 188 :])
    with av.open(str(path)) as container:
        stamps = [float(frame.time) for frame in container.decode(video=0)]
    frames = read_all(path)
    assert [frame.time_seconds for frame in frames] == pytest.approx([stamp - stamps[0] for stamp in stamps], abs=1e-5)


def test_lost_packets_of_a_transport_stream_are_reported(tmp_path: Path) -> None:
    data = write_video(tmp_path / "whole.ts", moving(60), options={"g": "12", "bf": "3"}).read_bytes()
    middle = len(data) // 188 // 2 * 188
    path = tmp_path / "v.ts"
    path.write_bytes(data[:middle] + data[middle + 12 * 188 :])
    with read_frames(path) as reader:
        frames = list(reader)
    assert frames[-1].time_seconds == pytest.approx(5.9)
    assert any("damaged" in text for text in reader.warnings)


def test_a_last_frame_that_is_shown_for_long_is_no_missing_end(tmp_path: Path) -> None:
    for name, times in (("v.gif", [0, 0.1, 0.2, 3.0]), ("one.gif", [0])):
        read_all(write_video(tmp_path / name, moving(len(times)), codec="gif", pixels="rgb8", times=times))
