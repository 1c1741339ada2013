"""TV-L1 optical flow of all videos of a dataset, in several processes: planned first, then written, resumable.

The flow of each video is computed in a hidden folder of the run and then moved to its final name, so a folder with this
name is always complete. A run that is interrupted or killed only loses the videos that were in progress.
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
    expect_format,
    has_flow,
    num_fields,
    still_field,
    write_video_flow,
)
from actparse.data.kinetics_tps import KineticsTps, VideoRecord
from actparse.video.decode import probe, read_frames
from actparse.video.flow import TvL1

SAMPLES = 8  # videos of which one field is computed to estimate the file sizes
WATCH_SECONDS = 1.0  # between two counts of the written fields
RUN, STALE, OUTDATED = ".run-", ".stale-", ".outdated"  # prefixes of folders; no video has such a name
MEGA, GIGA = 1e6, 1e9
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FlowJob:
    """One video whose flow is missing."""

    name: str
    path: Path
    num_frames: int  # according to its container
    size: tuple[int, int]  # (height, width) of a field, pixels

    @property
    def num_fields(self) -> int:
        """Number of fields of its flow."""
        return num_fields(self.num_frames)


@dataclass(frozen=True)
class FlowPlan:
    """The videos whose flow is missing, and the required disk space."""

    out: Path
    format: FlowFormat
    jobs: tuple[FlowJob, ...]
    num_done: int  # videos whose flow exists
    failures: tuple[str, ...]  # a line for each video that cannot be read
    num_bytes: int  # estimated size on the disk
    free_bytes: int
    free_files: int | None  # None if the disk has no limit

    @property
    def num_fields(self) -> int:
        """Number of fields of all jobs."""
        return sum(job.num_fields for job in self.jobs)

    def to_text(self) -> str:
        """Return the plan as one line of text."""
        done = f"{self.num_done} videos have their flow"
        if not self.jobs:
            return f"{self.out}: {done}, nothing to do"
        fields, files = self.num_fields, 2 * self.num_fields
        line = (
            f"{self.out}: flow of {len(self.jobs)} videos: {fields} fields in {files} files, about "
            f"{_size(self.num_bytes)}; {_size(self.free_bytes)} are free"
        )
        if self.num_done:
            line += f"; {done}"
        if self.num_bytes > self.free_bytes:
            line += "; the disk is too small: use a smaller --short-side or another --out"
        elif self.free_files is not None and files > self.free_files:
            line += f"; the disk only has room for {self.free_files} more files: use another --out"
        return line

    def num_written(self, work: Path) -> int:
        """Return the number of fields on the disk: of the finished videos, and of those in progress in `work`."""
        finished, started = _names(self.out), _names(work)
        written = 0
        for job in self.jobs:
            if job.name in finished:
                written += job.num_fields
            elif job.name in started:
                with suppress(FileNotFoundError):  # its folder has just been moved
                    written += sum(name.startswith("flow_y_") for name in _names(work / job.name))
        return min(written, self.num_fields)

    def move_outdated(self, work: Path) -> None:
        """Move the flow of videos that have changed since to the run's folder, which is removed at the end."""
        (work / OUTDATED).mkdir()
        for job in self.jobs:
            folder = self.out / job.name
            if folder.is_dir():
                folder.rename(work / OUTDATED / job.name)
            elif folder.exists():
                raise OutputError(f"{folder}: needs a folder or nothing, got a file")


@dataclass(frozen=True)
class FlowOutcome:
    """Result of a run: number of videos written, a line for each failure, and a line for each damaged video."""

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
    """Find the videos without flow, their lengths, and the size of their flow; nothing is written.

    Args:
        root: of the dataset.
        out: the folder of the flow.
        splits: names of splits; empty is all.
        flow_format: how flow is computed and coded; None is the published format, at the recipes' short side.
        processes: number of processes that read videos; None is one for each core.
        progress: called with the number of videos read and of those to read.

    Raises:
        DataError: there is no dataset, or no video in it; two videos share a name; `out` has flow of another format.
    """
    flow_format = flow_format or FlowFormat()
    records = _videos(root, splits)
    expect_format(out, flow_format)
    missing = [record for record in records if not has_flow(out / record.name, record.path)]
    results = in_order(look_at, [(record, flow_format) for record in missing], processes=processes)
    jobs, failures = [], []
    for done, result in enumerate(results, start=1):
        if isinstance(result, FlowJob):
            jobs.append(result)
        else:
            failures.append(result)
        if progress:
            progress(done, len(missing))
    existing = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    disk = os.statvfs(existing)
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
    """Return the videos of some splits. Names must be unique in the dataset: they are the names of the flow folders."""
    data = KineticsTps(root)
    by_name: dict[str, VideoRecord] = {}
    for split in data.splits:
        for record in data.videos(split):
            if record.name in by_name:
                other = by_name[record.name].path.parent
                raise DataError(f"{record.path}: a video's name must be unique, got it also in {other}")
            by_name[record.name] = record
    chosen = [record for split in dict.fromkeys(splits or data.splits) for record in data.videos(split)]
    if not chosen:
        raise DataError(f"{root}: needs videos of {', '.join(splits or data.splits)}, got none")
    return chosen


