"""Evaluation of one or two runs against the truth: metrics beyond the score, without their presentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import PART_INDEX, PARTS
from actparse.data.evaluation import score_to_dict
from actparse.data.runs import PredictionRun, detections
from actparse.data.submission import TpsFiles
from actparse.metrics import TpsScore, tps_score
from actparse.metrics.bootstrap import Interval, bootstrap_mean
from actparse.metrics.coco import SIZES, AveragePrecision, average_precision_by_size
from actparse.metrics.confusion import GroupConfusion, SideSwaps, side_swaps, state_confusions
from actparse.metrics.outcomes import OUTCOMES, Outcome, outcomes_by_group, outcomes_by_video, part_outcomes
from actparse.metrics.part_table import PartTable, build_part_table
from actparse.metrics.replacement import ReplacedScore, Stage, score_with, video_gains

NUM_WORST = 20
CURVE_THRESHOLDS = tuple(float(value) for value in np.linspace(0, 1, 201))
KINDS = ("persons", "parts")


@dataclass(frozen=True)
class SizeFigures:
    """The metrics of true boxes of one size; AP is None if the predictions contain no confidences."""

    num_true: int
    found: float | None  # share detected at the IoU of the score, 0..1; None if there is no such box
    ap: float | None  # percent, mean over IoU .50 to .95; also None if there is no such box
    ap50: float | None


@dataclass(frozen=True)
class VideoFigures:
    """The metrics of one video of a run."""

    name: str
    true_action: str
    action: str
    correctness: float  # part state correctness, 0..1
    gain: float  # its contribution to the score, 0..1: 0 if the action is wrong, otherwise nearly its correctness
    outcomes: dict[str, float]  # outcome -> share of its parts; empty if none is annotated
    worst_frame: str | None  # the frame with the least correct parts

    @property
    def right_action(self) -> bool:
        """Whether the action is the true one."""
        return self.action == self.true_action


@dataclass(frozen=True)
class RunFigures:
    """All metrics of one run."""

    run: PredictionRun
    table: PartTable
    shares: NDArray[np.float64]  # shares of the outcomes for each part, (N, 8)
    score: TpsScore
    interval: Interval  # confidence interval of the ROC score
    replaced: dict[Stage, ReplacedScore]
    outcomes: dict[str, dict[str, float]]  # group -> outcome -> share
    confusions: dict[str, GroupConfusion]
    swaps: dict[str, SideSwaps]
    sizes: dict[str, dict[str, SizeFigures]]  # persons, parts -> all, small, medium, large
    videos: dict[str, VideoFigures]

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.run.name

    @property
    def mean_correctness(self) -> float:
        """The part state correctness, mean over videos."""
        return self.replaced[Stage.NOTHING].mean_correctness

    def curve(self) -> NDArray[np.float64]:
        """Return the accuracy at each of CURVE_THRESHOLDS."""
        return np.array([self.score.accuracy_at(threshold) for threshold in CURVE_THRESHOLDS])

    def worst(self) -> list[VideoFigures]:
        """Return the NUM_WORST videos that contribute least to the score, then those of least correctness."""
        return sorted(self.videos.values(), key=lambda video: (video.gain, video.correctness, video.name))[:NUM_WORST]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        confusions = {
            group: {
                "states": list(confusion.states),
                "counts": confusion.counts.tolist(),
                "not_proposed": confusion.not_proposed.tolist(),
            }
            for group, confusion in self.confusions.items()
        }
        swaps = {
            group: {"tellable": count.num_tellable, "swapped": count.num_swapped} for group, count in self.swaps.items()
        }
        return {
            "name": self.name,
            "roc_score": self.score.roc_score,
            "roc_score_interval": _interval_to_dict(self.interval),
            "video_accuracy": self.score.video_accuracy,
            "mean_part_state_correctness": self.mean_correctness,
            "curve": {"threshold": list(CURVE_THRESHOLDS), "accuracy": self.curve().tolist()},
            "replaced": {stage.value: vars(score) for stage, score in self.replaced.items()},
            "outcomes": self.outcomes,
            "confusion": confusions,
            "side_swaps": swaps,
            "sizes": {kind: {size: vars(value) for size, value in sizes.items()} for kind, sizes in self.sizes.items()},
            "worst": [video.name for video in self.worst()],
            "videos": {
                name: {**vars(video), "right_action": video.right_action} for name, video in self.videos.items()
            },
        }


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs: the second minus the first."""

    interval: Interval  # confidence interval of the difference of the ROC scores, paired by video
    differences: dict[str, float]  # video -> difference of its contributions to the score

    def better(self) -> list[tuple[str, float]]:
        """Return the videos with a better result in the second run, the largest difference first."""
        return sorted(((n, d) for n, d in self.differences.items() if d > 0), key=lambda row: (-row[1], row[0]))

    def worse(self) -> list[tuple[str, float]]:
        """Return the videos with a worse result in the second run, the largest difference first."""
        return sorted(((n, d) for n, d in self.differences.items() if d < 0), key=lambda row: (row[1], row[0]))


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one run, or of two with their differences."""

    truth_name: str
    truth: TpsFiles
    human_iou: float
    part_iou: float
    runs: tuple[RunFigures, ...]
    comparison: Comparison | None

    def not_computed(self) -> list[str]:
        """Return a sentence for each metric that cannot be computed from the predictions, with the reason."""
        return [
            f"Average precision of {run.name}: the challenge's files hold no confidences, so boxes cannot "
            "be ranked. A folder of parses has them. The share of boxes found needs none and is shown."
            for run in self.runs
            if run.run.boxes is None
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        result: dict[str, Any] = {
            "truth": self.truth_name,
            "num_videos": len(self.truth.videos),
            "human_iou": self.human_iou,
            "part_iou": self.part_iou,
            "runs": [run.to_dict() for run in self.runs],
            "not_computed": self.not_computed(),
        }
        if self.comparison is not None:
            result["comparison"] = {
                "roc_score_difference": _interval_to_dict(self.comparison.interval),
                "differences": self.comparison.differences,
                "better": [name for name, _ in self.comparison.better()],
                "worse": [name for name, _ in self.comparison.worse()],
            }
        return result


def evaluate_runs(
    truth: TpsFiles,
    runs: Sequence[PredictionRun],
    *,
    truth_name: str = "truth",
    human_iou: float = 0.5,
    part_iou: float = 0.3,
    seed: int = 0,
) -> Evaluation:
    """Evaluate one run, or two and their differences.

    Args:
        truth: actions and annotated frames.
        runs: one or two.
        truth_name: name of the truth on the page.
        human_iou: as in `tps_score`.
        part_iou: as in `tps_score`.
        seed: seed of the resampling.

    Raises:
        DataError: a video of the truth is missing from a run.
    """
    measured = tuple(_measure(truth, run, human_iou, part_iou, seed) for run in runs)
    comparison = None
    if len(measured) == 2:
        first, second = measured
        differences = {name: second.videos[name].gain - video.gain for name, video in first.videos.items()}
        comparison = Comparison(bootstrap_mean(np.array(list(differences.values())), seed=seed), differences)
    return Evaluation(truth_name, truth, human_iou, part_iou, measured, comparison)


def _measure(truth: TpsFiles, run: PredictionRun, human_iou: float, part_iou: float, seed: int) -> RunFigures:
    table = build_part_table(truth, run.files, human_iou=human_iou, part_iou=part_iou)
    shares = part_outcomes(table)  # (N, outcomes)
    videos = _videos(truth, run, table, shares)
    gains = np.array([video.gain for video in videos.values()])
    part_found = table.best_of_proposals(table.right_boxes() & table.part_of_found[table.owner]) > 0
    true = {"persons": (table.person_box, table.person_found), "parts": (table.part_box, part_found)}
    precision = _precision_by_size(truth, run) if run.boxes is not None else {}
    return RunFigures(
        run=run,
        table=table,
        shares=shares,
        score=tps_score(truth, run.files, human_iou, part_iou),
        interval=bootstrap_mean(gains, seed=seed),
        replaced={stage: score_with(table, stage) for stage in Stage},
        outcomes=outcomes_by_group(table, shares),
        confusions=state_confusions(table),
        swaps=side_swaps(table),
        sizes={kind: _by_size(*true[kind], precision.get(kind)) for kind in KINDS},
        videos=videos,
    )


def _videos(
    truth: TpsFiles, run: PredictionRun, table: PartTable, shares: NDArray[np.float64]
) -> dict[str, VideoFigures]:
    correctness = table.correctness(table.credit())  # (V,)
    gains = video_gains(correctness, table.right_action)  # (V,)
    by_video = outcomes_by_video(table, shares)  # (V, outcomes)
    # the least correct frame of each video; among equals the one with most parts
    scores = table.frame_correctness(table.credit())  # (F,)
    num_parts = np.bincount(table.part_frame, minlength=len(scores))
    order = np.lexsort((-num_parts, scores, table.frame_video))
    order = order[num_parts[order] > 0]
    videos, first = np.unique(table.frame_video[order], return_index=True)
    frames = {int(video): table.frame_names[order[index]] for video, index in zip(videos, first, strict=True)}
    kinds = [outcome.value for outcome in OUTCOMES]
    return {
        name: VideoFigures(
            name=name,
            true_action=truth.videos[name],
            action=run.files.videos[name],
            correctness=float(correctness[index]),
            gain=float(gains[index]),
            outcomes=dict(zip(kinds, by_video[index].tolist(), strict=True)) if by_video[index].any() else {},
            worst_frame=frames.get(index),
        )
        for index, name in enumerate(table.videos)
    }


def _by_size(
    boxes: NDArray[np.float64], is_found: NDArray[np.bool_], precision: Mapping[str, AveragePrecision] | None
) -> dict[str, SizeFigures]:
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)  # (N,)
    result = {}
    for name, (low, high) in {"all": (0.0, np.inf), **SIZES}.items():
        inside = (areas >= low) & (areas < high)
        values = precision[name] if precision is not None else None
        result[name] = SizeFigures(
            num_true=int(inside.sum()),
            found=float(is_found[inside].mean()) if inside.any() else None,
            ap=_none_if_nan(values.ap) if values is not None else None,
            ap50=_none_if_nan(values.ap50) if values is not None else None,
        )
    return result


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _precision_by_size(truth: TpsFiles, run: PredictionRun) -> dict[str, dict[str, AveragePrecision]]:
    """Measure AP of persons and of parts as detected in the whole picture, over the annotated frames."""
    assert run.boxes is not None, "only for runs with confidences"
    no_detections = detections([])
    true: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    predicted: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for video in truth.videos:
        for frame, annotation in truth.parts.get(video, {}).items():
            boxes = run.boxes[video].get(frame)
            humans = annotation["humans"]
            true["persons"].append(detections([(human["box"], 1.0, 0) for human in humans]))
            parts = [item for human in humans for item in human.get("parts", {}).items() if item[0] in PART_INDEX]
            true["parts"].append(detections([(part["box"], 1.0, PART_INDEX[name]) for name, part in parts]))
            predicted["persons"].append(boxes.persons if boxes is not None else no_detections)
            predicted["parts"].append(boxes.parts if boxes is not None else no_detections)
    names = {"persons": ("person",), "parts": PARTS}
    return {kind: average_precision_by_size(true[kind], predicted[kind], names[kind]) for kind in KINDS}


def _interval_to_dict(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "level": interval.level}


def evaluation_to_json(evaluation: Evaluation) -> str:
    """Format the first run's official score, and the whole evaluation under "evaluation"; full float precision."""
    values = {**score_to_dict(evaluation.runs[0].score), "evaluation": evaluation.to_dict()}
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)


