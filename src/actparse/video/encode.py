"""Writing video: H.264 that browsers play, with the given presentation times and the source's sound."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from actparse.errors import OutputError, ShapeError
from actparse.files import written_beside
from actparse.video.decode import TimeRange

TIME_BASE = Fraction(1, 90_000)  # of the presentation times; fine enough for any frame rate


class VideoWriter:
    """An MP4 file of H.264 (yuv420p, index at the front), whole or not there.

    Odd sizes are padded to even ones by repeating the last row and column.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        quality: int = 22,
        audio_from: Path | None = None,
        time_range: TimeRange | None = None,
    ) -> None:
        """Open the file.

        Args:
            path: where the video goes; the folder is made where it is missing.
            size: (height, width) of the frames.
            quality: x264's constant rate factor, 0 (lossless) .. 51.
            audio_from: a file whose first sound track is taken over, as AAC.
            time_range: (start, end) in seconds of that sound; it is moved so that `start` is at 0.

        Raises:
            OutputError: the file cannot be written.
        """
        self.path, self.size = path, size
        self._beside = written_beside(path)
        self._temporary = self._beside.__enter__()
        self._audio_from, self._range = audio_from, time_range or (None, None)
        self._last_pts = -1
        try:
            options = {"movflags": "+faststart"}
            self._container = av.open(str(self._temporary), "w", format="mp4", options=options)
            self._video = self._container.add_stream(
                "libx264", rate=30, options={"crf": str(quality), "preset": "veryfast"}
            )
        except (av.FFmpegError, OSError) as error:
            self._abandon(error)
        self._video.width, self._video.height = size[1] + size[1] % 2, size[0] + size[0] % 2
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = TIME_BASE
        self._video.time_base = TIME_BASE
        self._source = self._open_source()
        self._audio: AudioStream | None = None
        if self._source is not None:
            track = self._source.streams.audio[0]
            self._audio = self._container.add_stream("aac", rate=track.rate)

    def _open_source(self) -> av.container.InputContainer | None:
        if self._audio_from is None:
            return None
        source = av.open(str(self._audio_from), metadata_errors="ignore")
        if source.streams.audio and source.streams.audio[0].rate:
            return source
        source.close()
        return None

    def write(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Add a frame (H, W, 3) uint8 RGB, shown from `time_seconds` on; times ascend.

        Raises:
            ShapeError: the frame is not of the file's size.
            OutputError: the file cannot be written.
        """
        if image.shape != (*self.size, 3):
            raise ShapeError(f"image must have shape {(*self.size, 3)}, got {image.shape}")
        height, width = self.size
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts = max(round(time_seconds / TIME_BASE), self._last_pts + 1)
        frame.time_base = TIME_BASE
        self._last_pts = frame.pts
        try:
            self._container.mux(self._video.encode(frame))
        except (av.FFmpegError, OSError) as error:
            self._abandon(error)

    def close(self) -> None:
        """Finish the file and put it in its place.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            self._container.mux(self._video.encode(None))
            if self._audio is not None:
                for frame in self._sound():
                    self._container.mux(self._audio.encode(frame))
                self._container.mux(self._audio.encode(None))
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            self._abandon(error)
        self._close_source()
        self._beside.__exit__(None, None, None)

    def _sound(self) -> Iterator[av.AudioFrame]:
        """The source's sound within the time range, as far as it decodes."""
        assert self._source is not None
        track = self._source.streams.audio[0]
        first = float(self._source.start_time or 0) / av.time_base
        start = first + (self._range[0] or 0.0)
        end = np.inf if self._range[1] is None else first + self._range[1]
        resampler = av.AudioResampler(format="fltp", rate=track.rate)
        try:
            for frame in self._source.decode(track):
                if frame.time is None or frame.time < start:
                    continue
                if frame.time >= end:
                    break
                frame.pts = round((frame.time - start) * track.rate)
                frame.time_base = Fraction(1, track.rate)
                yield from resampler.resample(frame)
        except av.FFmpegError:
            return  # the sound of a damaged end is left out, as its frames are

    def _abandon(self, error: Exception) -> None:
        self._close_source()
        failure = OutputError(f"{self.path}: cannot be written: {getattr(error, 'strerror', None) or error}")
        self._discard(failure)
        raise failure from None

    def _discard(self, failure: BaseException) -> None:
        try:
            self._beside.__exit__(type(failure), failure, None)
        except type(failure):
            pass

    def _close_source(self) -> None:
        source = getattr(self, "_source", None)
        if source is not None:
            source.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, _: TracebackType | None
    ) -> None:
        if failure is None:
            self.close()
        elif not isinstance(failure, OutputError):
            self._close_source()
            self._discard(failure)
