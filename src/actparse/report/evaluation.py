"""One or two runs against the truth: what an evaluation says beyond the score, as numbers."""

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
    """True boxes of one size, how many were found, and AP; None where the predictions hold no confidences."""

    num_true: int
    found: float | None  # share found at the score's own IoU, 0..1; None where there is no such box
    ap: float | None  # percent, mean over IoU .50 to .95; None too where there is no such box
    ap50: float | None


@dataclass(frozen=True)
class VideoFigures:
    """One video of a run."""

    name: str
    true_action: str
    action: str
    correctness: float  # part state correctness, 0..1
    gain: float  # what it adds to the score, 0..1: 0 where the action is wrong, else nearly its correctness
    outcomes: dict[str, float]  # shares of its parts; empty where none is annotated
    worst_frame: str | None  # whose parts are least right

    @property
    def right_action(self) -> bool:
        """Whether the action is the true one."""
        return self.action == self.true_action


@dataclass(frozen=True)
class RunFigures:
    """Everything about one run."""

    run: PredictionRun
    table: PartTable
    shares: NDArray[np.float64]  # of the outcomes, by part, (N, 8)
    score: TpsScore
    interval: Interval  # of the ROC score
    replaced: dict[Stage, ReplacedScore]
    outcomes: dict[str, dict[str, float]]  # group -> outcome -> share
    confusions: dict[str, GroupConfusion]
    swaps: dict[str, SideSwaps]
    sizes: dict[str, dict[str, SizeFigures]]  # persons, parts -> all, small, medium, large
    videos: dict[str, VideoFigures]

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.run.name

    @property
    def mean_correctness(self) -> float:
        """Part state correctness, mean over videos."""
        return self.replaced[Stage.NOTHING].mean_correctness

    def curve(self) -> NDArray[np.float64]:
        """Accuracy at each of CURVE_THRESHOLDS."""
        return np.array([self.score.accuracy_at(threshold) for threshold in CURVE_THRESHOLDS])

    def worst(self, count: int = NUM_WORST) -> list[VideoFigures]:
        """The videos that add least to the score, then those of least correctness."""
        return sorted(self.videos.values(), key=lambda video: (video.gain, video.correctness, video.name))[:count]


@dataclass(frozen=True)
class Comparison:
    """The second run less the first."""

    interval: Interval  # of the difference of the ROC scores, paired by video
    differences: dict[str, float]  # of what each video adds to the score

    def better(self) -> list[tuple[str, float]]:
        """Videos that the second run does better, the largest difference first."""
        return sorted(((n, d) for n, d in self.differences.items() if d > 0), key=lambda row: (-row[1], row[0]))

    def worse(self) -> list[tuple[str, float]]:
        """Videos that the second run does worse, the largest difference first."""
        return sorted(((n, d) for n, d in self.differences.items() if d < 0), key=lambda row: (row[1], row[0]))


