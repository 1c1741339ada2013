"""Opening of media files: FFmpeg's container of a file, an image sequence or an animated WebP, and the film in it."""

from __future__ import annotations

import glob
import io
import re
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from actparse.core.errors import ConfigError, VideoError
from actparse.video.tiles import join_tiles

UNSTAMPED = ("avi",)  # formats with a rate only: FFmpeg's time stamps follow the coding order, not the presentation
IMAGE_SUFFIXES = (".bmp", ".exr", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
DEFAULT_RATE = 25  # frames a second of a sequence without a given rate; FFmpeg's default
NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent  # covers, previews, tiles
PICTURE_CODECS = ("bmp", "gif", "mjpeg", "png", "tiff", "webp")  # a slow track of these beside a film is a thumbnail
TS_DISCONT = 0x0200  # FFmpeg's AVFMT_TS_DISCONT
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # of a URL, whose second slash pathlib removes
NUMBER = re.compile(r"(\d+)")
NUMBER_PATTERN = re.compile(r"%(?:0(\d+))?d")  # %d or %04d in the name of a sequence
WEBP_CHUNK = 32  # frames of an animated WebP that are in memory together
MIN_WEBP_SECONDS = 0.011  # shorter frames last 0.1 s, as browsers show them


def open_container(path: Path, *, frame_rate: float | None = None) -> InputContainer:
    """Open a media file for reading.

    Args:
        path: a file; or an image sequence: a folder, or a name with a number pattern such as img_%04d.png.
        frame_rate: frames a second of an image sequence; a name with a pattern has 25 by default.

    Raises:
        VideoError: it is missing, empty, a folder without images or a rate, an address, text, or in a format that
            FFmpeg does not support.
        ConfigError: `frame_rate` is not above 0.
    """
    if frame_rate is not None and not 0 < frame_rate < np.inf:
        raise ConfigError(f"frame_rate must be above 0, got {frame_rate}")
    try:
        is_file, size = path.is_file(), path.stat().st_size
    except FileNotFoundError:
        if NUMBER_PATTERN.search(path.name):
            return _open_sequence(path, frame_rate or DEFAULT_RATE)
        raise VideoError(f"{path}: {missing_text(str(path))}") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"{path}: needs a video file, got: {error_text(error)}") from None
    if path.is_dir():
        if frame_rate is not None:
            return _open_sequence(path, frame_rate)
        hint = "; set a frame rate (--frame-rate) to read its images as one video" if sequence_files(path) else ""
        raise VideoError(f"{path}: needs a video file, got a folder{hint}")
    if not is_file:
        raise VideoError(f"{path}: needs a video file, got no regular file")
    if size == 0:
        raise VideoError(f"{path}: needs a video file, got an empty file")
    try:
        source = _webp_as_video(path) or f"file:{path}"  # "file:", so that a:b.mp4 is not taken for a URL
        container = av.open(source, "r", metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError, cv2.error) as error:
        raise VideoError(f"{path}: needs a video file, got: {error_text(error)}") from None
    if container.format.name == "tty":  # FFmpeg would render the text as video
        container.close()
        raise VideoError(f"{path}: needs a video file, got text")
    kinds = [stream.disposition for stream in container.streams.video]
    has_tiles = any(kind & Disposition.dependent for kind in kinds)
    if has_tiles and not any(kind & Disposition.default for kind in kinds):  # beside them may be a preview
        with container:
            return av.open(join_tiles(path, container), "r")
    return container


def missing_text(source: str) -> str:
    """Return what to do about a source that is not on the disk: "-", an address, a pattern or a path."""
    if source == "-":
        return "needs a file, got standard input: save it to a file, or use actparse watch -"
    if ADDRESS.match(source):
        return "needs a file, got an address: download the video, or use actparse watch with the address"
    return "needs at least one video, got none" if glob.has_magic(source) else "no such file"


