"""Table of all annotated parts and the predictions for them, from which scores, errors and confusions are computed.

The rules are those of `tps_score`. Persons are matched once; everything after that is arithmetic on columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import PARTS
from actparse.metrics.tps import match_persons, paired_iou

Column = NDArray[np.int64]
NO_OVERLAP = -1.0  # of a person without a matched prediction


@dataclass(frozen=True)
class PartTable:
    """Annotated frames (F), persons (H) and parts (N) in the order of the truth, and proposals (P) for the parts."""

    videos: tuple[str, ...]  # (V,)
    right_action: NDArray[np.bool_]  # (V,)
    names: tuple[str, ...]  # names of the codes in part_name: the ten body parts, then further names in the truth
    states: tuple[str, ...]  # names of the state codes
    frame_names: tuple[str, ...]  # (F,) of the annotated frames with at least one person
    frame_video: Column  # (F,) index of the frame's video
    frame_predicted: NDArray[np.bool_]  # (F,) whether the predictions contain the frame
    person_frame: Column  # (H,) index of the person's frame
    person_box: NDArray[np.float64]  # (H, 4) xyxy, pixels
    person_overlap: NDArray[np.float64]  # (H,) IoU with the predicted person matched to it
    part_person: Column  # (N,) index of the part's person
    part_name: Column  # (N,) code of the part's name
    part_state: Column  # (N,) code of the true state
    part_box: NDArray[np.float64]  # (N, 4) xyxy, pixels
    num_proposals: Column  # (N,) proposals of the matched person, whether or not it overlaps enough
    owner: Column  # (P,) index of the part
    proposed_state: Column  # (P,) code of the state
    overlap: NDArray[np.float64]  # (P,) IoU of the proposed box with the true box
    human_iou: float  # a detected person's overlap must be above it
    part_iou: float  # a right box's overlap must be at least this

    @property
    def part_frame(self) -> Column:
        """Index of each part's frame, (N,)."""
        return self.person_frame[self.part_person]

    @property
    def part_video(self) -> Column:
        """Index of each part's video, (N,)."""
        return self.frame_video[self.part_frame]

    @property
    def person_found(self) -> NDArray[np.bool_]:
        """Whether a predicted person overlaps each person enough, (H,)."""
        return np.asarray(self.person_overlap > np.float32(self.human_iou), np.bool_)

    @property
    def part_of_found(self) -> NDArray[np.bool_]:
        """Whether each part's person was detected, (N,)."""
        return self.person_found[self.part_person]

    def part_by_person(self, name: str) -> Column:
        """Return the index of each person's part of that name, (H,); -1 if it is not annotated."""
        part_by_person = np.full(len(self.person_frame), -1, np.int64)
        parts = np.flatnonzero(self.part_name == self.names.index(name))
        part_by_person[self.part_person[parts]] = parts
        return part_by_person

    def best_of_proposals(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the largest of the `values` (P,) among each part's proposals, (N,); 0 if there is none."""
        best = np.zeros(len(self.part_state))
        np.maximum.at(best, self.owner, values.astype(np.float64))
        return best

    def right_states(self) -> NDArray[np.bool_]:
        """Return whether each proposal has the true state, (P,)."""
        return np.asarray(self.proposed_state == self.part_state[self.owner], np.bool_)

    def right_boxes(self) -> NDArray[np.bool_]:
        """Return whether each proposal's box overlaps the true box enough, (P,)."""
        return self.overlap >= np.float32(self.part_iou)

    def credit(self) -> NDArray[np.float64]:
        """Return the credit of each part, (N,) in 0..1: a right proposal among n is worth 1/n."""
        right = self.right_states() & self.right_boxes() & self.part_of_found[self.owner]
        return self.best_of_proposals(right / self.num_proposals[self.owner])

    def frame_correctness(self, credit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean credit of each frame's parts, (F,); 0 if the frame has no parts."""
        counts = np.bincount(self.part_frame, minlength=len(self.frame_video))  # (F,)
        means, filled = np.zeros(len(counts)), counts > 0
        starts = (np.cumsum(counts) - counts)[filled]
        if len(starts):
            means[filled] = np.add.reduceat(credit, starts) / counts[filled]
        return means

    def correctness(self, credit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part state correctness of each video, (V,); 1 without annotations, as in the official program."""
        frames = self.frame_correctness(credit)
        has_parts = np.bincount(self.part_frame, minlength=len(frames)) > 0
        counted = has_parts | ~self.frame_predicted  # (F,) a frame without parts counts only if it was not predicted
        result = np.ones(len(self.videos))
        for video in range(len(self.videos)):
            first, end = np.searchsorted(self.frame_video, (video, video + 1))
            total = int(counted[first:end].sum())
            if total:
                scores = frames[first:end][has_parts[first:end] & self.frame_predicted[first:end]]
                result[video] = float(scores.sum()) / total
        return result


def build_part_table(truth: Any, predictions: Any, *, human_iou: float = 0.5, part_iou: float = 0.3) -> PartTable:
    """Match the persons of every annotated frame and collect the proposals for each part.

    Args:
        truth: with `videos` {video: action} and `parts` {video: {frame: {"humans": [...]}}}.
        predictions: in the same form; a part has lists of boxes and of verbs, one verb for each box.
        human_iou: a predicted person's overlap must be above it.
        part_iou: a part's overlap must be at least this.

    Raises:
        DataError: a video of the truth is missing from the predictions.
    """
    builder = _TableBuilder()
    for video_index, video in enumerate(truth.videos):
        if video not in predictions.videos or video not in predictions.parts:
            raise DataError(f"predictions: video {video!r} of the truth is missing")
        for frame, annotation in truth.parts.get(video, {}).items():
            if annotation["humans"]:
                builder.add_frame(video_index, frame, annotation["humans"], predictions.parts[video].get(frame))
    right = [predictions.videos[video] == action for video, action in truth.videos.items()]
    return builder.table(tuple(truth.videos), np.array(right, bool), human_iou, part_iou)


@dataclass
class _TableBuilder:
    """The columns of a table under construction."""

    names: dict[str, int] = field(default_factory=lambda: {name: code for code, name in enumerate(PARTS)})
    states: dict[str, int] = field(default_factory=dict)
    frame_names: list[str] = field(default_factory=list)
    frame_video: list[int] = field(default_factory=list)
    frame_predicted: list[bool] = field(default_factory=list)
    person_frame: list[int] = field(default_factory=list)
    person_box: list[Any] = field(default_factory=list)
    matched_box: list[Any] = field(default_factory=list)  # by person; None without a match
    part_person: list[int] = field(default_factory=list)
    part_name: list[int] = field(default_factory=list)
    part_state: list[int] = field(default_factory=list)
    part_box: list[Any] = field(default_factory=list)
    num_proposals: list[int] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    proposed_state: list[int] = field(default_factory=list)
    true_box: list[Any] = field(default_factory=list)  # by proposal
    proposed_box: list[Any] = field(default_factory=list)

    def add_frame(self, video: int, name: str, true: Sequence[Any], predicted: Any) -> None:
        persons = predicted["humans"] if predicted is not None else []
        true_boxes, boxes = [human["box"] for human in true], [human["box"] for human in persons]
        partners = match_persons(true_boxes, boxes, NO_OVERLAP)
        for index, human in enumerate(true):
            partner = partners.get(index)
            self._add_person(human, persons[partner] if partner is not None else None)
            self.person_frame.append(len(self.frame_names))
        self.frame_names.append(name)
        self.frame_video.append(video)
        self.frame_predicted.append(predicted is not None)

    def _add_person(self, true: Any, predicted: Any) -> None:
        proposals = (predicted.get("parts") or {}) if predicted is not None else {}
        for name, part in true.get("parts", {}).items():
            proposed = proposals.get(name) or {}
            boxes, states = proposed.get("box", []), proposed.get("verb", [])
            if isinstance(states, str):  # the form of the truth: one box, one state
                boxes, states = [boxes], [states]
            for box, state in zip(boxes, states, strict=False):
                self.owner.append(len(self.part_person))
                self.proposed_state.append(self._state(state))
                self.true_box.append(part["box"])
                self.proposed_box.append(box)
            self.part_person.append(len(self.person_box))
            self.part_name.append(self.names.setdefault(name, len(self.names)))
            self.part_state.append(self._state(part["verb"]))
            self.part_box.append(part["box"])
            self.num_proposals.append(len(states))
        self.person_box.append(true["box"])
        self.matched_box.append(predicted["box"] if predicted is not None else None)

    def _state(self, name: str) -> int:
        return self.states.setdefault(name, len(self.states))

    def table(
        self, videos: tuple[str, ...], right_action: NDArray[np.bool_], human_iou: float, part_iou: float
    ) -> PartTable:
        matched = [index for index, box in enumerate(self.matched_box) if box is not None]
        overlaps = np.full(len(self.matched_box), NO_OVERLAP)
        overlaps[matched] = paired_iou(
            [self.person_box[index] for index in matched], [self.matched_box[index] for index in matched]
        )
        return PartTable(
            videos=videos,
            right_action=right_action,
            names=tuple(self.names),
            states=tuple(self.states),
            frame_names=tuple(self.frame_names),
            frame_video=_column(self.frame_video),
            frame_predicted=np.array(self.frame_predicted, bool),
            person_frame=_column(self.person_frame),
            person_box=_boxes(self.person_box),
            person_overlap=overlaps,
            part_person=_column(self.part_person),
            part_name=_column(self.part_name),
            part_state=_column(self.part_state),
            part_box=_boxes(self.part_box),
            num_proposals=_column(self.num_proposals),
            owner=_column(self.owner),
            proposed_state=_column(self.proposed_state),
            overlap=paired_iou(self.true_box, self.proposed_box).astype(np.float64),
            human_iou=human_iou,
            part_iou=part_iou,
        )


def _column(values: list[int]) -> Column:
    return np.array(values, np.int64)


def _boxes(boxes: list[Any]) -> NDArray[np.float64]:
    return np.asarray(boxes, np.float64).reshape(-1, 4)
