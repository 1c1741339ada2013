"""Video decoding: upright RGB frames with their presentation times, one after the other, in constant memory.

FFmpeg decodes (through PyAV). The rotation comes from the container's display matrix, and the time from each frame's
time stamp, never from the frame's index and a rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, VideoError
from actparse.core.structures import VideoInfo
from actparse.video.yuv import Matrix, Yuv420, frame_to_yuv, matrix_of

TimeRange = tuple[float | None, float | None]
ATTACHED_PICTURE = 0x0400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: an album cover is not a video

UNSTAMPED = ("avi",)  # formats with a rate only: FFmpeg's time stamps follow the coding order, not the presentation
DIGITS = 6  # decimals of a time in seconds, so that 0.3 s is 0.3 for any time base and start of the stream


class DecodedFrame:
    """One frame: its index in the file, from 0; its presentation time in seconds; its upright picture."""

    def __init__(self, index: int, time_seconds: float, picture: NDArray[np.uint8] | UprightPicture) -> None:
        """Store the frame; `picture` is (H, W, 3) uint8 RGB, or an object that converts to it on first use."""
        self.index, self.time_seconds = index, time_seconds
        self._picture = picture

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8 RGB; converted on first use."""
        return self._picture.image() if isinstance(self._picture, UprightPicture) else self._picture

    def yuv(self) -> Yuv420:
        """Return the picture in YUV as coded, without a conversion to RGB; only for frames of a `VideoReader`."""
        assert isinstance(self._picture, UprightPicture)
        return self._picture.yuv()


def parse_time_range(text: str) -> TimeRange:
    """Parse "START:END" in seconds; either side may be empty.

    Raises:
        ConfigError: a side is not a number, the start is negative, or the end is not after the start.
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
    """Return the properties of a video from its container; packets are counted, only one frame is decoded.

    Args:
        path: the file.
        time_range: (start, end) in seconds; `num_frames` and `duration_seconds` are those within it.

    Raises:
        VideoError: the file is missing, is not a video, or has no frame that can be decoded.
    """
    with read_frames(path) as reader:
        first = next(iter(reader))  # a reader without any frame raises
        rotation = reader.info.rotation_degrees
    times = frame_times(path)
    frame_seconds = _frame_seconds(times)
    in_range = times[_within(times, time_range)]
    num_frames = len(in_range)
    duration = num_frames * frame_seconds if num_frames < 2 else float(in_range[-1] - in_range[0]) + frame_seconds
    height, width = first.image.shape[:2]
    return VideoInfo(
        path=str(path),
        width=width,
        height=height,
        num_frames=num_frames,
        duration_seconds=duration,
        mean_fps=num_frames / duration if duration > 0 else 0.0,
        rotation_degrees=rotation,
        has_audio=reader.info.has_audio,
    )


def _within(times: NDArray[np.float64], time_range: TimeRange | None) -> NDArray[np.bool_]:
    start, end = time_range or (None, None)
    return (times >= (start or 0.0)) & (times < (np.inf if end is None else end))


def _frame_seconds(times: NDArray[np.float64]) -> float:
    """Return the assumed duration of the last frame: the median time between two frames."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def frame_times(path: str | Path) -> NDArray[np.float64]:
    """Return the presentation times of all frames (N,), in seconds, ascending from 0, without decoding.

    Raises:
        VideoError: the file is missing or is not a video.
    """
    path, stamps = Path(path), list[float]()
    with open_container(path) as container:
        stream = video_stream(container, path)
        try:
            for packet in container.demux(stream):
                if packet.size:
                    stamps.append(np.nan if packet.pts is None else float(packet.pts * packet.time_base))
        except av.FFmpegError:
            pass  # a damaged end: the packets counted so far are those that can be decoded
        even = np.asarray(np.arange(max(len(stamps), 1)) * nominal_step(stream), np.float64)
    times = np.asarray(stamps, np.float64)
    if not len(times) or np.isnan(times).any():
        times = even
    return np.asarray(np.round(np.sort(times) - times.min(), DIGITS), np.float64)


def nominal_step(stream: VideoStream) -> float:
    """Return the seconds between frames at the declared rate, for frames without a time stamp; 1/25 without a rate."""
    rate = stream.guessed_rate or stream.average_rate
    return float(1 / rate) if rate else 0.04


def read_frames(path: str | Path, *, time_range: TimeRange | None = None, stride: int = 1) -> VideoReader:
    """Open a video for iteration: `for frame in read_frames(path): ...`.

    Args:
        path: a file of any container and codec that FFmpeg reads; an image is a video of one frame.
        time_range: (start, end) in seconds of presentation time; None on either side leaves it open.
        stride: return every `stride`-th frame, counted from the file's first frame.

    Raises:
        VideoError: the file is missing or is not a video.
        ConfigError: `stride` is less than 1.
    """
    return VideoReader(Path(path), time_range, stride)


