"""Copy of a video that every browser plays: its packets are copied if possible, else it is encoded again."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import OutputError, VideoError
from actparse.core.files import written_beside
from actparse.core.structures import VideoInfo
from actparse.video.container import UNSTAMPED, open_container, video_stream
from actparse.video.decode import TimeRange, read_frames
from actparse.video.encode import SourceSound, VideoWriter
from actparse.video.pictures.yuv import Yuv420

PLAYED_FORMATS = ("yuv420p", "yuvj420p")  # pixel formats of H.264 that all browsers decode
MAX_SIDE = 1280  # pixels, longest side of a video that is encoded again
QUALITY = 25  # x264's constant rate factor for such a video


def write_playable(
    source: Path, out: Path, *, info: VideoInfo, time_range: TimeRange | None = None, frame_rate: float | None = None
) -> None:
    """Write an MP4 file of H.264 with the index at the front, whose first frame has the time 0.

    The source's packets are copied if they are H.264 that browsers play, shown as they are, and as many as the frames
    counted by `info`. Any other source, or a time range of a source, is encoded again.

    Args:
        source: the video; its presentation times and its sound are kept.
        out: the MP4 file; an incomplete file is removed.
        info: properties of the source, counted in a pass over `time_range`.
        time_range: (start, end) in seconds.
        frame_rate: frames a second of an image sequence.

    Raises:
        VideoError: the source cannot be read, or has no frame in the range.
        OutputError: `out` cannot be written.
    """
    stamps = _copyable_stamps(source, info) if source.is_file() else None
    if stamps is None:
        _encode(source, out, time_range, frame_rate, info.duration_seconds)
    else:
        _copy_packets(source, out, stamps - stamps.min())


def _copyable_stamps(source: Path, info: VideoInfo) -> NDArray[np.int64] | None:
    """Return the presentation stamps (N,) in coding order if the packets can be copied unchanged, else None."""
    with read_frames(source) as reader:
        next(iter(reader))
        if not reader.is_as_coded:
            return None
    stamps: list[int] = []
    with open_container(source) as container:
        stream = video_stream(container, source)
        coder = stream.codec_context
        is_played = coder.codec.canonical_name == "h264" and coder.pix_fmt in PLAYED_FORMATS and coder.extradata
        if container.format.name in UNSTAMPED or not is_played:
            return None
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue  # the end marker
                if packet.pts is None or packet.is_corrupt or packet.is_discard or not (stamps or packet.is_keyframe):
                    return None
                stamps.append(packet.pts)
        except av.FFmpegError:
            return None
    is_complete = len(stamps) == info.num_frames == len(set(stamps))
    return np.array(stamps) if is_complete else None


def _copy_packets(source: Path, out: Path, stamps: NDArray[np.int64]) -> None:
    """Copy the video packets, with their new presentation stamps (N,), and the sound."""
    ordered = np.sort(stamps)
    decoding_stamps = ordered - (ordered - stamps).max()  # ascending, never after presentation; Matroska has none
    sound = SourceSound(source, (None, None))
    try:
        with written_beside(out) as beside, open_container(source) as container:
            stream = video_stream(container, source)
            with av.open(f"file:{beside}", "w", format="mp4", options={"movflags": "+faststart"}) as target:
                pictures = target.add_stream_from_template(stream)
                sound.join(target)
                packets = (packet for packet in container.demux(stream) if packet.size)
                for packet, pts, dts in zip(packets, stamps.tolist(), decoding_stamps.tolist(), strict=True):
                    packet.pts, packet.dts, packet.stream = pts, dts, pictures
                    target.mux(list(sound.packets_until(float(dts * packet.time_base))))
                    target.mux(packet)
                target.mux(list(sound.packets_until(np.inf)))
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        sound.close()


def _encode(
    source: Path, out: Path, time_range: TimeRange | None, frame_rate: float | None, duration_seconds: float
) -> None:
    with read_frames(source, time_range=time_range, frame_rate=frame_rate) as reader:
        frames = iter(reader)
        first = next(frames, None)
        if first is None:
            raise VideoError(f"{source}: needs at least one frame in the asked time, got none")
        picture = first.yuv()
        size, matrix = played_size(picture.size), picture.matrix
        sound_range = (first.time_seconds, time_range[1] if time_range else None)
        with VideoWriter(
            out,
            size=size,
            quality=QUALITY,
            fast=True,
            matrix=matrix,
            audio_from=source if reader.info.has_audio else None,
            time_range=sound_range,
            duration_seconds=duration_seconds,
        ) as writer:
            for frame in chain([first], frames):
                writer.write_yuv(_resized(frame.yuv(), size), frame.time_seconds - first.time_seconds)


def played_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of the copy of a video of that size: even, the longer side at most MAX_SIDE."""
    shrink = min(1.0, MAX_SIDE / max(size))
    height, width = (max(2, 2 * round(side * shrink / 2)) for side in size)
    return height, width


def _resized(picture: Yuv420, size: tuple[int, int]) -> Yuv420:
    """Resize the picture to an even (height, width)."""
    if picture.size == size:
        return picture
    sides = [(size[1] // divisor, size[0] // divisor) for divisor in (1, 2, 2)]
    y, u, v = (
        np.asarray(cv2.resize(plane, side, interpolation=cv2.INTER_AREA), np.uint8)
        for plane, side in zip(picture.planes, sides, strict=True)
    )
    return Yuv420(y, u, v, picture.matrix)
