"""TV-L1 optical flow of all videos of a dataset, by many processes: looked at first, then written, stopped at will.

Each video is computed in a hidden folder of the run and then moved to its name, so that what stands there is whole, and
a run that was stopped, however roughly, loses the videos that it had in hand.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from actparse.core.errors import DataError, OutputError, VideoError
from actparse.core.files import write_text
from actparse.core.pools import in_order
from actparse.data.flow_files import (
    SETTINGS_FILE,
    FlowFormat,
    WrittenFlow,
    expect_format,
    has_flow,
    num_fields,
    still_field,
    write_video_flow,
)
from actparse.data.kinetics_tps import KineticsTps, VideoRecord
from actparse.video.decode import probe, read_frames
from actparse.video.flow import TvL1

SAMPLES = 8  # videos of which one field is computed to know the files' size
WATCH_SECONDS = 1.0  # between two counts of what is done
RUN, STALE, OUTDATED = ".run-", ".stale-", ".outdated"  # folders that no video is named as
MEGA, GIGA = 1e6, 1e9
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FlowJob:
    """One video whose flow is missing."""

    name: str
    path: Path
    num_frames: int  # as its container has them
    size: tuple[int, int]  # (height, width) of a field, pixels

    @property
    def num_fields(self) -> int:
        """Fields that it will have."""
        return num_fields(self.num_frames)


@dataclass(frozen=True)
class FlowPlan:
    """What is to be done, and what it takes."""

    out: Path
    format: FlowFormat
    jobs: tuple[FlowJob, ...]
    num_done: int  # videos whose flow is there
    failures: tuple[str, ...]  # a line for each video that cannot be read
    num_bytes: int  # on the disk, estimated
    free_bytes: int
    free_files: int | None  # None where the disk has no limit

    @property
    def num_fields(self) -> int:
        """Fields of all jobs."""
        return sum(job.num_fields for job in self.jobs)

    def to_text(self) -> str:
        """One line for a person."""
        done = f"{self.num_done} videos have their flow"
        if not self.jobs:
            return f"{self.out}: {done}, nothing is to be done"
        fields, files = self.num_fields, 2 * self.num_fields
        line = (
            f"{self.out}: flow of {len(self.jobs)} videos: {fields} fields in {files} files, about "
            f"{_size(self.num_bytes)}; {_size(self.free_bytes)} are free"
        )
        if self.num_done:
            line += f"; {done}"
        if self.num_bytes > self.free_bytes:
            line += "; the disk will not hold it: --short-side or --out"
        elif self.free_files is not None and files > self.free_files:
            line += f"; the disk has room for {self.free_files} more files alone: --out"
        return line


@dataclass(frozen=True)
class FlowOutcome:
    """What was done: videos written, a line for each that could not be, and for each that is damaged."""

    num_videos: int = 0
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_flow(
    root: Path,
    out: Path,
    *,
    splits: Sequence[str] = (),
    flow_format: FlowFormat | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> FlowPlan:
    """Find the videos without flow, how long they are, and how large their flow will be; nothing is written.

    Args:
        root: of the dataset.
        out: the folder of the flow.
        splits: none of them is all.
        flow_format: how flow is computed and coded; None is as published, at the recipes' short side.
        processes: that read videos; None is one for each core.
        progress: is called with the videos looked at and those to look at.

    Raises:
        DataError: there is no dataset, or no video in it; two videos share a name; `out` holds flow of another format.
    """
    flow_format = flow_format or FlowFormat()
    records = _videos(root, splits)
    expect_format(out, flow_format)
    missing = [record for record in records if not has_flow(out / record.name, record.path)]
    looked = in_order(look_at, [(record, flow_format) for record in missing], processes=processes)
    jobs, failures = [], []
    for number, found in enumerate(looked, start=1):
        if isinstance(found, FlowJob):
            jobs.append(found)
        else:
            failures.append(found)
        if progress:
            progress(number, len(missing))
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    disk = os.statvfs(place)
    return FlowPlan(
        out=out,
        format=flow_format,
        jobs=tuple(jobs),
        num_done=len(records) - len(missing),
        failures=tuple(failures),
        num_bytes=_estimated_bytes(jobs, flow_format, disk.f_frsize, processes),
        free_bytes=disk.f_bavail * disk.f_frsize,
        free_files=disk.f_favail if disk.f_files else None,
    )


def _videos(root: Path, splits: Sequence[str]) -> list[VideoRecord]:
    """The videos of some splits; their folders of flow have their names, so these must differ in the whole dataset."""
    data = KineticsTps(root)
    found: dict[str, VideoRecord] = {}
    for split in data.splits:
        for record in data.videos(split):
            if record.name in found:
                also = found[record.name].path.parent
                raise DataError(f"{record.path}: a video's name must be unique, got it also in {also}")
            found[record.name] = record
    chosen = [record for split in dict.fromkeys(splits or data.splits) for record in data.videos(split)]
    if not chosen:
        raise DataError(f"{root}: needs videos of {', '.join(splits or data.splits)}, got none")
    return chosen


def look_at(record: VideoRecord, flow_format: FlowFormat) -> FlowJob | str:
    """A video's length and the size of its fields; a line where it cannot be read."""
    try:
        info = probe(record.path)
    except VideoError as error:
        return str(error)
    height, width, _ = still_field(info.height, info.width, flow_format).shape
    return FlowJob(record.name, record.path, info.num_frames, (height, width))