class FrameClock:
    """Converts the frames' time stamps to times that start at 0 and never decrease."""

    def __init__(self, step: float, *, stamped: bool) -> None:
        self.step = step  # seconds between the last two frames with different time stamps
        self.stamped = stamped  # False: use a constant rate of one frame per step
        self.last: float | None = None  # time of the last frame, seconds
        self.stamp = 0.0  # time stamp of the last frame, seconds
        self._origin = 0.0

    def read(self, frame: av.VideoFrame) -> float:
        """Return the frame's time in seconds; if the stamp is missing or decreases, continue with the previous step."""
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
    """Converts decoded frames to upright images, all of the first frame's size."""

    def __init__(self) -> None:
        self.rotation_degrees = 0
        self.size: tuple[int, int] | None = None  # (height, width) of the images; None before the first frame
        self.size_changed = False  # whether a later frame had another size
        self._coded_size: tuple[int, int] | None = None  # (height, width) of the first frame, before rotation
        self._matrix: Matrix = "bt601"  # of the first frame
        self._to_rgb, self._to_yuv = VideoReformatter(), VideoReformatter()  # shared by all frames: the set-up is slow

    def picture(self, frame: av.VideoFrame) -> UprightPicture:
        """Return the frame as a picture that is converted later."""
        coded_size = (frame.height, frame.width)
        if self._coded_size is None:
            self._coded_size, self._matrix = coded_size, matrix_of(frame)
            self.rotation_degrees = round(frame.rotation / 90) * 90 % 360
            self.size = coded_size[::-1] if self.rotation_degrees % 180 else coded_size
        self.size_changed |= self._coded_size != coded_size
        return UprightPicture(self, frame)

    def image(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Convert the frame to (H, W, 3) uint8 RGB."""
        return self.picture(frame).image()

    def rgb_of(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Convert a frame that was passed to `picture` to (H, W, 3) uint8 RGB."""
        assert self._coded_size is not None
        height, width = self._coded_size
        return self._upright(np.asarray(self._to_rgb.reformat(frame, width, height, format="rgb24").to_ndarray()))

    def yuv_of(self, frame: av.VideoFrame) -> Yuv420:
        """Convert a frame that was passed to `picture` to YUV, often without a copy; do not change it in place."""
        assert self._coded_size is not None
        coded = frame_to_yuv(frame, self._to_yuv, size=self._coded_size, matrix=self._matrix)
        return coded.changed(self._upright) if self.rotation_degrees else coded

    def _upright(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        quarters = self.rotation_degrees // 90
        return np.ascontiguousarray(np.rot90(plane, k=quarters)) if quarters else plane


class UprightPicture:
    """A decoded frame that is converted to an image only on demand."""

    def __init__(self, images: UprightImages, frame: av.VideoFrame) -> None:
        self._images, self._frame = images, frame

    def image(self) -> NDArray[np.uint8]:
        """Convert the frame to (H, W, 3) uint8 RGB."""
        return self._images.rgb_of(self._frame)

    def yuv(self) -> Yuv420:
        """Convert the frame to YUV, without a copy if possible; do not change it in place."""
        return self._images.yuv_of(self._frame)


class VideoReader:
    """The frames of a video, for one pass. `info` and `warnings` are complete after the pass."""

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
        """Properties of the frames read so far: their number in the time range, their duration, the upright size."""
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
                yield DecodedFrame(index, time_seconds, self._images.picture(frame))
        if self._images.size_changed:
            self.warnings.append(
                f"{self.path}: the frame size changes; all frames are resized to the first frame's size"
            )
        self.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield all frames that can be decoded; skip damaged packets, with a warning at the end.

        Raises:
            VideoError: no frame can be decoded, or the reader is closed.
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
        """Warn if the declared duration is longer than the time of the last frame."""
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
        """Close the file."""
        self._open = False
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def open_container(path: Path) -> InputContainer:
    """Open a media file for reading.

    Raises:
        VideoError: it is missing, empty, a folder, text, or in a format that FFmpeg does not support.
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
        container = av.open(f"file:{path}", metadata_errors="ignore")  # "file:", so that a:b.mp4 is not taken for a URL
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: needs a video file, got: {_reason(error)}") from None
    if container.format.name == "tty":  # FFmpeg would render the text as video
        container.close()
        raise VideoError(f"{path}: needs a video file, got text")
    return container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the first video stream that is not a cover picture.

    Raises:
        VideoError: there is none; the container is then closed.
    """
    for stream in container.streams.video:
        if not int(stream.disposition) & ATTACHED_PICTURE and stream.codec_context is not None:
            return stream
    kinds = {"cover picture" if stream.type == "video" else stream.type for stream in container.streams}
    container.close()
    raise VideoError(f"{path}: needs a video stream, got {' and '.join(sorted(kinds)) or 'nothing'} alone")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
