from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from actparse.core.errors import OutputError, ShapeError, VideoError
from actparse.video.decode import probe, read_frames
from actparse.video.encode import VideoWriter

BEEP = 1.0  # seconds at which the made sound begins to be heard


def gray(level: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def write(path: Path, *, num_frames: int = 20, audio_from: Path | None = None, start: float = 0.0) -> Path:
    end = start + num_frames / 10
    with VideoWriter(path, size=(48, 64), audio_from=audio_from, time_range=(start, end)) as writer:
        for number in range(num_frames):
            writer.write(gray(5 * number), number / 10)
    return path


def test_a_reproducible_file_is_encoded_in_one_thread(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 96, 128, 3), np.uint8)
    files = []
    for name, fast in (("a.mp4", False), ("b.mp4", False), ("c.mp4", True)):
        with VideoWriter(tmp_path / name, size=(96, 128), reproducible=True, fast=fast) as writer:
            for index, image in enumerate(noise):
                writer.write(image, index / 10)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1] != files[2]
    for file in files:
        assert b" threads=1 lookahead_threads=1 " in file  # x264 writes its settings into the stream


def make_talkie(
    path: Path,
    codec: str,
    *,
    rate: int = 44100,
    layout: str = "stereo",
    pictures_from: float | None = 0.0,
    start: float = 0.0,
) -> Path:
    """Two seconds of sound, still until BEEP; pictures begin `pictures_from` seconds after it, or there are none."""
    with av.open(str(path), "w", options={"output_ts_offset": str(start)}) as container:
        video = container.add_stream("libx264", rate=10) if pictures_from is not None else None
        sound = container.add_stream(codec, rate=rate, layout=layout)
        if video is not None and pictures_from is not None:
            video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
            video.codec_context.time_base = Fraction(1, 1000)
            for number in range(20):
                frame = av.VideoFrame.from_ndarray(gray(5 * number), format="rgb24")
                frame.pts, frame.time_base = round((number / 10 + pictures_from) * 1000), Fraction(1, 1000)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        seconds = np.arange(2 * rate) / rate
        wave = np.where(seconds >= BEEP, np.sin(2 * np.pi * 440 * seconds), 0).astype(np.float32)
        channels = sound.codec_context.layout.nb_channels
        whole = av.AudioFrame.from_ndarray(np.tile(wave, (channels, 1)), format="fltp", layout=layout)
        whole.rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
        size = sound.codec_context.frame_size or 1024
        cut = av.AudioResampler(format=sound.codec_context.format.name, layout=layout, rate=rate, frame_size=size)
        for piece in [*cut.resample(whole), *cut.resample(None)]:
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    return path


def beep_after_first_frame(path: Path) -> float:
    """Seconds from the first frame to the first loud sample."""
    with av.open(str(path)) as container:
        sound, video = container.streams.audio[0], container.streams.video[0]
        frames = list(container.decode(sound))
        wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        loud = int(np.argmax(np.abs(wave) > 0.1))
        return float(frames[0].time + loud / sound.rate - video.start_time * video.time_base)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_browsers_can_play_it(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4")
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert not container.streams.audio
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.0334, 0.1, 0.5, 0.5001, 7.25]
    path = tmp_path / "v.mp4"
    with VideoWriter(path, size=(48, 64)) as writer:
        for number, time in enumerate(times):
            writer.write(gray(40 * number), time)
    frames = list(read_frames(path))
    assert [frame.time_seconds for frame in frames] == pytest.approx(times, abs=2e-5)
    assert [round(float(frame.image.mean()) / 40) for frame in frames] == list(range(6))


def test_two_frames_of_one_time_are_both_kept(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", size=(48, 64)) as writer:
        for time in (0.0, 0.1, 0.1, 0.2):
            writer.write(gray(90), time)
    assert probe(tmp_path / "v.mp4").num_frames == 4


def test_colours_come_back(tmp_path: Path) -> None:
    colors = np.array([(200, 40, 40), (40, 160, 60), (50, 60, 200), (240, 240, 240)], np.uint8)
    image = np.repeat(np.repeat(colors[None], 32, axis=0), 16, axis=1)
    with VideoWriter(tmp_path / "v.mp4", size=(32, 64), quality=5) as writer:
        writer.write(image, 0.0)
    (frame,) = read_frames(tmp_path / "v.mp4")
    assert np.abs(frame.image[8:24, 8::16].astype(int) - colors).max() < 12


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (1, 1)])
def test_odd_sizes_are_padded_with_their_edge(tmp_path: Path, size: tuple[int, int]) -> None:
    with VideoWriter(tmp_path / "v.mp4", size=size) as writer:
        writer.write(gray(200, size), 0.0)
    (frame,) = read_frames(tmp_path / "v.mp4")
    assert frame.image.shape[:2] == tuple(side + side % 2 for side in size)
    assert abs(frame.image.astype(int) - 200).max() < 6


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        pytest.param("a.mp4", "aac", 44100, "stereo", id="aac, copied"),
        pytest.param("a.ts", "aac", 48000, "stereo", id="aac without a header"),
        pytest.param("a.mkv", "libopus", 48000, "stereo", id="opus"),
        pytest.param("a.mkv", "pcm_s16le", 11000, "mono", id="a rate that aac does not know"),
        pytest.param("a.mkv", "pcm_s16le", 192000, "stereo", id="a rate above aac's"),
        pytest.param("a.mkv", "flac", 48000, "5.1", id="six channels"),
    ],
)
def test_sound_is_taken_over(tmp_path: Path, name: str, codec: str, rate: int, layout: str) -> None:
    source = make_talkie(tmp_path / name, codec, rate=rate, layout=layout)
    whole = write(tmp_path / "whole.mp4", audio_from=source)
    part = write(tmp_path / "part.mp4", audio_from=source, num_frames=10, start=0.5)
    for path, beep, seconds in ((whole, BEEP, 2.0), (part, BEEP - 0.5, 1.0)):
        with av.open(str(path)) as container:
            (sound,) = container.streams.audio
            assert sound.codec_context.name == "aac"
            assert float(sound.duration * sound.time_base) == pytest.approx(seconds, abs=0.2)
        assert beep_after_first_frame(path) == pytest.approx(beep, abs=0.03)