@dataclass(frozen=True)
class Evaluation:
    """One run, or two and how they differ."""

    truth_name: str
    truth: TpsFiles
    human_iou: float
    part_iou: float
    runs: tuple[RunFigures, ...]
    comparison: Comparison | None

    def not_computed(self) -> list[str]:
        """What the predictions do not allow, and why."""
        return [
            f"Average precision of {figures.name}: the challenge's files hold no confidences, so boxes cannot "
            "be ranked. A folder of parses has them. The share of boxes found needs none and is shown."
            for figures in self.runs
            if figures.run.boxes is None
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        result: dict[str, Any] = {
            "truth": self.truth_name,
            "num_videos": len(self.truth.videos),
            "human_iou": self.human_iou,
            "part_iou": self.part_iou,
            "runs": [_run_to_dict(figures) for figures in self.runs],
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
    """Everything that can be said of one run, or of two side by side.

    Args:
        truth: actions and annotated frames.
        runs: one or two.
        truth_name: what it is called on the page.
        human_iou: as in `tps_score`.
        part_iou: as in `tps_score`.
        seed: of the resampling.

    Raises:
        DataError: a video of the truth is missing from a run.
    """
    figures = tuple(_figures(truth, run, human_iou, part_iou, seed) for run in runs)
    comparison = _compare(*figures, seed) if len(figures) == 2 else None
    return Evaluation(truth_name, truth, human_iou, part_iou, figures, comparison)


def _figures(truth: TpsFiles, run: PredictionRun, human_iou: float, part_iou: float, seed: int) -> RunFigures:
    table = build_part_table(truth, run.files, human_iou=human_iou, part_iou=part_iou)
    shares = part_outcomes(table)  # (N, outcomes)
    videos = _videos(truth, run, table, shares)
    gains = np.array([video.gain for video in videos.values()])
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
        sizes=_sizes(truth, run, table),
        videos=videos,
    )


def _videos(
    truth: TpsFiles, run: PredictionRun, table: PartTable, shares: NDArray[np.float64]
) -> dict[str, VideoFigures]:
    correctness = table.correctness(table.credit())  # (V,)
    gains = video_gains(correctness, table.right_action)  # (V,)
    by_video = outcomes_by_video(table, shares)  # (V, outcomes)
    frames = _worst_frames(table)
    return {
        name: VideoFigures(
            name=name,
            true_action=truth.videos[name],
            action=run.files.videos[name],
            correctness=float(correctness[number]),
            gain=float(gains[number]),
            outcomes=_named(by_video[number]),
            worst_frame=frames.get(number),
        )
        for number, name in enumerate(table.videos)
    }


def _named(shares: NDArray[np.float64]) -> dict[str, float]:
    names = zip(OUTCOMES, shares, strict=True)
    return {outcome.value: float(share) for outcome, share in names} if shares.any() else {}


def _worst_frames(table: PartTable) -> dict[int, str]:
    """By video the frame of least correctness; of those the one with most parts."""
    scores = table.frame_correctness(table.credit())  # (F,)
    num_parts = np.bincount(table.part_frame, minlength=len(scores))
    order = np.lexsort((-num_parts, scores, table.frame_video))
    order = order[num_parts[order] > 0]
    videos, first = np.unique(table.frame_video[order], return_index=True)
    return {int(video): table.frame_names[order[at]] for video, at in zip(videos, first, strict=True)}


def _sizes(truth: TpsFiles, run: PredictionRun, table: PartTable) -> dict[str, dict[str, SizeFigures]]:
    part_found = table.best_of_proposals(table.right_boxes() & table.part_of_found[table.owner]) > 0
    true = {"persons": (table.person_box, table.person_found), "parts": (table.part_box, part_found)}
    precision = _precision_by_size(truth, run) if run.boxes is not None else {}
    return {kind: _by_size(*true[kind], precision.get(kind)) for kind in KINDS}


def _by_size(
    boxes: NDArray[np.float64], found: NDArray[np.bool_], precision: Mapping[str, AveragePrecision] | None
) -> dict[str, SizeFigures]:
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)  # (N,)
    result = {}
    for name, (low, high) in {"all": (0.0, np.inf), **SIZES}.items():
        inside = (areas >= low) & (areas < high)
        values = precision[name] if precision is not None else None
        result[name] = SizeFigures(
            num_true=int(inside.sum()),
            found=float(found[inside].mean()) if inside.any() else None,
            ap=_number(values.ap) if values is not None else None,
            ap50=_number(values.ap50) if values is not None else None,
        )
    return result


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _precision_by_size(truth: TpsFiles, run: PredictionRun) -> dict[str, dict[str, AveragePrecision]]:
    """AP of persons and of parts as found in the whole picture, over the annotated frames."""
    assert run.boxes is not None, "asked of runs with confidences alone"
    nothing = detections([])
    true: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for video in truth.videos:
        for frame, annotation in truth.parts.get(video, {}).items():
            boxes = run.boxes[video].get(frame)
            humans = annotation["humans"]
            true["persons"].append(detections([(human["box"], 1.0, 0) for human in humans]))
            true["parts"].append(detections(_true_parts(humans)))
            found["persons"].append(boxes.persons if boxes is not None else nothing)
            found["parts"].append(boxes.parts if boxes is not None else nothing)
    names = {"persons": ("person",), "parts": PARTS}
    return {kind: average_precision_by_size(true[kind], found[kind], names[kind]) for kind in KINDS}


