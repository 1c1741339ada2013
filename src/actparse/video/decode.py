"""Reading video: upright RGB frames with their presentation times, one after the other, in constant memory.

FFmpeg (through PyAV) does the reading; rotation comes from the container's display matrix, time from each frame's own
stamp, never from a frame's number and a rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.errors import ConfigError, VideoError
from actparse.structures import VideoInfo

TimeRange = tuple[float | None, float | None]
ATTACHED_PICTURE = 0x0400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: an album cover is no video

UNSTAMPED = ("avi",)  # the format has a rate alone; FFmpeg's stamps are in the order of coding, not of showing
DIGITS = 6  # of a time in seconds: a frame shown at 0.3 s is at 0.3, whatever the stream's time base and start


@dataclass(frozen=True)
class DecodedFrame:
    """One frame: its number in the file, from 0; when it is shown; the upright image (H, W, 3) uint8 RGB."""

    index: int
    time_seconds: float
    image: NDArray[np.uint8]


def parse_time_range(text: str) -> TimeRange:
    """Read "START:END" in seconds; either side may be empty.

    Raises:
        ConfigError: a side is no number, the start is negative, or the end not after the start.
    """
    start_text, colon, end_text = text.partition(":")
    try:
        start = float(start_text) if start_text else None
        end = float(end_text) if end_text else None
    except ValueError:
        start, end, colon = None, None, ""
    if not colon:
        raise ConfigError(f"time must be START:END in seconds, got {text!r}")
    if (start is not None and not 0 <= start < np.inf) or (end is not None and not end > (start or 0)):
        raise ConfigError(f"time must have 0 <= START < END, got {text!r}")
    return start, end


def probe(path: str | Path, *, time_range: TimeRange | None = None) -> VideoInfo:
    """What the container says of a video; packets are counted, only one frame is decoded.

    Args:
        path: the file.
        time_range: (start, end) in seconds; `num_frames` and `duration_seconds` are those within it.

    Raises:
        VideoError: the file is missing, is no video, or holds no frame that can be decoded.
    """
    with read_frames(path) as reader:
        first = next(iter(reader))  # a reader without any frame has raised
        rotation = reader.info.rotation_degrees
    times = frame_times(path)
    frame_seconds = _frame_seconds(times)
    kept = times[_within(times, time_range)]
    duration = len(kept) * frame_seconds if len(kept) < 2 else float(kept[-1] - kept[0]) + frame_seconds
    height, width = first.image.shape[:2]
    return VideoInfo(
        path=str(path),
        width=width,
        height=height,
        num_frames=len(kept),
        duration_seconds=duration,
        mean_fps=len(kept) / duration if duration > 0 else 0.0,
        rotation_degrees=rotation,
        has_audio=reader.info.has_audio,
    )


def _within(times: NDArray[np.float64], time_range: TimeRange | None) -> NDArray[np.bool_]:
    start, end = time_range or (None, None)
    return (times >= (start or 0.0)) & (times < (np.inf if end is None else end))


def _frame_seconds(times: NDArray[np.float64]) -> float:
    """How long the last frame is taken to last: the median distance of two frames."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def frame_times(path: str | Path) -> NDArray[np.float64]:
    """Presentation times of all frames (N,), seconds, ascending, from 0 on; packets are counted, nothing is decoded.

    Raises:
        VideoError: the file is missing or is no video.
    """
    path, stamps = Path(path), list[float]()
    with open_container(path) as container:
        stream = video_stream(container, path)
        try:
            for packet in container.demux(stream):
                if packet.size:
                    stamps.append(np.nan if packet.pts is None else float(packet.pts * packet.time_base))
        except av.FFmpegError:
            pass  # a damaged end: what was counted so far is what can be decoded
        even = np.asarray(np.arange(max(len(stamps), 1)) * nominal_step(stream), np.float64)
    times = np.asarray(stamps, np.float64)
    if not len(times) or np.isnan(times).any():
        times = even
    return np.asarray(np.round(np.sort(times) - times.min(), DIGITS), np.float64)


