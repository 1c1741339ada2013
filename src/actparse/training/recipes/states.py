"""What the baseline and the network on keypoints share: labels, the loss of states, and held-out metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.structures import FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_FLIP, PART_INDEX, PARTS
from actparse.metrics.states import StateAccuracy
from actparse.training.task import Task

UNKNOWN = -1  # a state that is not annotated, or that is not one of the network's labels
NOBODY = ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS


class StatesTask(Task):
    """A network for the action of a video and the states of its persons' parts."""

    metric = "accuracy"
    actions: tuple[str, ...]
    states: tuple[tuple[str, ...], ...]  # of each of the ten parts

    def labels(self) -> Mapping[str, Any]:
        """Return the names of the actions, and for each part those of its states."""
        return {"actions": list(self.actions), "states": list(map(list, self.states))}


def states_loss(logits: Sequence[Tensor], states: Tensor) -> Tensor:
    """Return the mean cross-entropy of the known states (P, 10), from the logits (P, S) of each part."""
    by_part = [
        F.cross_entropy(part_logits.float(), states[:, part], ignore_index=UNKNOWN, reduction="sum")
        for part, part_logits in enumerate(logits)
    ]
    return torch.stack(by_part).sum() / (states != UNKNOWN).sum().clamp(min=1)


class VideoMetrics:
    """Counts of the right actions of videos, and of the right states of their persons' parts."""

    def __init__(self) -> None:
        self.right = self.num_videos = 0
        self.accuracy = StateAccuracy()

    def add(self, is_right: bool, parses: Sequence[FrameParse], states: Sequence[list[list[str | None]]]) -> None:
        """Add a video; `states` are the true ones by frame, person and part, None if not annotated."""
        self.right, self.num_videos = self.right + is_right, self.num_videos + 1
        for parse, states_of_frame in zip(parses, states, strict=True):
            for person, true_states in zip(parse.persons, states_of_frame, strict=True):
                for part in person.parts:
                    true = true_states[PART_INDEX[part.name]]
                    if true is not None:
                        self.accuracy.add(part.name, true, part.state)

    def as_json(self) -> dict[str, Any]:
        """Return the accuracy of the actions, and of the states by part group."""
        accuracy = self.right / max(self.num_videos, 1)
        return {"accuracy": accuracy, "videos": self.num_videos, "states": self.accuracy.by_group()}


def true_person(
    track: int, box: list[float], parts: NDArray[np.float32], keypoints: Sequence[Sequence[float]] = NOBODY
) -> PersonParse:
    """Return an annotated person as a parse result, without states; `parts` (10, 4) are zeros where not annotated."""
    annotated = []
    for name, (left, top, right, bottom) in zip(PARTS, parts.tolist(), strict=True):
        if any((left, top, right, bottom)):
            annotated.append(PartParse(name, (left, top, right, bottom), 1.0))
    x1, y1, x2, y2 = box
    points = tuple((x, y, confidence) for x, y, confidence in keypoints)
    return PersonParse(track, (x1, y1, x2, y2), 1.0, points, tuple(annotated))


def state_indices(
    persons: Sequence[Sequence[str | None]], state_names: Sequence[Sequence[str]], *, mirror: bool
) -> NDArray[np.int64]:
    """Convert the states of persons to indices (P, 10) of the network's labels, UNKNOWN for states it does not have.

    Args:
        persons: for each person the states of its ten parts.
        state_names: for each part the states in the order of the network's outputs.
        mirror: whether left and right parts swap their states.
    """
    order = PART_FLIP if mirror else range(len(PARTS))
    by_part: list[dict[str | None, int]] = [{name: index for index, name in enumerate(names)} for names in state_names]
    indices = [
        [index_of.get(states[part], UNKNOWN) for index_of, part in zip(by_part, order, strict=True)]
        for states in persons
    ]
    return np.array(indices, np.int64).reshape(-1, len(PARTS))
