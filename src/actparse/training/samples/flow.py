"""Optical flow for training: of clip frames in arrays, computed once and cached, or from 8-bit files of videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.files import written_beside
from actparse.core.pools import in_order
from actparse.core.progress import Report, discard_line
from actparse.data.flow_files import read_flow
from actparse.data.frames.annotations import FrameSource
from actparse.stages.actions.clip_inputs import FlowInput, fields_of
from actparse.video.flow import FlowBytes, TvL1, to_small_grey

RUNS_PER_JOB = 8


def cached_flow(
    frames: NDArray[np.uint8],
    offsets: Sequence[int],
    path: Path,
    flow: FlowInput,
    *,
    report: Report = discard_line,
) -> FlowBytes:
    """Return the flow from every frame to the next frame of its run; the flow of a run's last frame is zero.

    Args:
        frames: (L, H, W, 3) RGB.
        offsets: (R + 1,) first frame of each run, and L.
        path: the .npy file of the fields; it is created if it does not exist.
        flow: how the fields are computed and coded.
        report: receives lines of progress.

    Returns:
        (L, h, w, 2) coded flow, a memory map.
    """
    if not path.is_file():
        runs = list(pairwise(offsets))
        groups = [runs[start : start + RUNS_PER_JOB] for start in range(0, len(runs), RUNS_PER_JOB)]
        jobs = [(np.asarray(frames[group[0][0] : group[-1][1]]), [b - a for a, b in group], flow) for group in groups]
        height, width = to_small_grey(np.asarray(frames[0]), flow.tvl1.short_side).shape
        with written_beside(path) as temporary:
            shape = (len(frames), height, width, 2)
            fields = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            done = 0
            for num_jobs, flow_of_job in enumerate(in_order(flow_of_runs, jobs), start=1):
                fields[done : done + len(flow_of_job)] = flow_of_job
                done += len(flow_of_job)
                report(f"flow of {min(num_jobs * RUNS_PER_JOB, len(runs))}/{len(runs)} runs of frames")
            fields.flush()
    return np.asarray(np.load(path, mmap_mode="r"))


def flow_of_runs(frames: NDArray[np.uint8], lengths: Sequence[int], flow: FlowInput) -> FlowBytes:
    """Compute the flow (L, h, w, 2) of consecutive runs of frames in `frames` (L, H, W, 3)."""
    cv2.setNumThreads(1)
    solver = TvL1(flow.tvl1)
    fields, start = [], 0
    for length in lengths:
        run = frames[start : start + length]
        small = to_small_grey(run[0], flow.tvl1.short_side)
        no_motion = np.full((1, *small.shape, 2), 128 if flow.coding == "rounded" else 127, np.uint8)
        fields += [fields_of(run, solver, flow.coding), no_motion] if length > 1 else [no_motion]
        start += length
    return np.concatenate(fields)


@dataclass(frozen=True, eq=False)
class FlowFiles(FrameSource):
    """The flow of videos in the 8-bit files of data.flow_files; the field of a video's last frame is that before it."""

    folder: Path
    names: tuple[str, ...]
    offsets: NDArray[np.int64]

    def read(self, frames: NDArray[np.int64]) -> Sequence[FlowBytes]:
        """Read the fields (H, W, 2) from frames of one video to the next ones."""
        video, positions = self.locate(frames)
        last = max(0, int(self.offsets[video + 1] - self.offsets[video]) - 2)
        indices = np.minimum(positions, last).tolist()
        fields = read_flow(self.folder, self.names[video], indices)
        return [fields[index] for index in indices]
