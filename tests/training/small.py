"""Options and small sizes for training runs of a few steps, at both sizes."""

from __future__ import annotations

from typing import Any

from actparse.core.progress import discard_line
from actparse.nets.poses.hrnet import HrnetConfig
from actparse.training import TrainOptions

SMALL_DETECTOR = {"depth": "18", "batch_size": "2", "num_gpus": "1", "warmup_iterations": "1", "epochs": "1"}
SMALL_PERSONS = {**SMALL_DETECTOR, "short_side": "96", "long_side": "160", "milestones": "1"}
SMALL_PARTS = {**SMALL_DETECTOR, "size": "96", "milestones": "1"}
SMALL_CLIPS = {"batch_size": "2", "num_gpus": "1", "train_short_side": "48", "crop_size": "32", "test_short_side": "48"}
SMALL_HRNET = HrnetConfig(width=32, num_modules=(1, 1, 1), num_blocks=1)
SMALL_CSN = {**SMALL_CLIPS, "num_frames": "4", "num_clips": "2", "depth_blocks": "1,1,1,1"}
SMALL_BASELINE = {
    "depth": "18",
    "batch_size": "2",
    "train_size": "48,64",
    "test_short_side": "48",
    "width": "16",
    "roi_channels": "8",
}


def tiny_options(**changes: Any) -> TrainOptions:
    """Options of a short run at size tiny."""
    fixed = {
        "steps": 2,
        "device": "cpu",
        "report": discard_line,
        "stream_frames": 8,
        "stream_crops": 1000,
        "stream_clips": 0,
    }
    return TrainOptions(**{**fixed, **changes})


def paper_options(changes: dict[str, str], **more: Any) -> TrainOptions:
    """Options of a short run at size paper; `changes` make its sizes small."""
    fixed = {"size": "paper", "steps": 2, "device": "cpu", "precision": "float32", "report": discard_line}
    return TrainOptions(**{**fixed, "changes": changes, **more})
