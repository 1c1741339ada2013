"""Optical flow of clip frames that lie in arrays, computed once and kept beside them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.files import written_beside
from actparse.core.pools import in_order
from actparse.stages.actions.clip_inputs import FlowInput, fields_of
from actparse.training.options import Report, say_nothing
from actparse.video.flow import FlowBytes, TvL1, to_small_grey

RUNS_PER_JOB = 8


def cached_flow(
    frames: NDArray[np.uint8],
    offsets: Sequence[int],
    path: Path,
    flow: FlowInput,
    *,
    processes: int | None = None,
    report: Report = say_nothing,
) -> FlowBytes:
    """The flow from every frame to the next of its run; a run's last frame has no motion.

    Args:
        frames: (L, H, W, 3) RGB.
        offsets: (R + 1,) first frame of each run, and L.
        path: where the fields are kept, a .npy file; made where it is missing.
        flow: how they are computed and coded.
        processes: None is one for each core.
        report: gets a line now and then.

    Returns:
        (L, h, w, 2) coded flow, a memory map.
    """
    if not path.is_file():
        runs = list(pairwise(offsets))
        groups = [runs[start : start + RUNS_PER_JOB] for start in range(0, len(runs), RUNS_PER_JOB)]
        jobs = [(np.asarray(frames[group[0][0] : group[-1][1]]), [b - a for a, b in group], flow) for group in groups]
        height, width = to_small_grey(np.asarray(frames[0]), flow.tvl1.short_side).shape
        with written_beside(path) as beside:
            shape = (len(frames), height, width, 2)
            fields = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=shape)
            done = 0
            for number, found in enumerate(in_order(flow_of_runs, jobs, processes=processes), start=1):
                fields[done : done + len(found)] = found
                done += len(found)
                report(f"flow of {min(number * RUNS_PER_JOB, len(runs))}/{len(runs)} runs of frames")
            fields.flush()
    return np.asarray(np.load(path, mmap_mode="r"))


def flow_of_runs(frames: NDArray[np.uint8], lengths: Sequence[int], flow: FlowInput) -> FlowBytes:
    """Flow (L, h, w, 2) of runs of frames that lie one after the other in `frames` (L, H, W, 3)."""
    cv2.setNumThreads(1)
    solver = TvL1(flow.tvl1)
    found, start = [], 0
    for length in lengths:
        run = frames[start : start + length]
        small = to_small_grey(run[0], flow.tvl1.short_side)
        still = np.full((1, *small.shape, 2), 128 if flow.coding == "rounded" else 127, np.uint8)
        found += [fields_of(run, solver, flow.coding), still] if length > 1 else [still]
        start += length
    return np.concatenate(found)
