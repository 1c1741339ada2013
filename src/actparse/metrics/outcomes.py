"""Outcome of every annotated part: correct, or the first error."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUPS, PART_GROUP
from actparse.metrics.part_table import PartTable


class Outcome(Enum):
    """Outcomes of a part. A part counts 1; if one of its n proposals is right, 1/n is RIGHT and the rest HEDGED."""

    RIGHT = "right"
    HEDGED = "right among several proposals"
    STATE = "wrong state"
    BOX = "wrong box"
    STATE_AND_BOX = "wrong state and box"
    NO_PART = "part not proposed"
    NO_PERSON = "person missed"
    NO_FRAME = "frame missing"


OUTCOMES = tuple(Outcome)


def part_outcomes(table: PartTable) -> NDArray[np.float64]:
    """Return the share of every outcome for each part, (N, 8); each row sums to 1."""
    right_state = table.best_of_proposals(table.right_states()) > 0  # (N,)
    right_box = table.best_of_proposals(table.right_boxes()) > 0  # (N,)
    credit = table.credit()
    is_detected, is_proposed = table.part_of_found, table.num_proposals > 0
    conditions = {
        Outcome.NO_FRAME: ~table.frame_predicted[table.part_frame],
        Outcome.NO_PERSON: ~is_detected,
        Outcome.NO_PART: ~is_proposed,
        Outcome.RIGHT: credit > 0,
        Outcome.STATE_AND_BOX: ~right_state & ~right_box,
        Outcome.STATE: ~right_state,
        Outcome.BOX: np.ones_like(is_detected),  # no single proposal has both the right state and the right box
    }
    codes = np.select(list(conditions.values()), [OUTCOMES.index(outcome) for outcome in conditions])  # (N,)
    shares = np.eye(len(OUTCOMES))[codes.astype(np.int64)].reshape(-1, len(OUTCOMES))
    shares[:, OUTCOMES.index(Outcome.RIGHT)] = credit
    shares[:, OUTCOMES.index(Outcome.HEDGED)] = np.where(credit > 0, 1 - credit, 0.0)
    return shares


def outcomes_by_group(table: PartTable, shares: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Return the share of each outcome by group, 0..1; groups without an annotated part are left out."""
    groups = part_groups(table)
    result = {}
    for code, group in enumerate(GROUPS):
        if (groups == code).any():
            means = shares[groups == code].mean(axis=0)
            result[group] = {outcome.value: float(mean) for outcome, mean in zip(OUTCOMES, means, strict=True)}
    return result


def outcomes_by_video(table: PartTable, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each outcome for each video, (V, 8); zeros if no part is annotated."""
    sums = np.zeros((len(table.videos), len(OUTCOMES)))
    np.add.at(sums, table.part_video, shares)
    counts = np.bincount(table.part_video, minlength=len(table.videos))  # (V,)
    return np.asarray(sums / np.maximum(counts, 1)[:, None], np.float64)


def part_groups(table: PartTable) -> NDArray[np.int64]:
    """Return the index of each part's group, (N,); -1 if the name is not a body part."""
    codes = [GROUPS.index(PART_GROUP[name]) if name in PART_GROUP else -1 for name in table.names]
    return np.array(codes, np.int64)[table.part_name]