def test_sound_that_begins_before_the_pictures_stays_with_them(tmp_path: Path) -> None:
    source = make_talkie(tmp_path / "a.mkv", "aac", pictures_from=0.5)
    assert beep_after_first_frame(source) == pytest.approx(0.5, abs=0.03)
    assert beep_after_first_frame(write(tmp_path / "v.mp4", audio_from=source)) == pytest.approx(0.5, abs=0.03)


def test_sources_without_pictures_or_without_sound(tmp_path: Path) -> None:
    sound = make_talkie(tmp_path / "a.wav", "pcm_s16le", pictures_from=None)
    assert beep_after_first_frame(write(tmp_path / "v.mp4", audio_from=sound)) == pytest.approx(BEEP, abs=0.03)
    silent = write(tmp_path / "silent.mp4")
    assert not probe(write(tmp_path / "w.mp4", audio_from=silent)).has_audio


def test_a_source_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"no\.mp4: no such file"):
        VideoWriter(tmp_path / "v.mp4", size=(48, 64), audio_from=tmp_path / "no.mp4")
    assert names(tmp_path) == []


def test_whole_or_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "made" / "v.mp4")
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="on the way"), VideoWriter(path, size=(48, 64)) as writer:
        writer.write(gray(0), 0.0)
        raise RuntimeError("on the way")
    with pytest.raises(OutputError, match="needs at least one frame, got none"), VideoWriter(path, size=(48, 64)):
        pass
    with pytest.raises(ShapeError, match="image must have shape"), VideoWriter(path, size=(48, 64)) as writer:
        writer.write(gray(0, (40, 64)), 0.0)
    assert path.read_bytes() == before
    assert names(path.parent) == ["v.mp4"]


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", size=(48, 64)) as writer:
        writer.write(gray(0), 0.0)
    with pytest.raises(OutputError, match="needs an open file, got one that is closed"):
        writer.write(gray(0), 0.1)


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written: ") as raised:
        VideoWriter(tmp_path / "file" / "v.mp4", size=(48, 64))
    assert "\n" not in str(raised.value)
    with (
        pytest.raises(OutputError, match="cannot be written: "),
        VideoWriter(tmp_path / "v.mp4", size=(2, 200_000)) as writer,  # wider than H.264 can be
    ):
        writer.write(gray(0, (2, 200_000)), 0.0)
    (tmp_path / "folder.mp4" / "full").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"folder\.mp4: cannot be written: "):
        write(tmp_path / "folder.mp4")
    assert names(tmp_path) == ["file", "folder.mp4"]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v.mp4"

    class FullDisk:
        """The container of a writer whose disk has filled up."""

        def mux(self, packets: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with (
        pytest.raises(OutputError, match=r"v\.mp4: cannot be written: No space left on device"),
        VideoWriter(path, size=(48, 64)) as writer,
    ):
        monkeypatch.setattr(writer, "_container", FullDisk())
        writer.write(gray(0), 0.0)
    assert names(tmp_path) == []


def test_gaps_of_hours(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", size=(48, 64), duration_seconds=80_000) as writer:
        for time in (0.0, 0.033, 80_000.0):
            writer.write(gray(90), time)
    frames = list(read_frames(tmp_path / "v.mp4"))
    assert [frame.time_seconds for frame in frames] == pytest.approx([0, 0.033, 80_000])


@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_sound_goes_on_where_the_clock_of_a_transport_stream_jumps(tmp_path: Path, codec: str) -> None:
    parts = []
    for start in (0.0, 80_000.0):
        parts.append(make_talkie(tmp_path / f"{start}.ts", codec, start=start).read_bytes())
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    path = write(tmp_path / "v.mp4", audio_from=tmp_path / "joined.ts", num_frames=40)
    with av.open(str(path)) as container:
        (sound,) = container.streams.audio
        assert float(sound.duration * sound.time_base) == pytest.approx(4.0, abs=0.3)
