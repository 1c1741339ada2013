"""Every video here is made on the spot, of frames whose brightness says their number."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from actparse.core.errors import ConfigError, VideoError
from actparse.video.decode import DecodedFrame, parse_time_range, probe, read_frames

MILLISECOND = Fraction(1, 1000)
IDENTITY = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
TURNS = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}  # clockwise degrees: cosine, sine of the display matrix


def make_video(
    path: Path,
    *,
    times: Sequence[float] = tuple(n / 10 for n in range(12)),
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    time_base: Fraction = MILLISECOND,
    options: dict[str, str] | None = None,
) -> Path:
    """Dark frames with a brighter upper left corner, 15 levels brighter from frame to frame."""
    with av.open(str(path), "w", options=options or {}) as container:
        # the stream depends on the number of threads, by default that of the cores
        stream = container.add_stream(codec, rate=10, options={"threads": "2"})
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = time_base
        for number, seconds in enumerate(times):
            image = np.full((*size, 3), 20, np.uint8)
            image[: size[0] // 2, : size[1] // 4] = 60 + 15 * number % 180
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(seconds / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, degrees: int) -> Path:
    """Write a display matrix that turns the picture clockwise into the track header of an MP4."""
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack(">9i", *IDENTITY), data.index(b"tkhd"))
    cos, sin = TURNS[degrees]
    data[at : at + 36] = struct.pack(">9i", cos << 16, sin << 16, 0, -(sin << 16), cos << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def read_all(path: Path) -> list[DecodedFrame]:
    with read_frames(path) as reader:
        frames = list(reader)
    assert reader.warnings == []
    assert reader.info == probe(path)
    return frames


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "time_base"),
    [
        pytest.param("v.mp4", "libx264", "yuv420p", MILLISECOND, id="h264 in mp4"),
        pytest.param("v.mkv", "libx264", "yuv420p10le", MILLISECOND, id="10 bit"),
        pytest.param("v.mkv", "ffv1", "gray", MILLISECOND, id="grey"),
        pytest.param("v.mkv", "ffv1", "gray10le", MILLISECOND, id="10 bit grey"),
        pytest.param("v.mov", "qtrle", "argb", MILLISECOND, id="with alpha"),
        pytest.param("v.avi", "mpeg4", "yuv420p", Fraction(1, 10), id="mpeg 4 in avi"),
        pytest.param("v.avi", "libx264", "yuv420p", Fraction(1, 10), id="h264 in avi, out of order"),
        pytest.param("v.ts", "libx264", "yuv420p", MILLISECOND, id="transport stream"),
        pytest.param("v.webm", "libvpx-vp9", "yuv420p", MILLISECOND, id="vp9 in webm"),
        pytest.param("v.gif", "gif", "rgb8", Fraction(1, 100), id="animated gif"),
        pytest.param("Wörter und 录像 [%d].mp4", "libx264", "yuv420p", MILLISECOND, id="name with spaces and letters"),
    ],
)
def test_formats(tmp_path: Path, name: str, codec: str, pixels: str, time_base: Fraction) -> None:
    path = make_video(tmp_path / name, codec=codec, pixels=pixels, time_base=time_base)
    frames = read_all(path)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 10 for n in range(12)])
    for number, frame in enumerate(frames):
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.dtype == np.uint8
        assert abs(frame.image[4:20, 2:14].mean() - (60 + 15 * number)) < 20
        assert abs(frame.image[30:, 30:].mean() - 20) < 10


def test_a_name_that_looks_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_video(Path("v.mp4"))
    for name in ("http:v.mp4", "pipe:0", "-v.mp4"):
        Path(name).write_bytes(made.read_bytes())
        assert len(read_all(Path(name))) == 12


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_honoured(tmp_path: Path, degrees: int) -> None:
    upright = read_all(make_video(tmp_path / "upright.mp4"))[0].image
    path = turn(make_video(tmp_path / "turned.mp4"), degrees)
    frames = read_all(path)
    assert np.array_equal(frames[0].image, np.rot90(upright, k=-degrees // 90))
    assert (probe(path).height, probe(path).width) == frames[0].image.shape[:2]
    assert probe(path).rotation_degrees == (360 - degrees) % 360
    opened = cv2.VideoCapture(str(path))
    assert np.array_equal(frames[0].image, opened.read()[1][..., ::-1])  # as other programs turn it


@pytest.mark.parametrize("start", [0.0, 3.0])
def test_times_are_the_frames_own(tmp_path: Path, start: float) -> None:
    times = [0.0, 0.1, 0.5, 0.55, 2.0]
    path = make_video(tmp_path / "v.mkv", times=[start + time for time in times])
    assert [frame.time_seconds for frame in read_all(path)] == times
    info = probe(path)
    assert info.duration_seconds == pytest.approx(2.25)  # the last frame is shown for the median step
    assert info.mean_fps == pytest.approx(5 / 2.25)


def test_frames_without_stamps_go_by_the_declared_rate(tmp_path: Path) -> None:
    frames = read_all(make_video(tmp_path / "v.h264"))
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 25 for n in range(12)])


def test_stamps_that_jump_back_go_on(tmp_path: Path) -> None:
    part = make_video(tmp_path / "part.ts", times=[0, 0.1, 0.2]).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part + part)
    with read_frames(path) as reader:
        assert [frame.time_seconds for frame in reader] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_frames_of_another_size_are_brought_to_the_first_ones(tmp_path: Path) -> None:
    first = make_video(tmp_path / "a.ts", times=[0, 0.1]).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(first + make_video(tmp_path / "b.ts", times=[0.2, 0.3], size=(96, 64)).read_bytes())
    with read_frames(path) as reader:
        assert {frame.image.shape for frame in reader} == {(48, 64, 3)}
    assert sum("size changes" in warning for warning in reader.warnings) == 1


def test_odd_sizes(tmp_path: Path) -> None:
    assert read_all(make_video(tmp_path / "v.mkv", size=(47, 63), pixels="yuv444p"))[0].image.shape == (47, 63, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_an_image_is_one_frame(tmp_path: Path, suffix: str) -> None:
    image = np.full((33, 45, 3), (200, 30, 90), np.uint8)
    path = tmp_path / f"i{suffix}"
    cv2.imwrite(str(path), image[..., ::-1])
    (frame,) = read_all(path)
    assert (frame.index, frame.time_seconds) == (0, 0.0)
    assert np.abs(frame.image.astype(int) - image).max() <= 3
    assert probe(path).duration_seconds == pytest.approx(0.04)  # FFmpeg's 25 frames a second


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    assert len(read_all(make_video(tmp_path / "v.mp4", times=[0.0]))) == 1


def test_time_range_and_stride(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.ts")
    with read_frames(path, time_range=(0.3, 0.9), stride=2) as reader:
        assert [(frame.index, frame.time_seconds) for frame in reader] == [(4, 0.4), (6, 0.6), (8, 0.8)]
    assert reader.info == probe(path, time_range=(0.3, 0.9))
    assert reader.info.num_frames == 6
    assert reader.info.duration_seconds == pytest.approx(0.6)
    assert list(read_frames(path, time_range=(5.0, None))) == []
    assert probe(path, time_range=(5.0, None)).num_frames == 0
    with pytest.raises(ConfigError, match="stride must be at least 1, got 0"):
        read_frames(path, stride=0)


def test_frames_come_one_at_a_time(tmp_path: Path) -> None:
    with read_frames(make_video(tmp_path / "v.mp4")) as reader:
        frames = iter(reader)
        assert next(frames).index == 0
        assert reader.info.num_frames == 1
    with pytest.raises(VideoError, match="needs a new reader"):
        next(frames)
    with pytest.raises(VideoError, match="needs a new reader"):
        next(iter(reader))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi"])
def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    codec, base = ("mpeg4", Fraction(1, 10)) if name == "v.avi" else ("libx264", MILLISECOND)
    options = {"movflags": "+faststart"} if name == "v.mp4" else {}
    times = [n / 10 for n in range(60)]
    whole = make_video(tmp_path / name, times=times, codec=codec, time_base=base, options=options, size=(240, 320))
    path = tmp_path / f"cut {name}"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.7)])
    with read_frames(path) as reader:
        num_frames = len(list(reader))
    assert 5 < num_frames < 60
    assert any(str(path) in text and f"ends after {num_frames} frames" in text for text in reader.warnings)


def test_damage_in_the_middle_is_left_out(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", times=[n / 10 for n in range(60)], size=(240, 320))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 1500
    for at in range(start, start + 600, 7):
        data[at] ^= 0xFF
    path.write_bytes(data)
    with read_frames(path) as reader:
        last = list(reader)[-1]
    assert last.time_seconds > 5
    assert any("damaged places were left out" in text for text in reader.warnings)


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        pytest.param("a.txt", b"some words\n" * 50, "needs a video file, got text", id="text"),
        pytest.param("a.mp4", b"some words\n" * 50, "needs a video file, got: Invalid data", id="text by a wrong name"),
        pytest.param("a.mp4", np.random.default_rng(0).bytes(5000), "needs a video file, got: ", id="random bytes"),
        pytest.param("a.mp4", b"", "needs a video file, got an empty file", id="empty"),
        pytest.param("a.mp4", None, "no such file", id="missing"),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, content: bytes | None, got: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for read in (read_frames, probe):
        with pytest.raises(VideoError) as raised:
            read(path)
        assert str(raised.value).startswith(f"{path}: {got}")
        assert "\n" not in str(raised.value)


def test_a_folder_a_sound_and_a_beheaded_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="needs a video file, got a folder"):
        read_frames(tmp_path)
    with pytest.raises(VideoError, match="needs a video stream, got audio alone"):
        read_frames(make_sound(tmp_path / "a.wav"))
    whole = make_video(tmp_path / "v.mp4")
    path = tmp_path / "beheaded.mp4"
    path.write_bytes(whole.read_bytes()[: whole.read_bytes().index(b"moov") - 4])
    with pytest.raises(VideoError, match=r"beheaded\.mp4: needs a video"):
        probe(path)


def test_an_album_cover_is_no_video(tmp_path: Path) -> None:
    _, cover = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))
    picture = b"\x00image/png\x00\x03\x00" + cover.tobytes()
    body = b"APIC" + struct.pack(">I", len(picture)) + b"\x00\x00" + picture
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    with av.open(str(tmp_path / "plain.mp3"), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.int16), format="s16p", layout="stereo")
        frame.rate = 44100
        for number in range(20):
            frame.pts = 1152 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\x03\x00\x00" + size + body + (tmp_path / "plain.mp3").read_bytes())
    with pytest.raises(VideoError, match="needs a video stream, got audio and cover picture alone"):
        read_frames(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12.5:20", (12.5, 20.0)), (":5", (None, 5.0)), ("3:", (3.0, None)), (":", (None, None))],
)
def test_time_ranges(text: str, expected: tuple[float | None, float | None]) -> None:
    assert parse_time_range(text) == expected


@pytest.mark.parametrize("text", ["", "5", "a:b", "5:3", "3:3", "-1:4", "nan:3", "1:nan", "inf:", "1:2:3"])
def test_wrong_time_ranges(text: str) -> None:
    with pytest.raises(ConfigError, match=r"time must .*START.*END.*, got "):
        parse_time_range(text)


def test_a_frame_is_converted_when_it_is_first_looked_at(tmp_path: Path) -> None:
    (first, second, *_) = read_frames(make_video(tmp_path / "v.mp4"))
    assert "image" not in vars(second)
    assert second.image is second.image
    assert second.image.shape == first.image.shape
    assert second.yuv().size == second.image.shape[:2]
