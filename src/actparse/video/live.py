"""Live sources: camera, stream or pipe. A thread reads the source and keeps only the newest frame."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
from av.container import InputContainer

from actparse.core.errors import ConfigError, VideoError
from actparse.video.clock import FrameClock
from actparse.video.container import nominal_step, video_stream
from actparse.video.decode import DecodedFrame
from actparse.video.pictures import UprightImages, pixel_aspect

CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}  # FFmpeg's names
UNSTAMPED = ("mpjpeg", "mjpeg", "h264", "hevc")  # streams without time stamps; the arrival times are used
OPTIONS = {  # FFmpeg's options for low delay
    "flags": "low_delay",
    "analyzeduration": "1000000",  # microseconds
    "rtsp_transport": "tcp",
}
JOIN_SECONDS = 2.0  # time limit for the reading thread to end
POLL_SECONDS = 0.2  # time between two checks for an interrupt


@dataclass(frozen=True)
class LiveFrame:
    """A frame and its arrival time; `frame.index` counts all frames of the source."""

    frame: DecodedFrame
    arrival_seconds: float  # of `time.monotonic()`


class LiveReader:
    """Reads the newest frames of a source: `with LiveReader("rtsp://...") as frames: for frame in frames: ...`.

    Every `stride`-th frame is offered. If it is not taken before the next one is offered, it is dropped and counted.
    """

    def __init__(self, source: str, *, stride: int = 5, timeout_seconds: float = 10.0) -> None:
        """Open the source.

        Args:
            source: a camera's number or /dev/video0, an address (rtsp://, http://, udp://, tcp://, ...), "-" for
                standard input, or a file, which is read no faster than it plays.
            stride: every `stride`-th frame is offered.
            timeout_seconds: time without a frame after which the source counts as lost.

        Raises:
            ConfigError: a number is out of its range.
            VideoError: the source cannot be opened or has no video.
        """
        if stride < 1:
            raise ConfigError(f"stride must be at least 1, got {stride}")
        if not timeout_seconds > 0:
            raise ConfigError(f"timeout_seconds must be greater than 0, got {timeout_seconds}")
        self.source, self.num_read, self.num_dropped = source, 0, 0
        self._stride = stride
        self._is_paced = Path(source).is_file()
        self._container = _open(source, timeout_seconds)
        self._stream = video_stream(self._container, Path(source))
        self._stream.thread_type = "SLICE"  # threads over frames would delay some of them
        self._newest: LiveFrame | None = None
        self._failure: str | None = None
        self._is_over = False
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="live source", daemon=True)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames, as the stream declares it; at least 1 each."""
        return max(1, self._stream.height), max(1, self._stream.width)

    def _read(self) -> None:
        try:
            self._offer_all()
        except av.FFmpegError as error:
            self._failure = str(error.strerror or error)
        except VideoError as error:
            self._failure = str(error)
        finally:
            self._container.close()
            with self._changed:
                self._is_over = True
                self._changed.notify()

    def _offer_all(self) -> None:
        images, start = UprightImages(pixel_aspect(self._stream)), time.monotonic()
        clock = FrameClock(nominal_step(self._stream), stamped=self._container.format.name not in UNSTAMPED)
        for index, frame in enumerate(self._container.decode(self._stream)):
            seconds = clock.read(frame) if clock.stamped else time.monotonic() - start
            if self._is_paced:
                start = time.monotonic() if index == 0 else start
                self._stop.wait(max(0.0, start + seconds - time.monotonic()))
            if self._stop.is_set():
                return
            self.num_read += 1
            if index % self._stride == 0:
                self._offer(LiveFrame(DecodedFrame(index, seconds, images.image(frame)), time.monotonic()))

    def _offer(self, frame: LiveFrame) -> None:
        with self._changed:
            self.num_dropped += self._newest is not None
            self._newest = frame
            self._changed.notify()

    def __iter__(self) -> Iterator[LiveFrame]:
        """Yield the newest frame each time, until the source ends.

        Raises:
            VideoError: no frame arrived, or reading failed.
        """
        while True:
            with self._changed:
                while self._newest is None and not self._is_over:
                    self._changed.wait(POLL_SECONDS)  # an unlimited wait cannot be interrupted on every system
                frame, self._newest = self._newest, None
            if frame is None:
                break
            yield frame
        if self._failure is not None:
            raise VideoError(f"{self.source}: the source failed after {self.num_read} frames: {self._failure}")
        if self.num_read == 0 and not self._stop.is_set():
            raise VideoError(f"{self.source}: needs a source that shows something, got not one frame")

    def __enter__(self) -> LiveReader:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(JOIN_SECONDS)  # the thread of a silent source ends with the process


def _open(source: str, timeout_seconds: float) -> InputContainer:
    url, kind = _url_and_format(source)
    if kind is not None and kind not in av.formats_available:
        raise VideoError(f"{source}: needs an FFmpeg that reads cameras ({kind}), got one without")
    try:
        return av.open(url, format=kind, options=OPTIONS, timeout=timeout_seconds, metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise VideoError(f"{source}: needs a camera, stream or video, got: {reason}") from None


def _url_and_format(source: str) -> tuple[str, str | None]:
    """Return FFmpeg's URL of the source, and its format name if FFmpeg needs it."""
    camera = CAMERA_FORMATS.get(sys.platform, "v4l2")
    if source.isdigit():
        return (f"/dev/video{source}" if camera == "v4l2" else source), camera
    if re.fullmatch(r"/dev/video\d+", source):
        return source, camera
    if source == "-":
        return "pipe:0", None
    if re.match(r"[a-z][a-z0-9+]*://", source):
        return source, None
    if not Path(source).exists():
        raise VideoError(f"{source}: needs a camera's number, an address with ://, - or a file, got none of them")
    return f"file:{source}", None  # "file:", so that a:b.mp4 is not taken for an address
