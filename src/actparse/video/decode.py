"""Video decoding: frames as players show them with their presentation times, one after the other, in constant memory.

FFmpeg decodes (through PyAV). Rotation, mirroring and the pixels' aspect come from the file, interlaced frames are
deinterlaced, HDR becomes ordinary colours. The time is that of each frame's time stamp, never of its index and a rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, VideoError
from actparse.core.structures import VideoInfo
from actparse.video.clock import FrameClock, PacketStamps
from actparse.video.container import (
    UNSTAMPED,
    cropping_of,
    error_text,
    may_jump,
    nominal_step,
    open_container,
    source_warnings,
    video_stream,
)
from actparse.video.pictures.deinterlacing import WovenFrames, deinterlace
from actparse.video.pictures.upright import UprightImages, UprightPicture, pixel_aspect
from actparse.video.pictures.yuv import Yuv420

TimeRange = tuple[float | None, float | None]
SHOW_FRAME = 16  # bit of a VP8 frame that is not just referred to by others. Source: RFC 6386, section 9.1


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


def probe(path: str | Path, *, time_range: TimeRange | None = None, frame_rate: float | None = None) -> VideoInfo:
    """Return the properties of a video from its container; packets are counted, only one frame is decoded.

    Args:
        path: the file, or an image sequence.
        time_range: (start, end) in seconds; `num_frames` and `duration_seconds` are those within it.
        frame_rate: frames a second of an image sequence.

    Raises:
        VideoError: the file is missing, is not a video, or has no frame that can be decoded.
    """
    with read_frames(path, frame_rate=frame_rate) as reader:
        next(iter(reader))  # a reader without any frame raises
        step = nominal_step(reader.stream)
    times = frame_times(path, frame_rate=frame_rate)
    start, end = time_range or (None, None)
    in_range = times[(times >= (start or 0.0)) & (times < (np.inf if end is None else end))]
    num_frames = len(in_range)
    frame_seconds = float(np.median(np.diff(times))) if len(times) > 1 else step
    duration = float(in_range[-1] - in_range[0]) + frame_seconds if num_frames else 0.0
    return replace(
        reader.info,
        num_frames=num_frames,
        duration_seconds=duration,
        mean_fps=num_frames / duration if duration > 0 else 0.0,
    )


def frame_times(path: str | Path, *, frame_rate: float | None = None) -> NDArray[np.float64]:
    """Return the presentation times of all frames (N,), in seconds, ascending from 0.

    The packets are counted; a video whose packets are not its frames one by one is decoded.

    Args:
        path: the file, or an image sequence.
        frame_rate: frames a second of an image sequence.

    Raises:
        VideoError: the file is missing or is not a video.
    """
    times = _packet_times(Path(path), frame_rate)
    if times is None:
        with read_frames(path, frame_rate=frame_rate) as reader:
            times = [time for (_, time), _ in reader.decode()]
    return np.asarray(times, np.float64)


def _packet_times(path: Path, frame_rate: float | None) -> list[float] | None:
    """Return the times of all frames from the packets' time stamps; None if the packets are not the frames."""
    with open_container(path, frame_rate=frame_rate) as container:
        stream = video_stream(container, path)
        is_stamped = container.format.name not in UNSTAMPED
        is_vp8 = stream.codec_context.codec.canonical_name == "vp8"
        clock = FrameClock(nominal_step(stream), may_jump=may_jump(container))
        times: list[float] = []
        section: list[float] = []  # stamps since the clock jumped, in coding order
        decoding: float | None = None  # decoding stamp of the last packet
        try:
            for packet in container.demux(stream):
                if not packet.size or packet.is_discard or (is_vp8 and not memoryview(packet)[0] & SHOW_FRAME):
                    continue
                stamp, unit = packet.pts if is_stamped else packet.dts, packet.time_base
                if stamp is None or packet.is_corrupt or not (section or packet.is_keyframe):
                    return None
                before, decoding = decoding, None if packet.dts is None else float(packet.dts * unit)
                if before is not None and decoding is not None and clock.is_gap(decoding - before):
                    times += map(clock.advance, sorted(section))
                    section = []
                section.append(float(stamp * unit))
                if section[-1] < section[0]:
                    return None  # a picture that may depend on one before the file's first
        except av.FFmpegError:
            pass  # a damaged end: the packets counted so far are those that can be decoded
    return times + [clock.advance(stamp) for stamp in sorted(section)] if section else None


def read_frames(
    path: str | Path, *, time_range: TimeRange | None = None, stride: int = 1, frame_rate: float | None = None
) -> VideoReader:
    """Open a video for iteration: `for frame in read_frames(path): ...`.

    Args:
        path: a file of any container and codec that FFmpeg reads, an image, which is a video of one frame, or an image
            sequence: a folder, or a name with a number pattern such as img_%04d.png.
        time_range: (start, end) in seconds of presentation time; None on either side leaves it open.
        stride: return every `stride`-th frame, counted from the file's first frame.
        frame_rate: frames a second of an image sequence.

    Raises:
        VideoError: the file is missing or is not a video.
        ConfigError: `stride` is less than 1, or `frame_rate` is not above 0.
    """
    return VideoReader(Path(path), time_range, stride, frame_rate)


