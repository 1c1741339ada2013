"""What counts as a video: photos, animations, image sequences; and what is refused, with the way that helps."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, VideoError
from actparse.video.container import open_container
from actparse.video.decode import DecodedFrame, frame_times, probe, read_frames
from actparse.video.sources import find_videos

Image = NDArray[np.uint8]


def numbered(index: int, size: tuple[int, int] = (32, 48)) -> Image:
    image = np.full((*size, 3), 10, np.uint8)
    image[: size[0] // 2, : size[1] // 2] = 40 + 20 * (index % 8)
    return image


def indices_of(frames: Sequence[DecodedFrame]) -> list[int]:
    return [round((float(frame.image[2:12, 2:20].mean()) - 40) / 20) for frame in frames]


def write_images(folder: Path, names: Sequence[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), numbered(index))
    return folder


EXIF_ORIENTATIONS: dict[int, Callable[[Image], Image]] = {  # the stored picture -> as shown. Source: EXIF 2.32, tag 274
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", EXIF_ORIENTATIONS)
def test_a_photo_is_shown_by_its_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    image = numbered(5)
    image[-8:] = (200, 60, 20)
    data = cv2.imencode(f".{suffix}", image[..., ::-1])[1].tobytes()
    tiff = b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    if suffix == "jpg":
        exif = b"Exif\x00\x00" + tiff
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    else:
        chunk = b"eXIf" + tiff
        data = data[:33] + struct.pack(">I", len(tiff)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    path = tmp_path / f"photo.{suffix}"
    path.write_bytes(data)
    (frame,) = read_frames(path)
    expected = EXIF_ORIENTATIONS[orientation](image)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 4
    assert (probe(path).num_frames, probe(path).duration_seconds) == (1, pytest.approx(0.04))


def write_animation(path: Path, codec: str, pixels: str, durations: Sequence[int]) -> Path:
    if path.suffix == ".webp":
        animation = cv2.Animation()
        animation.frames = [numbered(n) for n in range(len(durations))]
        animation.durations = list(durations)
        assert cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 101])
        return path
    with av.open(str(path), "w", format="apng" if path.suffix == ".png" else None) as container:
        stream = container.add_stream(codec, rate=100)
        stream.height, stream.width, stream.pix_fmt = 32, 48, pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, start in enumerate(np.cumsum([0, *durations[:-1]]).tolist()):
            frame = av.VideoFrame.from_ndarray(numbered(index), format="rgb24")
            frame.pts, frame.time_base = start, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.webp", "", ""), ("a.gif", "gif", "rgb8"), ("a.apng", "apng", "rgb24"), ("a.png", "apng", "rgb24")],
)
def test_animations(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    path = write_animation(tmp_path / name, codec, pixels, [100, 100, 300, 50, 100, 100])
    frames = list(read_frames(path))
    assert indices_of(frames) == list(range(6))
    assert [frame.time_seconds for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.5, 0.55, 0.65])
    assert frame_times(path).tolist() == [frame.time_seconds for frame in frames]
    assert read_frames(path).warnings == []


def test_an_animated_webp_of_many_frames_is_read_in_parts(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.webp", "", "", [40] * 70)
    frames = list(read_frames(path))
    assert len(frames) == 70
    assert frames[69].time_seconds == pytest.approx(69 * 0.04)
    assert (tmp_path / "a.webp") in find_videos([tmp_path])


def test_a_damaged_animated_webp_is_one_line(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.webp", "", "", [40] * 5)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(VideoError, match=r"a\.webp: needs a video file, got: ") as raised:
        read_frames(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "source"),
    [
        pytest.param(["img_0000.png", "img_0001.png", "img_0002.png"], "img_%04d.png", id="pattern"),
        pytest.param(["img_9.jpg", "img_10.jpg", "img_11.jpg"], "img_%d.jpg", id="pattern without zeros"),
        pytest.param(["1001.png", "1002.png", "1003.png"], "%04d.png", id="from any number"),
        pytest.param(["img_9.png", "img_10.png", "img_11.png"], "", id="folder, in order of numbers"),
        pytest.param(["a's [1].png", "b %d.png", "ü 録.png"], "", id="folder, any names"),
        pytest.param(["a.jpg", "b.JPEG", "c.jpg"], "", id="folder, two suffixes of one format"),
    ],
)
@pytest.mark.parametrize("rate", [10, 29.97, 0.5])
def test_image_sequences(tmp_path: Path, names: Sequence[str], source: str, rate: float) -> None:
    path = write_images(tmp_path / "it's a shot", names) / source
    frames = list(read_frames(path, frame_rate=rate))
    assert indices_of(frames) == [0, 1, 2]
    assert [frame.time_seconds for frame in frames] == pytest.approx([0, 1 / rate, 2 / rate], abs=2e-6)
    assert frame_times(path, frame_rate=rate).tolist() == [frame.time_seconds for frame in frames]
    info = probe(path, frame_rate=rate)
    assert (info.num_frames, info.width, info.height) == (3, 48, 32)
    assert info.mean_fps == pytest.approx(rate, rel=1e-4)


def test_what_a_sequence_warns_of(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "shot", ["i_01.png", "i_02.png", "i_05.png"])
    assert read_frames(folder / "i_%02d.png", frame_rate=10).warnings == [
        f"{folder / 'i_%02d.png'}: 2 numbers between 1 and 5 are missing"
    ]
    with read_frames(folder / "i_%02d.png") as reader:
        assert [frame.time_seconds for frame in reader] == pytest.approx([0, 0.04, 0.08])
    assert "25 frames a second are assumed (--frame-rate)" in reader.warnings[1]


def test_what_is_no_sequence(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "shot", ["a.png"])
    with pytest.raises(VideoError, match=r"got a folder; set a frame rate \(--frame-rate\) to read its images"):
        read_frames(folder)
    cv2.imwrite(str(folder / "b.jpg"), numbered(1))
    with pytest.raises(VideoError, match=r"needs images of one format, got \.jpg and \.png"):
        read_frames(folder, frame_rate=10)
    for source in (tmp_path, tmp_path / "no_%04d.png", tmp_path / "none" / "no_%04d.png"):
        with pytest.raises(VideoError, match="needs images, got none"):
            read_frames(source, frame_rate=10)
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="frame_rate must be above 0"):
            read_frames(folder, frame_rate=rate)
    (folder / "b.jpg").unlink()
    (folder / "a.png").write_bytes(b"no image")
    with pytest.raises(VideoError, match=r"shot: needs (images|a video) that decode"):
        list(read_frames(folder, frame_rate=10))


def test_folders_of_images_are_videos_if_a_rate_is_given(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / name, ["1.png", "2.png"])
    (tmp_path / "v.mp4").touch()
    assert find_videos([tmp_path]) == [tmp_path / "v.mp4"]
    assert find_videos([tmp_path], frame_rate=10) == [tmp_path / "v.mp4", tmp_path / "a", tmp_path / "b"]
    assert find_videos([tmp_path / "a"], frame_rate=10) == [tmp_path / "a"]
    assert find_videos([tmp_path / "a" / "%d.png"]) == [tmp_path / "a" / "%d.png"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("-", "-: needs a file, got standard input: save it to a file, or use actparse watch -"),
        (
            "https://host/v.mp4",
            "needs a file, got an address: download the video, or use actparse watch with the address",
        ),
        (
            "rtsp://host/live",
            "needs a file, got an address: download the video, or use actparse watch with the address",
        ),
        ("nothing/*.mp4", "nothing/*.mp4: needs at least one video, got none"),
        ("nothing.mp4", "nothing.mp4: no such file"),
    ],
)
def test_what_is_no_file(source: str, text: str) -> None:
    with pytest.raises(VideoError) as raised:
        open_container(Path(source))
    assert str(raised.value).endswith(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 2), (3, 17), (16, 16000), (16000, 16)])
@pytest.mark.parametrize("pixels", ["rgb24", "yuv420p"])
def test_extreme_shapes(tmp_path: Path, size: tuple[int, int], pixels: str) -> None:
    path = tmp_path / "v.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        for level in (40, 200):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = list(read_frames(path))
    assert [frame.image.shape for frame in frames] == [(*size, 3)] * 2
    assert [abs(frame.image.astype(int).mean() - level) < 4 for frame, level in zip(frames, (40, 200), strict=True)]
    assert frames[0].yuv().size == size
