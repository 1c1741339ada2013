"""What a dataset of one's own cannot teach: poses, which are learnt from rendered people."""

from __future__ import annotations

import shutil
from pathlib import Path

from actparse.data.own.tree import read_manifest
from actparse.files import written_beside
from actparse.training.options import TrainOptions
from actparse.training.runs import RunFolder, write_json
from actparse.weights.bundle import load_network

POSES = "poses"


def keep_poses(data: Path, out: Path, options: TrainOptions) -> None:
    """Take the pose network of --init as it is, where the dataset is one's own; say so, or what is done without one.

    Args:
        data: the dataset's root.
        out: the run's folder; the network counts as finished there.
        options: of the run; `init` is a folder.

    Raises:
        WeightsError: the network is damaged.
    """
    run = RunFolder(out, POSES)
    if read_manifest(data) is None or run.is_finished:
        return
    weights = None if options.init is None else options.init / f"{POSES}.safetensors"
    if weights is None or not weights.is_file():
        options.report(f"{POSES}: own data teach none, so rendered people do; --init tiny takes the bundle's network")
        return
    metrics = dict(load_network(weights).metrics)
    with written_beside(run.weights) as beside:
        shutil.copyfile(weights, beside)
    write_json(run.metrics, metrics)
    options.report(f"{POSES}: own data teach none, the network stays that of {options.init}")
