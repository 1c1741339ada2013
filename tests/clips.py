"""Small videos with moving stripes, and a folder of files and names that once stopped a batch."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_clip(
    path: Path,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    *,
    size: tuple[int, int] = (48, 64),
    num_frames: int = 4,
    phase: int = 0,
) -> Path:
    """Write stripes that move, (height, width) pixels, 25 frames a second; another `phase` is another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[: size[0], : size[1]]
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.time_base = *size, pixels, Fraction(1, 25)
        for number in range(num_frames):
            grey = (128 + 100 * np.sin((columns + rows + 3 * number + phase) / 9)).astype(np.uint8)
            image = np.repeat(grey[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


GOOD_NAMES = (  # file names that some system, terminal or program dislikes; the clip below each of them is valid
    b"plain.mp4",
    b"caf\xe9.mp4",  # Latin-1
    b"...mp4",  # its stem is ..
    "深蹲 🐘.mp4".encode(),
    b"new\nline \x1b[31mred.mp4",
    b"a/clip.mp4",
    b"b/clip.mp4",  # the same stem, another content
    b"con.mp4",
    b"trailing dot..mp4",
    b"trailing space .mp4",
    b"x" * 251 + b".mp4",
    b"c/" + b"x" * 251 + b".mp4",  # the same stem as before, too long for a number behind it
    b"..mp4",
    b"d/...mp4",
    b"-rf.mp4",
    b"%04d.mp4",
    b"file:http:.mp4",
    b"quo'te\".mp4",
    b"[a-z]*?.mp4",
    b"\\back\\slash.mp4",
    b"$HOME `id`.mp4",
    b"\xff\xfe.mp4",
    b"\xed\xa0\x80.mp4",  # a surrogate, as broken programs encode it
    b"clip-2.mp4",
    b"e/clip-2.mp4",
    b"parse.json.mp4",
    b"overlay.mp4",
    b"video.mp4",
    b"Clip.mp4",
    "e\u0301.mp4".encode(),  # é of two characters
    "\u00e9.mp4".encode(),  # and of one
    "right \u202eto left.mp4".encode(),
    b"tab\there.mp4",
    b"many   spaces.mp4",
    b"many.dots.in.it.mp4",
    b"none",
    b"~.mp4",
    b"nul.mp4",
)


def _texts(path: bytes) -> None:
    Path(os.fsdecode(path)).write_text("no video\n" * 40)


BAD_FILES = {  # files that are no videos -> what to do to make them
    b"empty.mp4": lambda path: Path(os.fsdecode(path)).touch(),
    b"text.avi": _texts,
    b"bad caf\xe9.mp4": _texts,
    b"bad\nline.mp4": _texts,
    b"pipe.mp4": os.mkfifo,
    b"nowhere.mp4": lambda path: Path(os.fsdecode(path)).symlink_to("missing"),
    b"loop.mp4": lambda path: Path(os.fsdecode(path)).symlink_to("loop.mp4"),
    b"zeros.mkv": lambda path: Path(os.fsdecode(path)).write_bytes(bytes(5000)),
    b"playlist.mp4": lambda path: Path(os.fsdecode(path)).write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    b"head.mp4": lambda path: Path(os.fsdecode(path)).write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"),
    b"noise.webm": lambda path: Path(os.fsdecode(path)).write_bytes(np.random.default_rng(0).bytes(9000)),
    b"header.avi": lambda path: Path(os.fsdecode(path)).write_bytes(b"RIFF\xff\xff\xff\x7fAVI LIST"),
    b"sound.wmv": lambda path: Path(os.fsdecode(path)).write_bytes(b"ID3\4\0\0\0\0\0\0"),
    b"json.mov": lambda path: Path(os.fsdecode(path)).write_text('{"schema_version": "1.0"}'),
    b"c\xe0\x80\xaf.gif": _texts,
    b"y" * 251 + b".mp4": _texts,
    b"huge box.mp4": lambda path: Path(os.fsdecode(path)).write_bytes(b"\0\0\0\1moov\x7f" + b"\xff" * 7 + bytes(99)),
    b"html.mpg": lambda path: Path(os.fsdecode(path)).write_text("<html><body>404</body></html>\n"),
    b"subtitle.ogv": lambda path: Path(os.fsdecode(path)).write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n"),
    b"null.m4v": lambda path: Path(os.fsdecode(path)).symlink_to("/dev/null"),
    b"zero.m4v": lambda path: Path(os.fsdecode(path)).symlink_to("/dev/zero"),
}


def write_hostile(folder: Path, *, step: int = 1) -> tuple[int, int]:
    """Write every `step`-th of GOOD_NAMES and of BAD_FILES; return how many of each."""
    good, bad = GOOD_NAMES[::step], list(BAD_FILES)[::step]
    clip = folder / "clip.tmp.mp4"
    for number, name in enumerate(good):
        path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118 (bytes)
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        write_clip(clip, num_frames=2, phase=number)
        os.rename(clip, path)  # noqa: PTH104
    for name in bad:
        BAD_FILES[name](os.path.join(os.fsencode(folder), name))  # noqa: PTH118
    return len(good), len(bad)
