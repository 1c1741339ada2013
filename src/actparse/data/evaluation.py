"""The official score of files on disk."""

from __future__ import annotations

import json
from pathlib import Path

from actparse.data.submission import load_predictions, load_truth, validate_predictions
from actparse.errors import DataError
from actparse.metrics import TpsScore, tps_score

THRESHOLDS = tuple(number / 10 for number in range(1, 10))  # whose accuracies are written


def evaluate(
    truth: Path, predictions: Path, *, split: str | None = None, human_iou: float = 0.5, part_iou: float = 0.3
) -> TpsScore:
    """Score predictions against the truth.

    Args:
        truth: a folder with gt_vid_result.json and gt_part_result.json, or a dataset's root.
        predictions: a folder or a zip with pred_vid_result.json and pred_part_result.json.
        split: of a dataset's root.
        human_iou: as in `tps_score`.
        part_iou: as in `tps_score`.

    Raises:
        DataError: a file is missing or not as it should be, or the predictions break a rule of the challenge.
    """
    found, true = load_predictions(predictions), load_truth(truth_folder(truth, split))
    validate_predictions(found, true)
    return tps_score(true, found, human_iou, part_iou)


def truth_folder(path: Path, split: str | None) -> Path:
    """Where gt_*.json lie.

    Raises:
        DataError: they are neither in `path` nor in its <split>_truth.
    """
    if (path / "gt_vid_result.json").is_file() and split is None:
        return path
    folders = sorted(folder.name.removesuffix("_truth") for folder in path.glob("*_truth"))
    if split is None and folders:
        raise DataError(f"{path}: a dataset's root needs --split, one of {', '.join(folders)}")
    folder = path / f"{split}_truth"
    if not (folder / "gt_vid_result.json").is_file():
        raise DataError(
            f"{folder if split else path}: needs gt_vid_result.json and gt_part_result.json, got no such file"
        )
    return folder


def score_to_json(score: TpsScore) -> str:
    """The figures in full precision."""
    figures = {
        "roc_score": score.roc_score,
        "video_accuracy": score.video_accuracy,
        "accuracy_at": {str(threshold): score.accuracy_at(threshold) for threshold in THRESHOLDS},
        "part_state_correctness": score.part_state_correctness,
    }
    return json.dumps(figures, indent=1)
