from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from actparse.core.errors import OutputError, VideoError
from actparse.core.structures import VideoInfo
from actparse.video.decode import frame_times, probe, read_frames
from actparse.video.encode import VideoWriter
from actparse.video.playable import MAX_SIDE, played_size, write_playable

UNEVEN = [0.0, 0.1, 0.25, 0.3, 0.5, 0.55, 0.7, 0.9, 0.95, 1.1, 1.2, 1.5]  # seconds


def picture(number: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size, 3), 20 * number, np.uint8)


def h264_video(path: Path, size: tuple[int, int] = (48, 64)) -> Path:
    with VideoWriter(path, size=size) as writer:
        for number, seconds in enumerate(UNEVEN):
            writer.write(picture(number, size), seconds)
    return path


def other_video(path: Path, codec: str, pix_fmt: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, pix_fmt, Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, seconds in enumerate(UNEVEN):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def into(source: Path, path: Path, shift: float = 0.0) -> Path:
    """The packets of an H.264 file in another container, later by `shift` seconds."""
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size:
                packet.pts += round(shift / packet.time_base)
                packet.dts += round(shift / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    return path


def packet_bytes(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def pixel_format(path: Path) -> str:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return f"{context.codec.canonical_name} {context.pix_fmt}"


@pytest.mark.parametrize(("suffix", "shift"), [(".mp4", 0), (".mkv", 0), (".mkv", 3.2), (".mov", 1.0), (".ts", 5.0)])
def test_h264_is_taken_over(tmp_path: Path, suffix: str, shift: float) -> None:
    made = h264_video(tmp_path / "made.mp4")
    source = into(made, tmp_path / f"source{suffix}", shift)
    write_playable(source, tmp_path / "out.mp4", info=probe(source))
    assert frame_times(tmp_path / "out.mp4") == pytest.approx(UNEVEN, abs=1e-3)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert min(p.pts for p in container.demux(video=0) if p.pts is not None) == 0
    shown = [int(frame.image[24, 32, 0]) for frame in read_frames(tmp_path / "out.mp4")]
    assert shown == pytest.approx([int(frame.image[24, 32, 0]) for frame in read_frames(source)], abs=2)
    if suffix != ".ts":
        assert packet_bytes(tmp_path / "out.mp4") == packet_bytes(source)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("v.mkv", "ffv1", "yuv420p"), ("v.mp4", "libx264", "yuv444p"), ("v.webm", "libvpx-vp9", "yuv420p")],
    ids=lambda value: value,
)
def test_what_browsers_do_not_play_is_coded_anew(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    source = other_video(tmp_path / name, codec, pix_fmt)
    write_playable(source, tmp_path / "out.mp4", info=probe(source))
    assert pixel_format(tmp_path / "out.mp4") == "h264 yuv420p"
    assert frame_times(tmp_path / "out.mp4") == pytest.approx(UNEVEN, abs=1e-3)


def test_a_stretch_begins_at_zero(tmp_path: Path) -> None:
    source = h264_video(tmp_path / "v.mp4")
    info = probe(source, time_range=(0.25, 0.9))
    write_playable(source, tmp_path / "out.mp4", info=info, time_range=(0.25, 0.9))
    assert frame_times(tmp_path / "out.mp4") == pytest.approx([0, 0.05, 0.25, 0.3, 0.45])
    with pytest.raises(VideoError, match="needs at least one frame"):
        write_playable(source, tmp_path / "none.mp4", info=info, time_range=(8.0, 9.0))


def test_packets_that_do_not_decode_are_not_taken_over(tmp_path: Path) -> None:
    source = h264_video(tmp_path / "v.mp4")
    fewer = VideoInfo("v.mp4", 64, 48, num_frames=len(UNEVEN) - 1, duration_seconds=1.5, mean_fps=8.0)
    write_playable(source, tmp_path / "out.mp4", info=fewer)
    assert packet_bytes(tmp_path / "out.mp4") != packet_bytes(source)


def test_the_copy_is_of_a_size_for_a_page() -> None:
    assert played_size((2160, 3840)) == (720, MAX_SIDE)
    assert played_size((241, 321)) == (240, 320)
    assert played_size((1, 1)) == (2, 2)


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    source = h264_video(tmp_path / "v.mp4")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_playable(source, tmp_path / "file" / "out.mp4", info=probe(source))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "v.mp4"]
