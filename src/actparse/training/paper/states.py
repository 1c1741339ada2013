"""Recipes "states-<group>" at full size: one ip-CSN-152 for each part group, "without sharing parameters".

A label is (action, state), for a paired group (action, left state, right state): "(hurling sport) head: none".
"states-ir-<group>" train ir-CSN-152, which the authors' challenge entry combines with ip-CSN-152.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from actparse.nets.clips.csn import Bottleneck
from actparse.stages.actions.classifier import ClipConfig
from actparse.training.paper.action import CsnNumbers
from actparse.training.paper.readings import Level, Pretraining, expect_ranges
from actparse.video.segments import expect_segment_seconds

IR_WEIGHTS = {  # ensemble weights of a group's two networks, ip first. Source: the authors' challenge report
    "head": (1.413, 1.0),
    "arm": (1.0, 0.0),
    "hand": (1.314, 1.0),
    "hip": (1.906, 1.0),
    "leg": (3.515, 1.0),
    "foot": (1.576, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class StatesNumbers(CsnNumbers):
    """Hyperparameters of a part group's network; Table III compares segments of two lengths with single frames."""

    level: Level = "segment"  # "frame": a clip around each evaluated frame, with the label of that frame
    segment_seconds: float = 3.0  # "three seconds or so"; Table III also has 10
    frame_stride_evaluated: int = 5  # the evaluator scores every fifth frame

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, at_least_1=("frame_stride_evaluated",))
        expect_segment_seconds(self.segment_seconds, "train: segment_seconds")

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; around a single frame there is room for only one clip."""
        stage = super().stage()
        return replace(stage, num_clips=1) if self.level == "frame" else stage


@dataclass(frozen=True, kw_only=True)
class StatesIrNumbers(StatesNumbers):
    """Hyperparameters of a group's ir-CSN-152, used with ip-CSN-152 and trained in the same way."""

    bottleneck: Bottleneck = "ir"
    pretraining: Pretraining = "sports1m"
    ensemble: tuple[float, float] | None = None  # weights, ip first; None leaves the network out of the ensemble

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, at_least_0=("ensemble",))