def look_at(record: VideoRecord, flow_format: FlowFormat) -> FlowJob | str:
    """Return a video's length and the size of its fields; an error message if it cannot be read."""
    try:
        info = probe(record.path)
    except VideoError as error:
        return str(error)
    height, width, _ = still_field(info.height, info.width, flow_format).shape
    return FlowJob(record.name, record.path, info.num_frames, (height, width))


def _estimated_bytes(jobs: Sequence[FlowJob], flow_format: FlowFormat, block: int, processes: int | None) -> int:
    """Estimate the size of all files in whole blocks of the disk, from one field of a few videos."""
    chosen: list[int] = np.linspace(0, len(jobs) - 1, min(len(jobs), SAMPLES)).round().astype(int).tolist()
    samples = [(jobs[index], flow_format) for index in chosen]
    sizes = list(in_order(sample_bytes, samples, processes=processes or os.cpu_count()))
    pixels = sum(math.prod(jobs[index].size) for index, size in zip(chosen, sizes, strict=True) if size)
    bytes_per_pixel: float = sum(sizes) / max(pixels, 1) / 2  # of one of the two files
    files = ((2 * job.num_fields, bytes_per_pixel * math.prod(job.size)) for job in jobs)
    # of each file, half of the last block is empty on average
    return round(sum(count * max(size + block / 2, block) for count, size in files))


def sample_bytes(job: FlowJob, flow_format: FlowFormat) -> int:
    """Return the size in bytes of both files of the field in the middle of a video; 0 if it does not decode."""
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
    """Write the flow of a plan's videos; videos that do not decode are left out and reported.

    Args:
        plan: of `plan_flow`.
        processes: number of processes that compute; None is one for each core.
        progress: called every second, from another thread, with the number of fields written and of those to write.

    Raises:
        DataError: the folder has received flow of another format since the plan, or a process was killed.
        OutputError: a file cannot be written, the disk is full, or another run is writing to the folder.
    """
    if not plan.jobs:
        return FlowOutcome()
    with _locked_run_folder(plan.out) as work:
        expect_format(plan.out, plan.format)
        write_text(plan.out / SETTINGS_FILE, json.dumps(plan.format.to_dict(), indent=1))
        plan.move_outdated(work)
        jobs = [(job.path, plan.out / job.name, work, plan.format) for job in plan.jobs]
        with _progress_reported(plan, work, progress):
            results = list(in_order(write_video_flow, jobs, processes=processes or os.cpu_count(), end_running=True))
    failures = tuple(result.error for result in results if result.error is not None)
    warnings = tuple(warning for result in results for warning in result.warnings)
    return FlowOutcome(len(results) - len(failures), failures, warnings)


@contextmanager
def _locked_run_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder for unfinished videos; those of killed runs are removed.

    Only one run at a time writes to `out`, if the system has file locks; the lock of a killed run disappears.
    """
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
            pass  # the system or the disk has no locks
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
    """Remove the folders of runs. They are renamed first, so that a remaining process of a run cannot finish in one."""
    for folder in out.glob(f"{RUN}*"):
        folder.rename(out / f"{STALE}{folder.name.removeprefix(RUN)}")
    for folder in out.glob(f"{STALE}*"):
        shutil.rmtree(folder)


@contextmanager
def _progress_reported(plan: FlowPlan, work: Path, progress: Progress | None) -> Iterator[None]:
    """Report every second how many fields are on the disk, from all processes."""
    if progress is None:
        yield
        return
    report, ended = progress, threading.Event()

    def watch() -> None:
        most = 0  # a folder that is renamed during the count may be missed
        while not ended.wait(WATCH_SECONDS):
            most = max(most, plan.num_written(work))
            report(most, plan.num_fields)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _size(num_bytes: float) -> str:
    return f"{num_bytes / GIGA:.1f} GB" if num_bytes >= GIGA else f"{num_bytes / MEGA:.1f} MB"