def verdict(comparison: Comparison, first: str, second: str) -> str:
    """Return two sentences on which run is better, and whether the videos distinguish the two."""
    interval = comparison.interval
    difference = (
        f"{second} less {first}: {interval.mean:+.4f} (95 % interval {interval.low:+.4f} to {interval.high:+.4f})."
    )
    if interval.low <= 0 <= interval.high:
        return f"{difference} These videos do not tell the two apart."
    return f"{difference} The whole interval is in favour of {second if interval.mean > 0 else first}."


def largest_gain(run: RunFigures) -> tuple[Stage, float]:
    """Return the stage whose truth would raise the score most, and by how much; parts are not replaced as a whole."""
    score_before = run.replaced[Stage.NOTHING].roc_score
    gains = {
        stage: score.roc_score - score_before
        for stage, score in run.replaced.items()
        if stage not in (Stage.NOTHING, Stage.PARTS)
    }
    stage = max(gains, key=lambda stage: gains[stage])
    return stage, gains[stage]


def commonest_loss(run: RunFigures) -> tuple[Outcome, float] | None:
    """Return the most common fault of parts and its share of all parts; None if every part is correct."""
    shares = run.shares.mean(axis=0) if len(run.shares) else np.zeros(len(OUTCOMES))
    losses = {outcome: float(shares[index]) for index, outcome in enumerate(OUTCOMES) if outcome is not Outcome.RIGHT}
    outcome = max(losses, key=lambda outcome: losses[outcome])
    return (outcome, losses[outcome]) if losses[outcome] > 0 else None