def film_streams(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that may be the film, the likeliest first; no covers, no previews, no tiles.

    A slow track of pictures comes last, the default track first, then the one with the most pixels.
    """

    def rank(stream: VideoStream) -> tuple[bool, bool, int]:
        is_slow = stream.frames == 1 or (stream.average_rate or DEFAULT_RATE) <= 1
        is_thumbnail = is_slow and stream.codec_context.codec.canonical_name in PICTURE_CODECS
        return is_thumbnail, not stream.disposition & Disposition.default, -stream.width * stream.height

    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    return sorted((stream for stream in streams if not stream.disposition & NO_FILM), key=rank)


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the video stream that is the film.

    Raises:
        VideoError: there is none; the container is then closed.
    """
    streams = film_streams(container)
    if streams:
        return streams[0]
    kinds: set[str] = {stream.type for stream in container.streams if stream.type != "video"}
    kinds |= {"cover picture" for _ in container.streams.video}
    container.close()
    raise VideoError(f"{path}: needs a video stream, got {' and '.join(sorted(kinds)) or 'nothing'} alone")


def cropping_of(container: InputContainer, stream: VideoStream) -> tuple[int, int, int, int]:
    """Return the pixels that players cut off: left, right, top, bottom; four zeros if the container states none.

    They come from "clap" in MP4 and PixelCrop in Matroska; FFmpeg's decoders do not apply them. PyAV shows them only in
    FFmpeg's description of the file. Source: FFmpeg's dump.c.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        description: str = container.dumps_format()  # type: ignore[attr-defined]  # PyAV's stubs lack it
    finally:
        av.logging.set_level(level)
    of_streams = re.split(r"^ *Stream #\d+:", description, flags=re.MULTILINE)[1:]
    own = next((text for text in of_streams if re.match(rf"{stream.index}\b", text)), "")
    match = re.search(r"^ *Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)", own, flags=re.MULTILINE)
    left, right, top, bottom = map(int, match.groups()) if match else (0, 0, 0, 0)
    is_possible = left + right < stream.width and top + bottom < stream.height
    return (left, right, top, bottom) if is_possible else (0, 0, 0, 0)


def nominal_step(stream: VideoStream) -> float:
    """Return the seconds between frames at the declared rate, for frames without a time stamp; 1/25 without a rate."""
    rate = stream.guessed_rate or stream.average_rate
    is_photo = stream.frames == stream.time_base == 1  # in HEIC or AVIF; FFmpeg makes a rate up
    return 1 / DEFAULT_RATE if is_photo or not rate else float(1 / rate)


def may_jump(container: InputContainer) -> bool:
    """Tell whether the format allows that its clock jumps ahead, such as a transport stream of several recordings."""
    return bool(container.format.flags & TS_DISCONT)


def source_warnings(container: InputContainer, path: Path, frame_rate: float | None) -> list[str]:
    """Return what a user should know about how the file is interpreted: a chosen stream, a rate that was not given."""
    warnings = []
    streams = film_streams(container)
    if len(streams) > 1:
        film = streams[0]
        size = f"{film.codec_context.name}, {film.width} x {film.height}"
        warnings.append(f"{path}: has {len(streams)} video streams; stream {film.index} ({size}) is used")
    if container.format.name == "concat":
        numbers = [number for number, _ in _numbered_files(path)]
        if numbers and numbers[-1] - numbers[0] >= len(numbers):
            missing = numbers[-1] - numbers[0] + 1 - len(numbers)
            warnings.append(f"{path}: {missing} numbers between {numbers[0]} and {numbers[-1]} are missing")
        if frame_rate is None:
            warnings.append(f"{path}: has no frame rate; {DEFAULT_RATE} frames a second are assumed (--frame-rate)")
    return warnings


def sequence_files(path: Path) -> list[Path]:
    """Return the files of an image sequence, ordered by the numbers in their names; empty if there are none.

    Args:
        path: a folder of images, or a name with a number pattern such as img_%04d.png.
    """
    if not path.is_dir():
        return [file for _, file in _numbered_files(path)]
    files = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.name[0] != "."]
    # Of the parts of a name, every second one is a number.
    return sorted(files, key=lambda file: [t.zfill(30) if n % 2 else t for n, t in enumerate(NUMBER.split(file.name))])


def _numbered_files(path: Path) -> list[tuple[int, Path]]:
    """Return the files whose names match a number pattern, with their numbers, in order."""
    pattern = NUMBER_PATTERN.search(path.name)
    if pattern is None or not path.parent.is_dir():
        return []
    before, after = map(re.escape, (path.name[: pattern.start()], path.name[pattern.end() :]))
    name = re.compile(f"{before}(\\d{{{int(pattern[1] or 1)},}}){after}")
    matches = [(name.fullmatch(file.name), file) for file in path.parent.iterdir()]
    return sorted((int(match[1]), file) for match, file in matches if match)


def _open_sequence(path: Path, frame_rate: float) -> InputContainer:
    """Open an image sequence as one video, each image for 1 / `frame_rate` seconds."""
    files = sequence_files(path)
    if not files:
        raise VideoError(f"{path}: needs images, got none")
    suffixes = {file.suffix.lower().replace(".jpeg", ".jpg") for file in files}
    if len(suffixes) > 1:
        raise VideoError(f"{path}: needs images of one format, got {' and '.join(sorted(suffixes))}")
    rate = Fraction(frame_rate).limit_denominator(1001)
    lines = ["ffconcat version 1.0"]
    for file in files:
        quoted = str(file.absolute()).replace("'", r"'\''")
        lines += [f"file 'file:{quoted}'", f"option framerate {rate}", f"duration {1 / frame_rate:.9f}"]
    options = {"safe": "0", "protocol_whitelist": "file"}
    try:
        return av.open(io.BytesIO("\n".join(lines).encode()), "r", format="concat", options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: needs images that decode, got: {error_text(error)}") from None


def _webp_as_video(path: Path) -> IO[bytes] | None:
    """Return a temporary video with the frames of an animated WebP, which FFmpeg does not decode; None for other files.

    Raises:
        ValueError: OpenCV cannot read it either.
    """
    with path.open("rb") as image_file:
        head = image_file.read(21)
    if head[8:16] != b"WEBPVP8X" or not head[20] & 2:  # Source: the WebP container specification, "VP8X"
        return None
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the container that reads it keeps it open)
    with av.open(file, "w", format="nut") as container:
        stream, millisecond, time = None, Fraction(1, 1000), 0
        for start in range(0, cv2.imcount(str(path)), WEBP_CHUNK):
            _, animation = cv2.imreadanimation(str(path), start, WEBP_CHUNK)
            for image, duration in zip(animation.frames, animation.durations, strict=True):
                if stream is None:
                    stream = container.add_stream("ffv1", rate=1000)
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "bgr0"
                    stream.codec_context.time_base = millisecond
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., :3], np.uint8), format="bgr24")
                frame.pts, frame.time_base = time, millisecond
                container.mux(stream.encode(frame))
                time += int(duration) if duration / 1000 >= MIN_WEBP_SECONDS else 100
        if stream is None:
            raise ValueError("an animated WebP that does not decode")
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def error_text(error: Exception) -> str:
    """Return the first line of an error of FFmpeg or of the system."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