class VideoReader:
    """The frames of a video, for one pass. `info` and `warnings` are complete after the pass."""

    def __init__(
        self, path: Path, time_range: TimeRange | None = None, stride: int = 1, frame_rate: float | None = None
    ) -> None:
        if stride < 1:
            raise ConfigError(f"stride must be at least 1, got {stride}")
        self.path = path
        self._start, self._end = time_range or (None, None)
        self._stride = stride
        self._container = open_container(path, frame_rate=frame_rate)
        self.stream = video_stream(self._container, path)
        self.warnings = source_warnings(self._container, path, frame_rate)
        self.stream.thread_type = "AUTO"
        stamped = self._container.format.name not in UNSTAMPED
        self._clock = FrameClock(nominal_step(self.stream), may_jump=may_jump(self._container))
        self._images = UprightImages(pixel_aspect(self.stream), cropping_of(self._container, self.stream))
        self._packets = PacketStamps(self._clock.step, stamped=stamped)
        self._is_interlaced = False  # by a mark
        self._woven = WovenFrames()  # without a mark
        self._last_seconds = 0.0  # duration of the last frame as the file states it
        self._times: list[float] = []
        self._has_audio = bool(self._container.streams.audio)
        self._open = True

    @property
    def info(self) -> VideoInfo:
        """Properties of the frames read so far: their number in the time range, their duration, the size as shown."""
        times = np.asarray(self._times)
        frame_seconds = float(np.median(np.diff(times))) if len(times) > 1 else self._clock.step
        duration = float(times[-1] - times[0]) + frame_seconds if len(times) else 0.0
        height, width = self._images.size or (self.stream.height, self.stream.width)
        return VideoInfo(
            path=str(self.path),
            width=width,
            height=height,
            num_frames=len(times),
            duration_seconds=duration,
            mean_fps=len(times) / duration if duration > 0 else 0.0,
            rotation_degrees=self._images.orientation.rotation_degrees,
            has_audio=self._has_audio,
        )

    @property
    def is_as_coded(self) -> bool:
        """Whether the file's pictures are shown without any change, as far as the frames so far tell."""
        return self._images.is_as_coded and not self._is_interlaced and self._woven.order is None

    def __iter__(self) -> Iterator[DecodedFrame]:
        for (index, time_seconds), frame in deinterlace(self.decode(), self._woven):
            if self._end is not None and time_seconds >= self._end:
                break
            if time_seconds < (self._start or 0.0):
                continue
            self._times.append(time_seconds)
            if index % self._stride == 0:
                yield DecodedFrame(index, time_seconds, self._images.picture(frame))
                self._check_open()
        if self._images.size_changed:
            self.warnings.append(
                f"{self.path}: the frame size changes; all frames are resized to the first frame's size"
            )
        if self._woven.order is not None:
            self.warnings.append(f"{self.path}: the frames are interlaced without a mark; they are deinterlaced")
        self.close()

    def decode(self) -> Iterator[tuple[tuple[int, float], av.VideoFrame]]:
        """Yield all frames that can be decoded, with index and time; skip damaged packets, with a warning at the end.

        Raises:
            VideoError: no frame can be decoded, or the reader is closed.
        """
        num_frames = num_damaged = 0
        failures: list[str] = []
        for packet in self._demux(failures):
            self._packets.add(packet)
            num_damaged += packet.is_corrupt
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                failures.append(error_text(error))
                self._packets.num_failures += 1
                continue
            for frame in frames:
                time_seconds = self._clock.advance(self._packets.take(frame))
                self._is_interlaced |= frame.interlaced_frame
                self._last_seconds = float(frame.duration * (frame.time_base or 0))
                yield (num_frames + self._packets.num_lost, time_seconds), frame
                num_frames += 1
                self._check_open()
        if num_frames == 0:
            got = failures[0] if failures else "a stream without frames"
            raise VideoError(f"{self.path}: needs a video that decodes, got: {got}")
        if failures:
            self.warnings.append(f"{self.path}: {len(failures)} damaged places were left out: {failures[0]}")
        elif num_damaged and not self._clock.jumps:
            self.warnings.append(f"{self.path}: {num_damaged} packets are damaged; frames may be missing or distorted")
        if self._clock.jumps:
            jumps = f"{len(self._clock.jumps)} times" if len(self._clock.jumps) > 1 else "once"
            self.warnings.append(f"{self.path}: the clock jumps {jumps}, at {self._clock.jumps[0]:.2f} s; time goes on")
        else:
            self._warn_of_cut(num_frames)

    def _demux(self, failures: list[str]) -> Iterator[av.Packet[VideoStream]]:
        self._check_open()
        try:
            yield from self._container.demux(self.stream)
        except av.FFmpegError as error:
            failures.append(error_text(error))

    def _warn_of_cut(self, num_frames: int) -> None:
        """Warn if the declared duration is longer than the time of the last frame."""
        stream, container = self.stream, self._container
        declared = 0.0
        if stream.duration is not None and stream.time_base is not None:
            declared = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
        elif container.duration is not None and len(container.streams) == 1:
            declared = container.duration / av.time_base
        if declared - self._clock.stamp > max(2.5 * self._clock.step, 1.5 * self._last_seconds):
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
