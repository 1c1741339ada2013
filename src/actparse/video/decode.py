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
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.errors import ConfigError, VideoError
from actparse.structures import VideoInfo

TimeRange = tuple[float | None, float | None]
ATTACHED_PICTURE = 0x0400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: an album cover is no video


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
    if (start is not None and not start >= 0) or (end is not None and not end > (start or 0)):
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
        first = next(iter(reader), None)
        if first is None:
            raise VideoError(f"{path}: needs at least one frame that decodes, got none")
        rotation = reader.info.rotation_degrees
    times = _packet_times(Path(path))
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


def _packet_times(path: Path) -> NDArray[np.float64]:
    """Presentation times of all packets, ascending, from 0 on; nothing is decoded."""
    stamps = []
    with _open(path) as container:
        stream = _video_stream(container, path)
        try:
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:
                    stamps.append(float(packet.pts * packet.time_base))
        except av.FFmpegError:
            pass  # a damaged end: what was counted so far is what can be decoded
    times = np.sort(np.asarray(stamps, np.float64))
    return times - times[0] if len(times) else np.zeros(1)


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


class VideoReader:
    """Frames of one pass over a video. `info` and `warnings` are complete when the pass is over."""

    def __init__(self, path: Path, time_range: TimeRange | None, stride: int) -> None:
        if stride < 1:
            raise ConfigError(f"stride must be at least 1, got {stride}")
        self.path = path
        self.warnings: list[str] = []
        self._start, self._end = time_range or (None, None)
        self._stride = stride
        self._container = _open(path)
        self._stream = _video_stream(self._container, path)
        self._stream.thread_type = "AUTO"
        self._rotation = 0
        self._size = (self._stream.width, self._stream.height)
        self._times: list[float] = []
        self._has_audio = bool(self._container.streams.audio)

    @property
    def info(self) -> VideoInfo:
        """What was read so far: number of frames within the asked time, their span, the upright size."""
        times = np.asarray(self._times)
        duration = float(times[-1] - times[0]) + _frame_seconds(times) if len(times) else 0.0
        return VideoInfo(
            path=str(self.path),
            width=self._size[0],
            height=self._size[1],
            num_frames=len(times),
            duration_seconds=duration,
            mean_fps=len(times) / duration if duration > 0 else 0.0,
            rotation_degrees=self._rotation,
            has_audio=self._has_audio,
        )

    def __iter__(self) -> Iterator[DecodedFrame]:
        first_time, last_time, step = None, -np.inf, 0.0
        for index, frame in enumerate(self._decoded()):
            seconds = last_time + step if frame.time is None else float(frame.time)
            first_time = seconds if first_time is None else first_time
            time_seconds = max(seconds - first_time, 0.0)
            step = time_seconds - last_time if np.isfinite(last_time) else 0.0
            last_time = time_seconds
            if self._end is not None and time_seconds >= self._end:
                break
            if time_seconds < (self._start or 0.0):
                continue
            self._times.append(time_seconds)
            if index % self._stride == 0:
                yield DecodedFrame(index, time_seconds, self._upright(frame))
        self.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        num_frames = 0
        try:
            for frame in self._container.decode(self._stream):
                yield frame
                num_frames += 1
        except av.FFmpegError as error:
            if num_frames == 0:
                raise VideoError(f"{self.path}: needs a video that decodes, got: {_reason(error)}") from None
            self.warnings.append(f"{self.path}: decoded {num_frames} frames, then: {_reason(error)}")
        else:
            declared = self._stream.frames
            if num_frames < declared:
                self.warnings.append(f"{self.path}: decoded {num_frames} frames of the {declared} that it declares")

    def _upright(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        self._rotation = int(frame.rotation) % 360
        if self._rotation:
            image = np.ascontiguousarray(np.rot90(image, k=self._rotation // 90))
        self._size = (image.shape[1], image.shape[0])
        return image

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _open(path: Path) -> InputContainer:
    if not path.exists():
        raise VideoError(f"{path}: no such file")
    if path.is_dir():
        raise VideoError(f"{path}: needs a video file, got a folder")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: needs a video file, got an empty file")
    try:
        return av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: needs a video file, got: {_reason(error)}") from None


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    for stream in container.streams.video:
        if not int(stream.disposition) & ATTACHED_PICTURE and stream.codec_context is not None:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    container.close()
    raise VideoError(f"{path}: needs a video stream, got {kinds} alone")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