def _estimated_bytes(jobs: Sequence[FlowJob], flow_format: FlowFormat, block: int, processes: int | None) -> int:
    """What the files will take in whole blocks of the disk, from one field of a few videos."""
    chosen: list[int] = np.linspace(0, len(jobs) - 1, min(len(jobs), SAMPLES)).round().astype(int).tolist()
    samples = [(jobs[number], flow_format) for number in chosen]
    sizes = list(in_order(sample_bytes, samples, processes=processes or os.cpu_count()))
    pixels = sum(math.prod(jobs[number].size) for number, size in zip(chosen, sizes, strict=True) if size)
    of_pixel: float = sum(sizes) / max(pixels, 1) / 2  # bytes of a file
    files = ((2 * job.num_fields, of_pixel * math.prod(job.size)) for job in jobs)
    return round(sum(count * max(size + block / 2, block) for count, size in files))  # half of a last block is empty


def sample_bytes(job: FlowJob, flow_format: FlowFormat) -> int:
    """Bytes of both files of the field in the middle of a video; 0 where it does not decode."""
    cv2.setNumThreads(1)
    middle = job.num_fields // 2
    try:
        with read_frames(job.path) as reader:
            images = [frame.image for frame in islice(reader, middle, middle + 2)]
    except VideoError:
        return 0
    flow = next(TvL1(flow_format.tvl1).along(images), np.zeros((*job.size, 2), np.float32))
    return sum(len(content) for content in flow_format.encoded(flow).values())


def write_flow(plan: FlowPlan, *, processes: int | None = None, progress: Progress | None = None) -> FlowOutcome:
    """Write the flow of a plan's videos; what does not decode is left out and named.

    Args:
        plan: of `plan_flow`.
        processes: that compute; None is one for each core.
        progress: is called every second with the fields written and those to write, from another thread.

    Raises:
        DataError: the folder got flow of another format since, or a process was killed.
        OutputError: a file cannot be written, the disk is full, or another run writes to the folder now.
    """
    if not plan.jobs:
        return FlowOutcome()
    with _alone(plan.out), _run_folder(plan.out) as work:
        expect_format(plan.out, plan.format)
        write_text(plan.out / SETTINGS_FILE, json.dumps(plan.format.to_dict(), indent=1))
        _put_outdated_away(plan, work)
        jobs = [(job.path, plan.out / job.name, work, plan.format) for job in plan.jobs]
        with _watched(plan, work, progress):
            found = list(in_order(write_video_flow, jobs, processes=processes or os.cpu_count(), end_running=True))
    return _outcome(found)


def _outcome(found: Sequence[WrittenFlow]) -> FlowOutcome:
    failures = tuple(written.error for written in found if written.error is not None)
    warnings = tuple(warning for written in found for warning in written.warnings)
    return FlowOutcome(len(found) - len(failures), failures, warnings)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Let one run at a time write to a folder, where the system knows such locks; a killed run's lock is gone."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / ".lock").open("w", encoding="ascii")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from None
    with file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{out}: needs a folder that no other run writes to, got one in use") from None
        except (ImportError, OSError):
            pass  # a system, or a disk, without locks
        yield


@contextmanager
def _run_folder(out: Path) -> Iterator[Path]:
    """A hidden folder for what is not finished; those of runs that were killed are removed."""
    try:
        _clear(out)
        work = Path(tempfile.mkdtemp(prefix=RUN, dir=out))
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from None
    try:
        yield work
    finally:
        _clear(out)


def _clear(out: Path) -> None:
    """Remove the folders of runs; a process that is left of one finds its place gone, and cannot finish half of it."""
    for folder in out.glob(f"{RUN}*"):
        folder.rename(out / f"{STALE}{folder.name.removeprefix(RUN)}")
    for folder in out.glob(f"{STALE}*"):
        shutil.rmtree(folder)


def _put_outdated_away(plan: FlowPlan, work: Path) -> None:
    """Flow of a video that has changed since goes with the run's folder."""
    (work / OUTDATED).mkdir()
    for job in plan.jobs:
        folder = plan.out / job.name
        if folder.is_dir():
            folder.rename(work / OUTDATED / job.name)
        elif folder.exists():
            raise OutputError(f"{folder}: needs a folder or nothing, got a file")


@contextmanager
def _watched(plan: FlowPlan, work: Path, progress: Progress | None) -> Iterator[None]:
    """Tell every second how many fields are on the disk, whichever process has written them."""
    if progress is None:
        yield
        return
    tell, ended = progress, threading.Event()

    def watch() -> None:
        most = 0  # a folder that is renamed while it is counted is missed once
        while not ended.wait(WATCH_SECONDS):
            most = max(most, _num_written(plan, work))
            tell(most, plan.num_fields)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _num_written(plan: FlowPlan, work: Path) -> int:
    finished, started = _names(plan.out), _names(work)
    written = 0
    for job in plan.jobs:
        if job.name in finished:
            written += job.num_fields
        elif job.name in started:
            with suppress(FileNotFoundError):  # it has just been finished
                written += sum(name.startswith("flow_y_") for name in _names(work / job.name))
    return min(written, plan.num_fields)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _size(num_bytes: float) -> str:
    return f"{num_bytes / GIGA:.1f} GB" if num_bytes >= GIGA else f"{num_bytes / MEGA:.1f} MB"
