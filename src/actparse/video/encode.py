"""Video encoding: H.264 that browsers play, with given presentation times and the source's sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from actparse.core.errors import OutputError, ShapeError
from actparse.core.files import written_beside
from actparse.video.clock import FrameClock
from actparse.video.container import film_streams, may_jump, open_container
from actparse.video.decode import TimeRange
from actparse.video.pictures.yuv import BT601_TAG, BT709_TAG, LIMITED_RANGE, Matrix, Yuv420, yuv_to_frame

TIME_BASE = Fraction(1, 90_000)  # seconds, unit of the presentation times; fine enough for any frame rate
LONG_TIME_BASE = Fraction(1, 1000)  # seconds, of videos where MP4 cannot store the gap between two frames by the other
LONG_SECONDS = 2**31 * float(TIME_BASE)  # from this duration on
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz, rates that every player supports
FAST = "deblock=0,0"  # with the preset "ultrafast": a quarter of the time, twice the size, same quality
REPRODUCIBLE = "threads=1:cpu-independent=1"  # threads, and code chosen by the processor, may give another file


class VideoWriter:
    """Writes an MP4 file of H.264 (yuv420p, index at the front). An incomplete file is removed.

    Odd sizes are padded to even sizes by repeating the last row and column.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        quality: int = 22,
        fast: bool = False,
        reproducible: bool = False,
        matrix: Matrix = "bt601",
        audio_from: Path | None = None,
        time_range: TimeRange | None = None,
        duration_seconds: float = 0.0,
    ) -> None:
        """Open the file.

        Args:
            path: the video file; its folder is created if it is missing.
            size: (height, width) of the frames.
            quality: x264's constant rate factor, 0 (lossless) .. 51.
            fast: encode in a quarter of the time, at about twice the size.
            reproducible: encode in one thread, to the same file on every x86-64 processor.
            matrix: colour matrix of the encoded video.
            audio_from: a file whose first sound track is included: AAC is copied, other formats are encoded as AAC.
            time_range: (start, end) in seconds of that file's video; its sound is shifted so that `start` is at 0.
            duration_seconds: about the duration of the video; hours are stored with coarser times.

        Raises:
            VideoError: `audio_from` cannot be read.
            OutputError: the file cannot be written.
        """
        self.path, self.size, self.matrix = path, size, matrix
        self._sound = None if audio_from is None else SourceSound(audio_from, time_range or (None, None))
        self._time_base = TIME_BASE if duration_seconds < LONG_SECONDS else LONG_TIME_BASE
        self._last_pts = -1
        self._container: OutputContainer | None = None
        self._beside = written_beside(path)
        try:
            self._temporary = self._beside.__enter__()
            options = {"movflags": "+faststart", "video_track_timescale": str(self._time_base.denominator)}
            self._container = av.open(f"file:{self._temporary}", "w", format="mp4", options=options)
            parameters = [*([FAST] if fast else []), *([REPRODUCIBLE] if reproducible else [])]
            preset = "ultrafast" if fast else "veryfast"
            self._open_video({"crf": str(quality), "preset": preset, "x264-params": ":".join(parameters)})
            if self._sound is not None:
                self._sound.join(self._container)
        except BaseException as failure:
            self._give_up(failure)
            raise

    def _open_video(self, options: dict[str, str]) -> None:
        assert self._container is not None
        self._video = self._container.add_stream("libx264", rate=30, options=options)
        self._video.width, self._video.height = self.size[1] + self.size[1] % 2, self.size[0] + self.size[0] % 2
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = self._time_base
        coder = self._video.codec_context
        coder.time_base, coder.color_range = self._time_base, LIMITED_RANGE  # without these tags, players guess
        coder.colorspace = BT709_TAG if self.matrix == "bt709" else BT601_TAG

    def write(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Add a frame (H, W, 3) uint8 RGB, presented at `time_seconds`; times must ascend.

        Raises:
            ShapeError: the frame does not have the file's size.
            OutputError: the file cannot be written.
        """
        if image.shape != (*self.size, 3):
            raise ShapeError(f"image must have shape {(*self.size, 3)}, got {image.shape}")
        height, width = self.size
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self._add(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), time_seconds)

    def write_yuv(self, picture: Yuv420, time_seconds: float) -> None:
        """Add a YUV picture with even sides and the file's matrix, as `write` does.

        Raises:
            ShapeError: the picture does not have the file's size, padded to even sides, or its matrix.
            OutputError: the file cannot be written.
        """
        size = (self.size[0] + self.size[0] % 2, self.size[1] + self.size[1] % 2)
        if (picture.size, picture.matrix) != (size, self.matrix):
            got = f"{picture.size} {picture.matrix}"
            raise ShapeError(f"picture must have size and matrix {size} {self.matrix}, got {got}")
        self._add(yuv_to_frame(picture), time_seconds)

    def _add(self, frame: av.VideoFrame, time_seconds: float) -> None:
        frame.pts = max(round(time_seconds / self._time_base), self._last_pts + 1)
        frame.time_base = self._time_base
        self._last_pts = frame.pts
        self._mux(frame, time_seconds)

    def _mux(self, frame: av.VideoFrame | None, time_seconds: float) -> None:
        """Encode a frame, or None at the end, and write it with the sound up to its time.

        Raises:
            OutputError: the file cannot be written.
        """
        if self._container is None:
            raise OutputError(f"{self.path}: needs an open file, got one that is closed")
        try:
            self._container.mux(self._video.encode(frame))
            if self._sound is not None:
                for packet in self._sound.packets_until(time_seconds):
                    self._container.mux(packet)
            if frame is None:
                container, self._container = self._container, None
                container.close()
        except (av.FFmpegError, OSError) as error:
            self._give_up(error)

    def close(self) -> None:
        """Finish the file and move it to its final path.

        Raises:
            OutputError: the file cannot be written, or has no frame.
        """
        if self._last_pts < 0:
            self._give_up(OutputError(f"{self.path}: needs at least one frame, got none"))
        self._mux(None, np.inf)
        if self._sound is not None:
            self._sound.close()
        self._beside.__exit__(None, None, None)

    def _give_up(self, failure: BaseException) -> None:
        """Remove the incomplete file; raise a system error as an OutputError."""
        if isinstance(failure, av.FFmpegError | OSError):
            failure = OutputError(f"{self.path}: cannot be written: {failure.strerror or failure}")
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            container, self._container = self._container, None
            with suppress(av.FFmpegError, OSError):  # the disk may be full
                container.close()
        with suppress(type(failure)):
            self._beside.__exit__(type(failure), failure, None)
        if isinstance(failure, OutputError):
            raise failure from None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, _: TracebackType | None
    ) -> None:
        if failure is None:
            self.close()
        elif not isinstance(failure, OutputError):
            self._give_up(failure)


class SourceSound:
    """Copies the first sound track of a file, if it has one, into another file."""

    def __init__(self, path: Path, time_range: TimeRange) -> None:
        self._source = open_container(path)
        tracks = [track for track in self._source.streams.audio if track.rate]
        self._track = tracks[0] if tracks else None
        film = next(iter(film_streams(self._source)), None)
        zero = float(self._source.start_time or 0) / av.time_base
        if film is not None and film.start_time is not None and film.time_base is not None:
            zero = float(film.start_time * film.time_base)  # sound may begin before the video
        self._clock = FrameClock(0.0, may_jump=may_jump(self._source))
        self._first: float | None = None  # time stamp of the first sound, seconds
        self._start = zero + (time_range[0] or 0.0)
        self._end = np.inf if time_range[1] is None else zero + time_range[1]
        self._packets: Iterator[tuple[float, av.Packet[AudioStream]]] = iter(())
        self._next: tuple[float, av.Packet[AudioStream]] | None = None

    def join(self, container: OutputContainer) -> None:
        """Add the sound track to the output file."""
        track = self._track
        if track is None:
            return
        if track.codec_context.codec.canonical_name == "aac" and track.codec_context.extradata:
            self._packets = self._copy_packets(track, container.add_stream_from_template(track))
        else:
            rate = min(AAC_RATES, key=lambda candidate: abs(candidate - track.rate))
            layout = "mono" if track.codec_context.channels == 1 else "stereo"
            self._packets = self._encode_packets(track, container.add_stream("aac", rate=rate, layout=layout))
        self._next = next(self._packets, None)

    def packets_until(self, time_seconds: float) -> Iterator[av.Packet[AudioStream]]:
        """Yield the remaining packets of sound up to that time."""
        while self._next is not None and self._next[0] <= time_seconds:
            yield self._next[1]
            self._next = next(self._packets, None)

    def _copy_packets(self, track: AudioStream, target: AudioStream) -> Iterator[tuple[float, av.Packet[AudioStream]]]:
        try:
            for packet in self._source.demux(track):
                if packet.pts is None or packet.time_base is None:
                    continue
                stamp = self._bridged(float(packet.pts * packet.time_base))
                if stamp >= self._end:
                    return
                if stamp >= self._start:
                    packet.pts = packet.dts = round((stamp - self._start) / packet.time_base)
                    packet.stream = target
                    yield stamp - self._start, packet
        except av.FFmpegError:
            return  # the sound of a damaged end is skipped, as its frames are

    def _encode_packets(
        self, track: AudioStream, target: AudioStream
    ) -> Iterator[tuple[float, av.Packet[AudioStream]]]:
        seconds = 0.0
        for stamp, frame in self._decode_frames(track):
            if frame is not None:
                seconds = stamp - self._start
                frame.pts, frame.time_base = round(seconds * track.rate), Fraction(1, track.rate)
            for packet in target.encode(frame):
                yield seconds, packet

    def _decode_frames(self, track: AudioStream) -> Iterator[tuple[float, av.AudioFrame | None]]:
        """Yield the decoded sound within the time range with its stamps, then None; stop at damaged sound."""
        try:
            for frame in self._source.decode(track):
                if frame.time is None:
                    continue
                stamp = self._bridged(frame.time)
                if stamp >= self._end:
                    break
                if stamp >= self._start:
                    yield stamp, frame
        except av.FFmpegError:
            pass
        yield self._end, None

    def _bridged(self, stamp: float) -> float:
        """Return a time stamp as if the clock had not jumped, as that of the video is read."""
        self._first = stamp if self._first is None else self._first
        return self._first + self._clock.advance(stamp)

    def close(self) -> None:
        """Close the source."""
        self._packets, self._next = iter(()), None
        self._source.close()