def nominal_step(stream: VideoStream) -> float:
    """Seconds from one frame to the next by the declared rate, for frames without a stamp; 1/25 where there is none."""
    rate = stream.guessed_rate or stream.average_rate
    return float(1 / rate) if rate else 0.04


def read_frames(path: str | Path, *, time_range: TimeRange | None = None, stride: int = 1) -> VideoReader:
    """Open a video for iteration: `for frame in read_frames(path): ...`.

    Args:
        path: a file of any container and codec that FFmpeg reads; an image is a video of one frame.
        time_range: (start, end) in seconds of presentation time; None on either side leaves it open.
        stride: every so many frames, counted from the file's first one.

    Raises:
        VideoError: the file is missing or is no video.
        ConfigError: `stride` is less than 1.
    """
    return VideoReader(Path(path), time_range, stride)


class FrameClock:
    """Turns the frames' own stamps into times that start at 0 and never go back."""

    def __init__(self, step: float, *, stamped: bool) -> None:
        self.step = step  # seconds, between the last two frames whose stamps differ
        self.stamped = stamped  # or a constant rate of one frame per step
        self.last: float | None = None  # the last frame's time, seconds
        self.stamp = 0.0  # the last frame's own stamp, seconds
        self._origin = 0.0

    def read(self, frame: av.VideoFrame) -> float:
        """The frame's time, seconds; a missing stamp, or one that jumps back, goes on at the step before."""
        self.stamp = float(frame.time) if self.stamped and frame.time is not None else self.stamp + self.step
        if self.last is None:
            self._origin = self.stamp
        elif round(self.stamp - self._origin, DIGITS) < self.last:
            self._origin = self.stamp - self.last - self.step
        seconds = round(self.stamp - self._origin, DIGITS)
        if self.last is not None and seconds > self.last:
            self.step = seconds - self.last
        self.last = seconds
        return seconds


