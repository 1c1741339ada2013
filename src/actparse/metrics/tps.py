"""The official score of Kinetics-TPS, from the part state correctness and the action of each video.

The score is the area under the curve of accuracy over the threshold of correctness.
Source: the public evaluation program (where its README differs, the program is followed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError

NUM_THRESHOLDS = 10_000  # steps of the area under the curve
Frames = Mapping[str, Any]  # frame name -> {"humans": [...]}


@dataclass(frozen=True)
class TpsScore:
    """The score of a set of videos; every value is in [0, 1]."""

    roc_score: float
    video_accuracy: float  # share of videos with the right action
    part_state_correctness: dict[str, float]  # by video
    video_correct: dict[str, bool]  # whether the action is right
    _sorted_correctness: NDArray[np.float64] = field(repr=False, compare=False)  # of videos with the right action

    def accuracy_at(self, threshold: float) -> float:
        """Return the share of all videos with the right action and a correctness of at least `threshold`."""
        return float(_accuracies(self._sorted_correctness, np.array([threshold]), len(self.video_correct))[0])


def tps_score(truth: Any, predictions: Any, human_iou: float = 0.5, part_iou: float = 0.3) -> TpsScore:
    """Score predictions by the official rules.

    Args:
        truth: the videos' actions and annotated frames: an object with `videos` and `parts`, a pair (videos, parts), or
            a mapping with those keys or with the evaluator's ("gt_vid_result" and "gt_part_result", also with ".json").
        predictions: in the same form, with "pred_..."; a part has lists of boxes and of verbs, one verb for each box.
        human_iou: a matched person's overlap must be above it.
        part_iou: a part's overlap must be at least this.

    Raises:
        ConfigError: a threshold is not in 0..1.
        DataError: a video of the truth is missing from the predictions, or there is no video.
    """
    for name, value in (("human_iou", human_iou), ("part_iou", part_iou)):
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} must be 0..1, got {value}")
    true_actions, true_parts = _videos_and_parts(truth, "truth")
    actions, parts = _videos_and_parts(predictions, "predictions")
    if not true_actions:
        raise DataError("truth: needs at least one video, got none")
    correctness, correct = {}, {}
    for video, action in true_actions.items():
        if video not in actions or video not in parts:
            raise DataError(f"predictions: video {video!r} of the truth is missing")
        correct[video] = actions[video] == action
        correctness[video] = _video_correctness(true_parts.get(video, {}), parts[video], human_iou, part_iou)
    ordered = np.sort([correctness[video] for video in correctness if correct[video]])
    thresholds = np.arange(1, NUM_THRESHOLDS) / NUM_THRESHOLDS
    return TpsScore(
        roc_score=float((_accuracies(ordered, thresholds, len(correct)) / NUM_THRESHOLDS).sum()),
        video_accuracy=sum(correct.values()) / len(correct),
        part_state_correctness=correctness,
        video_correct=correct,
        _sorted_correctness=ordered,
    )


def _accuracies(ordered: NDArray[np.float64], thresholds: NDArray[np.float64], num_videos: int) -> NDArray[np.float64]:
    return (len(ordered) - np.searchsorted(ordered, thresholds, side="left")) / num_videos


def _videos_and_parts(source: Any, name: str) -> tuple[Mapping[str, str], Mapping[str, Frames]]:
    if hasattr(source, "videos") and hasattr(source, "parts"):
        return source.videos, source.parts
    if isinstance(source, Mapping):
        for prefix in ("", "gt_", "pred_"):
            for suffix in ("", ".json"):
                keys = ("videos", "parts") if not prefix else (f"{prefix}vid_result", f"{prefix}part_result")
                videos, parts = (source.get(key + suffix) for key in keys)
                if videos is not None and parts is not None:
                    return videos, parts
    if isinstance(source, tuple | list) and len(source) == 2:
        return source[0], source[1]
    raise DataError(f"{name}: needs videos and parts, got {type(source).__name__}")


def _video_correctness(truth: Frames, predicted: Frames, human_iou: float, part_iou: float) -> float:
    """Average the parts' scores in each frame, then the frames with annotated parts; 1 if there is no such frame."""
    proposals = _Proposals()
    num_missing = 0
    for frame, annotation in truth.items():
        humans = annotation["humans"]
        if humans and frame in predicted:
            proposals.add_frame(humans, predicted[frame]["humans"], human_iou)
        else:
            num_missing += bool(humans)
    scores = proposals.frame_scores(part_iou)  # (F,)
    total = len(scores) + num_missing
    return float(scores.sum()) / total if total else 1.0