def _true_parts(humans: Sequence[Any]) -> list[tuple[Any, float, int]]:
    return [
        (part["box"], 1.0, PART_INDEX[name])
        for human in humans
        for name, part in human.get("parts", {}).items()
        if name in PART_INDEX
    ]


def _compare(first: RunFigures, second: RunFigures, seed: int) -> Comparison:
    differences = {name: second.videos[name].gain - video.gain for name, video in first.videos.items()}
    return Comparison(bootstrap_mean(np.array(list(differences.values())), seed=seed), differences)


def _run_to_dict(figures: RunFigures) -> dict[str, Any]:
    return {
        "name": figures.name,
        "roc_score": figures.score.roc_score,
        "roc_score_interval": _interval_to_dict(figures.interval),
        "video_accuracy": figures.score.video_accuracy,
        "mean_part_state_correctness": figures.mean_correctness,
        "curve": {"threshold": list(CURVE_THRESHOLDS), "accuracy": figures.curve().tolist()},
        "replaced": {stage.value: vars(score) for stage, score in figures.replaced.items()},
        "outcomes": figures.outcomes,
        "confusion": {group: _confusion_to_dict(confusion) for group, confusion in figures.confusions.items()},
        "side_swaps": {
            group: {"tellable": swaps.num_tellable, "swapped": swaps.num_swapped}
            for group, swaps in figures.swaps.items()
        },
        "sizes": {
            kind: {size: vars(values) for size, values in sizes.items()} for kind, sizes in figures.sizes.items()
        },
        "worst": [video.name for video in figures.worst()],
        "videos": {name: {**vars(video), "right_action": video.right_action} for name, video in figures.videos.items()},
    }


def _confusion_to_dict(confusion: GroupConfusion) -> dict[str, Any]:
    return {
        "states": list(confusion.states),
        "counts": confusion.counts.tolist(),
        "not_proposed": confusion.not_proposed.tolist(),
    }


def _interval_to_dict(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "level": interval.level}


def evaluation_to_json(evaluation: Evaluation) -> str:
    """The first run's official figures, and everything else under "evaluation"; full float precision."""
    figures = {**score_to_dict(evaluation.runs[0].score), "evaluation": evaluation.to_dict()}
    return json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False)


def verdict(comparison: Comparison, first: str, second: str) -> str:
    """One sentence on which run is better, and whether the videos tell the two apart."""
    interval = comparison.interval
    said = f"{second} less {first}: {interval.mean:+.4f} (95 % interval {interval.low:+.4f} to {interval.high:+.4f})."
    if interval.low <= 0 <= interval.high:
        return f"{said} These videos do not tell the two apart."
    return f"{said} The whole interval is in favour of {second if interval.mean > 0 else first}."


def largest_gain(figures: RunFigures) -> tuple[Stage, float]:
    """The stage whose truth would raise the score most, and by how much; parts are asked one thing at a time."""
    before = figures.replaced[Stage.NOTHING].roc_score
    gains = {
        stage: score.roc_score - before
        for stage, score in figures.replaced.items()
        if stage not in (Stage.NOTHING, Stage.PARTS)
    }
    stage = max(gains, key=lambda stage: gains[stage])
    return stage, gains[stage]


def commonest_loss(figures: RunFigures) -> tuple[Outcome, float] | None:
    """What happens most to parts that do not count, and its share of all parts; None where every part is right."""
    shares = figures.shares.mean(axis=0) if len(figures.shares) else np.zeros(len(OUTCOMES))
    losses = {outcome: float(shares[at]) for at, outcome in enumerate(OUTCOMES) if outcome is not Outcome.RIGHT}
    outcome = max(losses, key=lambda outcome: losses[outcome])
    return (outcome, losses[outcome]) if losses[outcome] > 0 else None
