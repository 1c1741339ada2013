"""Scores with one stage of the predictions replaced by the truth; no network runs, so any method's files work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from actparse.metrics.part_table import PartTable
from actparse.metrics.tps import NUM_THRESHOLDS


class Stage(Enum):
    """The part of the predictions that is replaced by the truth; the rest stays as predicted."""

    NOTHING = "as predicted"
    ACTION = "true action"
    PERSONS = "true boxes of persons"
    PART_BOXES = "true boxes of parts"
    STATES = "true states"
    PARTS = "true boxes and states of parts"


EXPLANATION = {
    Stage.NOTHING: "nothing is replaced",
    Stage.ACTION: "every video has the right action",
    Stage.PERSONS: "a person that overlaps a true one at all has its box; one that is missed stays missed",
    Stage.PART_BOXES: "every proposal has the true box; a part without proposal stays wrong",
    Stage.STATES: "the best box of each part has the true state; a part without proposal stays wrong",
    Stage.PARTS: "every part of a person that was found is right",
}


@dataclass(frozen=True)
class ReplacedScore:
    """The score after the replacement; all values are 0..1."""

    roc_score: float
    video_accuracy: float
    mean_correctness: float  # mean of the videos' part state correctness


def score_with(table: PartTable, stage: Stage) -> ReplacedScore:
    """Compute the score with one stage replaced by the truth."""
    right = np.ones_like(table.right_action) if stage is Stage.ACTION else table.right_action
    correctness = table.correctness(_credit_with(table, stage))
    return ReplacedScore(float(video_gains(correctness, right).mean()), float(right.mean()), float(correctness.mean()))


def video_gains(correctness: NDArray[np.float64], right_action: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the contribution of each video to the score, (V,) in 0..1; the ROC score is their mean."""
    thresholds = np.arange(1, NUM_THRESHOLDS) / NUM_THRESHOLDS
    return right_action * (np.searchsorted(thresholds, correctness, side="right") / NUM_THRESHOLDS)


def _credit_with(table: PartTable, stage: Stage) -> NDArray[np.float64]:
    worth = 1.0 / table.num_proposals[table.owner]  # (P,)
    right, is_detected = table.right_states() & table.right_boxes(), table.part_of_found
    if stage is Stage.PERSONS:
        touched = (table.person_overlap > 0)[table.part_person]
        return table.best_of_proposals(right * worth) * touched
    if stage is Stage.PART_BOXES:
        return table.best_of_proposals(table.right_states() * worth) * is_detected
    if stage is Stage.STATES:
        return table.best_of_proposals(table.right_boxes()) * is_detected
    if stage is Stage.PARTS:
        return is_detected.astype(np.float64)
    return table.credit()