class _Proposals:
    """The proposals of a video with the right state, and the annotated part of each."""

    def __init__(self) -> None:
        self.num_parts: list[int] = []  # by frame: its annotated parts, without frames that have none
        self.total_parts = 0
        self.owners: list[int] = []  # by proposal: index of its annotated part in the video
        self.points: list[float] = []  # by proposal: its score if its box is right
        self.true_boxes: list[Any] = []  # by proposal
        self.proposed_boxes: list[Any] = []  # by proposal

    def add_frame(self, true: list[Any], predicted: list[Any], human_iou: float) -> None:
        partner = match_persons([human["box"] for human in true], [human["box"] for human in predicted], human_iou)
        first = self.total_parts
        for index, human in enumerate(true):
            proposals = (predicted[partner[index]].get("parts") or {}) if index in partner else {}
            for name, part in human.get("parts", {}).items():
                if proposed := proposals.get(name):
                    self._add_part(part, proposed)
                self.total_parts += 1
        if self.total_parts > first:
            self.num_parts.append(self.total_parts - first)

    def _add_part(self, true: Any, proposed: Any) -> None:
        boxes, states = proposed.get("box", []), proposed.get("verb", [])
        if isinstance(states, str):  # the form of the truth: one box, one state
            boxes, states = [boxes], [states]
        for box, state in zip(boxes, states, strict=False):
            if state == true["verb"]:
                self.owners.append(self.total_parts)
                self.points.append(1.0 / len(states))
                self.true_boxes.append(true["box"])
                self.proposed_boxes.append(box)

    def frame_scores(self, part_iou: float) -> NDArray[np.float64]:
        """Return the mean score of the annotated parts of each frame that has any, (F,)."""
        scores = np.zeros(self.total_parts)
        overlaps = paired_iou(self.true_boxes, self.proposed_boxes)  # (P,)
        np.maximum.at(scores, np.asarray(self.owners, np.int64), np.where(overlaps >= part_iou, self.points, 0.0))
        starts = np.cumsum([0, *self.num_parts[:-1]])
        return np.add.reduceat(scores, starts) / self.num_parts if self.num_parts else scores


def match_persons(true: Sequence[Any], predicted: Sequence[Any], human_iou: float) -> dict[int, int]:
    """Pair true and predicted persons so that the sum of overlaps is greatest, and drop the pairs below the threshold.

    Args:
        true: N boxes xyxy.
        predicted: M boxes xyxy.
        human_iou: in 0..1.

    Returns:
        {index in `true`: index in `predicted`}.
    """
    if not len(true) or not len(predicted):
        return {}
    from scipy.optimize import linear_sum_assignment  # takes half a second, and every command imports this module

    overlaps = inclusive_iou(_boxes(true), _boxes(predicted))
    true_indices, indices = linear_sum_assignment(overlaps, maximize=True)
    return {int(t): int(p) for t, p in zip(true_indices, indices, strict=True) if overlaps[t, p] > human_iou}


def _boxes(boxes: Sequence[Any]) -> NDArray[np.float64]:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def inclusive_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float32]:
    """Compute the IoU of boxes (N, 4) and (M, 4) xyxy, last pixels included: (N, M) float32, -1 without overlap."""
    return _iou(a[:, None], b[None])


def paired_iou(a: Sequence[Any], b: Sequence[Any]) -> NDArray[np.float32]:
    """Compute the `inclusive_iou` of N boxes with N other boxes, pair by pair: (N,) float32."""
    return _iou(_boxes(a), _boxes(b))


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float32]:
    """Compute the IoU of boxes (..., 4) that broadcast to each other, as `inclusive_iou`."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1  # (..., 2)
    shared = sides.prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2] + 1).prod(axis=-1) + (b[..., 2:] - b[..., :2] + 1).prod(axis=-1)
    overlaps = np.where((sides > 0).all(axis=-1), shared / (areas - shared), -1.0)
    return overlaps.astype(np.float32)