class UprightImages:
    """Turns decoded frames into upright RGB images, all of the first one's size."""

    def __init__(self) -> None:
        self.rotation_degrees = 0
        self.size: tuple[int, int] | None = None  # (height, width) of the images; None before the first
        self.size_changed = False  # a later frame was of another size
        self._coded_size: tuple[int, int] | None = None  # width, height of the first frame, before rotation
        self._reformatter = VideoReformatter()  # one for all frames: setting it up takes longer than using it

    def image(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The frame as (H, W, 3) uint8 RGB."""
        if self._coded_size is None:
            self._coded_size = (frame.width, frame.height)
            self.rotation_degrees = round(frame.rotation / 90) * 90 % 360
        self.size_changed |= self._coded_size != (frame.width, frame.height)
        width, height = self._coded_size
        rgb = self._reformatter.reformat(frame, width, height, format="rgb24")
        image = np.asarray(rgb.to_ndarray(), np.uint8)
        if self.rotation_degrees:
            image = np.ascontiguousarray(np.rot90(image, k=self.rotation_degrees // 90))
        self.size = (image.shape[0], image.shape[1])
        return image


class VideoReader:
    """Frames of one pass over a video. `info` and `warnings` are complete when the pass is over."""

    def __init__(self, path: Path, time_range: TimeRange | None, stride: int) -> None:
        if stride < 1:
            raise ConfigError(f"stride must be at least 1, got {stride}")
        self.path = path
        self.warnings: list[str] = []
        self._start, self._end = time_range or (None, None)
        self._stride = stride
        self._container = open_container(path)
        self._stream = video_stream(self._container, path)
        self._stream.thread_type = "AUTO"
        stamped = self._container.format.name not in UNSTAMPED
        self._clock = FrameClock(nominal_step(self._stream), stamped=stamped)
        self._images = UprightImages()
        self._times: list[float] = []
        self._has_audio = bool(self._container.streams.audio)
        self._open = True

    @property
    def info(self) -> VideoInfo:
        """What was read so far: number of frames within the asked time, their span, the upright size."""
        times = np.asarray(self._times)
        duration = float(times[-1] - times[0]) + _frame_seconds(times) if len(times) else 0.0
        height, width = self._images.size or (self._stream.height, self._stream.width)
        return VideoInfo(
            path=str(self.path),
            width=width,
            height=height,
            num_frames=len(times),
            duration_seconds=duration,
            mean_fps=len(times) / duration if duration > 0 else 0.0,
            rotation_degrees=self._images.rotation_degrees,
            has_audio=self._has_audio,
        )

    def __iter__(self) -> Iterator[DecodedFrame]:
        for index, frame in enumerate(self._decoded()):
            time_seconds = self._clock.read(frame)
            if self._end is not None and time_seconds >= self._end:
                break
            if time_seconds < (self._start or 0.0):
                continue
            self._times.append(time_seconds)
            if index % self._stride == 0:
                yield DecodedFrame(index, time_seconds, self._images.image(frame))
        if self._images.size_changed:
            self.warnings.append(f"{self.path}: the frames' size changes on the way; all are brought to the first's")
        self.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """All frames that decode; packets that do not are left out, with a warning at the end.

        Raises:
            VideoError: not one frame decodes, or the reader is closed.
        """
        num_frames = 0
        failures: list[str] = []
        for packet in self._packets(failures):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                failures.append(_reason(error))
                continue
            for frame in frames:
                num_frames += 1
                yield frame
                self._check_open()
        if num_frames == 0:
            got = failures[0] if failures else "a stream without frames"
            raise VideoError(f"{self.path}: needs a video that decodes, got: {got}")
        if failures:
            self.warnings.append(f"{self.path}: {len(failures)} damaged places were left out: {failures[0]}")
        self._warn_of_cut(num_frames)

    def _packets(self, failures: list[str]) -> Iterator[av.Packet[VideoStream]]:
        self._check_open()
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            failures.append(_reason(error))

    def _warn_of_cut(self, num_frames: int) -> None:
        """Warn where the file declares a later end than that of its last frame."""
        stream, container = self._stream, self._container
        declared = 0.0
        if stream.duration is not None and stream.time_base is not None:
            declared = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
        elif container.duration is not None and len(container.streams) == 1:
            declared = container.duration / av.time_base
        if declared - self._clock.stamp > 2.5 * self._clock.step:
            self.warnings.append(
                f"{self.path}: ends after {num_frames} frames at {self._clock.stamp:.2f} s, declares {declared:.2f} s"
            )

    def _check_open(self) -> None:
        if not self._open:
            raise VideoError(f"{self.path}: needs a new reader for another pass, got one that is closed")

    def close(self) -> None:
        """Let go of the file."""
        self._open = False
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def open_container(path: Path) -> InputContainer:
    """Open a file for reading, whatever it holds.

    Raises:
        VideoError: it is missing, empty, a folder, text, or nothing that FFmpeg knows.
    """
    try:
        is_file, size = path.is_file(), path.stat().st_size
    except FileNotFoundError:
        raise VideoError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"{path}: needs a video file, got: {_reason(error)}") from None
    if not is_file:
        raise VideoError(f"{path}: needs a video file, got {'a folder' if path.is_dir() else 'no regular file'}")
    if size == 0:
        raise VideoError(f"{path}: needs a video file, got an empty file")
    try:
        container = av.open(f"file:{path}", metadata_errors="ignore")  # "file:", lest a:b.mp4 be taken for a URL
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: needs a video file, got: {_reason(error)}") from None
    if container.format.name == "tty":  # FFmpeg would draw the text on a terminal of its own
        container.close()
        raise VideoError(f"{path}: needs a video file, got text")
    return container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures.

    Raises:
        VideoError: there is none; the container is closed then.
    """
    for stream in container.streams.video:
        if not int(stream.disposition) & ATTACHED_PICTURE and stream.codec_context is not None:
            return stream
    kinds = {"cover picture" if stream.type == "video" else stream.type for stream in container.streams}
    container.close()
    raise VideoError(f"{path}: needs a video stream, got {' and '.join(sorted(kinds)) or 'nothing'} alone")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
