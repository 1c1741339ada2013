"""Live sources: camera, stream or pipe. A thread reads the source and keeps only the newest frame."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from actparse.core.errors import ConfigError, VideoError
from actparse.video.clock import FrameClock
from actparse.video.container import error_text, nominal_step, video_stream
from actparse.video.decode import DecodedFrame
from actparse.video.pictures.upright import UprightImages, pixel_aspect

CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}  # FFmpeg's names
UNSTAMPED = ("mpjpeg", "mjpeg", "h264", "hevc")  # streams without time stamps; the arrival times are used
OPTIONS = {  # FFmpeg's options for low delay
    "flags": "low_delay",
    "analyzeduration": "1000000",  # microseconds
    "rtsp_transport": "tcp",
}
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 1.0, 30.0  # before a try to connect again; each delay is twice the one before
STABLE_SECONDS = 10.0  # a connection that lasted this long makes the delays short again
HEARTBEAT_SECONDS = 10.0  # between two lines on a source that sends nothing
JOIN_SECONDS = 2.0  # time limit for the reading thread to end
POLL_SECONDS = 0.2  # time between two checks for an interrupt


@dataclass(frozen=True)
class LiveFrame:
    """A frame and its arrival time; `frame.index` counts all frames of the source."""

    frame: DecodedFrame
    arrival_seconds: float  # of `time.monotonic()`


class SourceLostError(VideoError):
    """A live source failed or was closed, and did not come back."""


class LiveReader:
    """Reads the newest frames of a source: `with LiveReader("rtsp://...") as frames: for frame in frames: ...`.

    Every `stride`-th frame is offered. If it is not taken before the next one is offered, it is dropped and counted.

    A camera or stream that fails, stalls or is closed is opened again. The frames then continue, in the size of the
    first frame and at times by the clock of this machine.
    """

    def __init__(
        self,
        source: str,
        *,
        stride: int = 5,
        timeout_seconds: float = 10.0,
        reconnects: int = 0,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """Open the source.

        Args:
            source: a camera's number or /dev/video0, an address (rtsp://, http://, udp://, tcp://, ...), "-" for
                standard input, or a file, which is read no faster than it plays.
            stride: every `stride`-th frame is offered.
            timeout_seconds: time without a frame after which the source counts as lost.
            reconnects: tries to open a lost source again, with growing delays. With 0, a closed stream has ended.
                Files, standard input and streams with a declared duration are not opened again.
            report: called with a line on each loss and return, and every HEARTBEAT_SECONDS without a frame.

        Raises:
            ConfigError: a number is out of its range.
            VideoError: the source cannot be opened or has no video.
        """
        if stride < 1:
            raise ConfigError(f"stride must be at least 1, got {stride}")
        if not timeout_seconds > 0:
            raise ConfigError(f"timeout_seconds must be greater than 0, got {timeout_seconds}")
        if reconnects < 0:
            raise ConfigError(f"reconnects must be at least 0, got {reconnects}")
        self.source, self.num_read, self.num_dropped = source, 0, 0
        self._stride, self._timeout, self._reconnects = stride, timeout_seconds, reconnects
        self._report = report or (lambda _: None)
        self._is_paced = Path(source).is_file()
        self._container, self._stream = self._connect()
        self._returns = reconnects > 0 and not (self._is_paced or source == "-" or self._container.duration)
        self._images = UprightImages(pixel_aspect(self._stream))
        self._start: float | None = None  # `time.monotonic()` of the first frame
        self._last_seconds = 0.0  # time of the last frame
        self._num_tries = 0  # to connect again, since the last stable connection
        self._deadline = np.inf  # `time.monotonic()` after which the reading thread counts as blocked
        self._newest: LiveFrame | None = None
        self._failure: str | None = None
        self._messages = deque[str]()  # of the reading thread, for `report`
        self._is_over = False
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="live source", daemon=True)

    def _connect(self) -> tuple[InputContainer, VideoStream]:
        url, kind = _url_and_format(self.source)
        if kind is not None and kind not in av.formats_available:
            raise VideoError(f"{self.source}: needs an FFmpeg that reads cameras ({kind}), got one without")
        try:
            container = av.open(url, format=kind, options=OPTIONS, timeout=self._timeout, metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self.source}: needs a camera, stream or video, got: {error_text(error)}") from None
        stream = video_stream(container, Path(self.source))
        stream.thread_type = "SLICE"  # threads over frames would delay some of them
        return container, stream

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames, as the stream declares it; at least 1 each."""
        return max(1, self._stream.height), max(1, self._stream.width)

    def _read(self) -> None:
        try:
            while True:
                start = time.monotonic()
                self._failure = self._offer_all()
                self._container.close()
                if time.monotonic() - start >= STABLE_SECONDS:
                    self._num_tries = 0
                if self._stop.is_set() or not self._returns or not self._is_back():
                    break
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()

    def _offer_all(self) -> str | None:
        """Offer the frames of one connection; return why it ended, or None for a source that may end."""
        try:
            self._offer_frames()
        except av.error.ExitError:
            return f"no data for {self._timeout:g} s"
        except Exception as error:  # of whatever kind: without a reason the source would seem to have ended
            return str(getattr(error, "strerror", None) or error or type(error).__name__)
        return "closed by its sender" if self._returns else None

    def _offer_frames(self) -> None:
        clock = FrameClock(nominal_step(self._stream), stamped=self._container.format.name not in UNSTAMPED)
        offset: float | None = None  # seconds from the start to the first frame of this connection
        self._expect_progress()
        for frame in self._container.decode(self._stream):
            self._start = self._start or time.monotonic()
            clock_seconds = time.monotonic() - self._start
            if offset is None:
                offset = 0.0 if self.num_read == 0 else max(clock_seconds, self._last_seconds + clock.step)
            seconds = offset + clock.read(frame) if clock.stamped else max(clock_seconds, self._last_seconds)
            if self._is_paced:
                self._stop.wait(max(0.0, self._start + seconds - time.monotonic()))
            if self._stop.is_set():
                return
            index, self.num_read, self._last_seconds = self.num_read, self.num_read + 1, seconds
            self._expect_progress()
            if index % self._stride == 0:
                image = self._images.image(frame)
                with self._changed:
                    self.num_dropped += self._newest is not None
                    self._newest = LiveFrame(DecodedFrame(index, seconds, image), time.monotonic())
                    self._changed.notify()

    def _is_back(self) -> bool:
        """Open the lost source again, as often as allowed; return whether it is open."""
        while self._num_tries < self._reconnects:
            delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**self._num_tries)
            self._num_tries += 1
            tries = f"try {self._num_tries} of {self._reconnects}"
            self._messages.append(f"{self.source}: lost: {self._failure}; {tries} to open it again in {delay:g} s")
            self._expect_progress(delay)
            if self._stop.wait(delay):
                return False
            try:
                self._container, self._stream = self._connect()
            except VideoError as error:
                self._failure = str(error).removeprefix(f"{self.source}: ")
                continue
            self._messages.append(f"{self.source}: open again")
            return True
        return False

    def _expect_progress(self, delay: float = 0.0) -> None:
        """Allow the reading thread some time; FFmpeg cannot end every read, such as that of a camera, after a time."""
        if not self._is_paced:
            self._deadline = time.monotonic() + delay + 2 * self._timeout

    def __iter__(self) -> Iterator[LiveFrame]:
        """Yield the newest frame each time, until the source ends.

        Raises:
            SourceLostError: the source failed or was closed, and did not come back.
            VideoError: no frame arrived.
        """
        heard = beat = time.monotonic()  # the last frame, the last line
        while True:
            with self._changed:
                if self._newest is None and not self._is_over:
                    self._changed.wait(POLL_SECONDS)  # an unlimited wait cannot be interrupted on every system
                frame, self._newest = self._newest, None
                is_over = self._is_over
            while self._messages:
                self._report(self._messages.popleft())
                beat = time.monotonic()
            if frame is not None:
                yield frame
                heard = beat = time.monotonic()
            elif is_over:
                break
            elif time.monotonic() > self._deadline:
                raise SourceLostError(f"{self.source}: lost after {self.num_read} frames: it does not answer")
            elif time.monotonic() - beat >= HEARTBEAT_SECONDS:
                beat = time.monotonic()
                self._report(f"{self.source}: no frame for {beat - heard:.0f} s")
        if self._failure is not None:
            tries = f" and {self._num_tries} tries to open it again" if self._num_tries else ""
            raise SourceLostError(f"{self.source}: lost after {self.num_read} frames{tries}: {self._failure}")
        if self.num_read == 0 and not self._stop.is_set():
            raise VideoError(f"{self.source}: needs a source that shows something, got not one frame")

    def __enter__(self) -> LiveReader:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(JOIN_SECONDS)  # the thread of a silent source ends with the process


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
