"""Stored copies of the evaluated frames of videos, which are read much faster than frames of a video are decoded.

The frames of a video are one ZIP archive of images, written in one pass when one of them is first read. Its name
contains a hash of the video's size and of the frames; it is written atomically, and by one process.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile, ZipFile

import cv2
import numpy as np
from filelock import FileLock

from actparse.core.errors import DataError, OutputError
from actparse.core.files import written_beside
from actparse.core.progress import Report
from actparse.data.fingerprint import fingerprint
from actparse.data.frames.annotations import Image
from actparse.video.decode import TimeRange, read_frames

FrameForm = Literal["jpeg", "png", "off"]  # of the stored frames; png changes no pixel; off stores none

FORMAT = 1  # of the archives; another value leads to new files
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
ENCODINGS = {"jpeg": (".jpg", JPEG), "png": (".png", (cv2.IMWRITE_PNG_COMPRESSION, 1))}
SAMPLES = 8  # videos of which one frame is encoded to estimate the size of all
GIGA = 1e9


@dataclass(frozen=True)
class CachedVideo:
    """A video whose frames at some indices are stored in an archive in a folder, as soon as one of them is read."""

    video: Path
    indices: tuple[int, ...]  # of the stored frames, ascending
    time_range: TimeRange  # seconds; contains them all
    folder: Path
    form: FrameForm

    @property
    def path(self) -> Path:
        """The archive.

        Raises:
            DataError: the video is missing.
        """
        try:
            size = self.video.stat().st_size
        except OSError as error:
            raise DataError(f"{self.video}: cannot be read: {error.strerror}") from None
        return self.folder / f"{self.video.stem}-{fingerprint((), FORMAT, self.form, size, self.indices)}.zip"

    def read(self, indices: Sequence[int]) -> list[Image]:
        """Return stored frames (H, W, 3) RGB; store them first if necessary.

        The frames are the stored ones in any case, so that a run's samples do not depend on who reads them first.

        Raises:
            DataError: the archive is damaged, or the video no longer has a frame.
            OutputError: the archive cannot be written, or the disk is full.
        """
        path = self.path
        if not path.is_file():
            self.write(path)
        suffix, _ = ENCODINGS[self.form]
        try:
            with ZipFile(path) as archive:  # it compares the checksum of each image
                contents = [archive.read(f"{index}{suffix}") for index in indices]
        except (OSError, EOFError, BadZipFile, ValueError, KeyError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{path}: a damaged frame cache, remove it to create it again: {error}") from None
        images = (cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB) for content in contents)
        return [np.asarray(image, np.uint8) for image in images]

    def write(self, path: Path) -> None:
        """Decode the video once and write its archive; wait instead if another process writes it."""
        lock = path.with_name(f".{path.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock):
                try:
                    if not path.is_file():
                        with written_beside(path) as temporary, ZipFile(temporary, "w") as archive:
                            for name, content in self.encoded(self.indices):
                                archive.writestr(name, content)
                finally:
                    lock.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None

    def encoded(self, indices: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        """Decode and encode frames of the video; yield the file name and the content of each.

        Raises:
            DataError: the video ends before one of them.
        """
        suffix, parameters = ENCODINGS[self.form]
        missing = set(indices)
        with read_frames(self.video, time_range=self.time_range) as reader:
            for frame in reader:
                if frame.index in missing:
                    missing.remove(frame.index)
                    _, content = cv2.imencode(suffix, cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), parameters)
                    yield f"{frame.index}{suffix}", content.tobytes()
                if not missing:
                    return
        raise DataError(f"{self.video}: needs frame {min(missing)}, got a video that no longer has it")


def report_space(videos: Sequence[CachedVideo], report: Report) -> None:
    """Report how much disk space the frames of videos without an archive will take, estimated from a few of them.

    Raises:
        OutputError: the disk has less.
    """
    missing = [video for video in videos if not video.path.is_file()]
    if not missing:
        return
    chosen = np.linspace(0, len(missing) - 1, min(len(missing), SAMPLES)).round().astype(int).tolist()
    sizes = [len(content) for row in chosen for _, content in missing[row].encoded(missing[row].indices[:1])]
    num_frames = sum(len(video.indices) for video in missing)
    folder = missing[0].folder
    free = shutil.disk_usage(next(path for path in (folder, *folder.absolute().parents) if path.exists())).free
    needed = float(np.mean(sizes)) * num_frames
    frames = f"{num_frames} frames of {len(missing)} videos as {missing[0].form}"
    if needed > free:
        raise OutputError(
            f"{folder}: needs about {needed / GIGA:.1f} GB for {frames}, got {free / GIGA:.1f} GB: "
            "--set frame_cache=off decodes each frame instead"
        )
    report(f"frame cache: {folder} will hold {frames}, about {needed / GIGA:.1f} GB; {free / GIGA:.1f} GB are free")
