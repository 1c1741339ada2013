"""Frames are read as players show them: the expected pictures and times are made in the test or by FFmpeg's filters."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

from actparse.video.decode import DecodedFrame, frame_times, probe, read_frames
from drawn_videos import SIZE, Image, difference, filtered, indices_of, numbered, read_all, write_video

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


CROPPING = (6, 10, 4, 8)  # left, right, top, bottom


def crop_mp4(data: bytes) -> bytes:
    """Insert a clean aperture ("clap") behind the header of a file's H.264 track."""
    left, right, top, bottom = CROPPING
    width, height = SIZE[1] - left - right, SIZE[0] - top - bottom
    box = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, left - right, 2, top - bottom, 2)
    at = data.index(b"moov") - 4
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = data.index(name, at) - 4
        size = int.from_bytes(data[at : at + 4], "big")
        data = data[:at] + (size + len(box)).to_bytes(4, "big") + data[at + 4 :]
    return data[: at + size] + box + data[at + size :]


def crop_matroska(data: bytes) -> bytes:
    """Insert PixelCrop elements into the settings of a file's only track."""
    left, right, top, bottom = CROPPING
    pixels = {0x54CC: left, 0x54DD: right, 0x54BB: top, 0x54AA: bottom}
    elements = b"".join(name.to_bytes(2, "big") + b"\x81" + bytes([count]) for name, count in pixels.items())
    video = data.index(b"\xe0", data.index(b"V_MPEG4/ISO/AVC"))
    tracks = data.rindex(b"\x16\x54\xae\x6b")  # the first one is in the table of contents
    entry = tracks + 12  # behind the size and a checksum
    for at in (tracks + 4, entry + 1, video + 1):
        num_bytes = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + num_bytes], "big") + len(elements)
        data = data[:at] + size.to_bytes(num_bytes, "big") + data[at + num_bytes :]
    return data[: at + num_bytes] + elements + data[at + num_bytes :]


@pytest.mark.parametrize("name", ["upright", "turned 90 clockwise", "mirrored left to right"])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(2)], ids="aspect {}".format)
@pytest.mark.parametrize(
    ("suffix", "crop", "options"), [("mp4", crop_mp4, {}), ("mkv", crop_matroska, {"live": "1"})], ids=["mp4", "mkv"]
)
def test_what_a_container_crops_is_cut_off(
    tmp_path: Path, name: str, aspect: Fraction, suffix: str, crop: Callable[[bytes], bytes], options: dict[str, str]
) -> None:
    path = tmp_path / f"v.{suffix}"
    write_video(path, map(numbered, range(3)), prepare=oriented(name, aspect), container_options=options)
    path.write_bytes(crop(path.read_bytes()))
    with read_frames(path) as reader:
        frames = list(reader)
    left, right, top, bottom = CROPPING
    stretch = [f"scale=round(iw*{aspect}):ih:flags=bilinear"] if aspect != 1 else []
    cut = f"crop=iw-{left + right}:ih-{top + bottom}:{left}:{top}"
    expected = filtered(path, [cut, *stretch, *MATRICES[name][1]])
    assert max(difference(frame.image, image) for frame, image in zip(frames, expected, strict=True)) < 1.5
    assert (probe(path).height, probe(path).width) == frames[0].image.shape[:2]
    assert not reader.is_as_coded
    luma = cv2.cvtColor(frames[0].image, cv2.COLOR_RGB2YUV)[..., 0]
    assert np.abs(frames[0].yuv().y * (255 / 219) - 16 * 255 / 219 - luma).mean() < 2
