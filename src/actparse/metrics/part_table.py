"""What predictions say of every annotated part, in columns: score, errors and confusions are read from it.

The rules are those of `tps_score`; persons are matched once, and everything after that is arithmetic on columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import PARTS
from actparse.metrics.tps import match_persons, paired_iou

Column = NDArray[np.int64]
NO_OVERLAP = -1.0  # of a person without a partner


@dataclass(frozen=True)
class PartTable:
    """Annotated frames (F), persons (H) and parts (N) in their order, and the proposals (P) for the parts."""

    videos: tuple[str, ...]  # (V,)
    right_action: NDArray[np.bool_]  # (V,)
    names: tuple[str, ...]  # of part_name's codes: the ten body parts, then any that the truth adds
    states: tuple[str, ...]  # of the state codes
    frame_names: tuple[str, ...]  # (F,) of the annotated frames that hold a person
    frame_video: Column  # (F,)
    frame_predicted: NDArray[np.bool_]  # (F,) whether the predictions have the frame
    person_frame: Column  # (H,)
    person_box: NDArray[np.float64]  # (H, 4) xyxy, pixels
    person_overlap: NDArray[np.float64]  # (H,) IoU with the person assigned to it
    part_person: Column  # (N,)
    part_name: Column  # (N,)
    part_state: Column  # (N,) the true one
    part_box: NDArray[np.float64]  # (N, 4)
    num_proposals: Column  # (N,) of the person assigned, whether or not it overlaps enough
    owner: Column  # (P,) the part
    proposed_state: Column  # (P,)
    overlap: NDArray[np.float64]  # (P,) IoU of the proposed box
    human_iou: float
    part_iou: float

    @property
    def part_frame(self) -> Column:
        """(N,) the frame of each part."""
        return self.person_frame[self.part_person]

    @property
    def part_video(self) -> Column:
        """(N,) the video of each part."""
        return self.frame_video[self.part_frame]

    @property
    def person_found(self) -> NDArray[np.bool_]:
        """(H,) whether a predicted person overlaps enough."""
        return np.asarray(self.person_overlap > np.float32(self.human_iou), np.bool_)

    @property
    def part_of_found(self) -> NDArray[np.bool_]:
        """(N,) whether the part's person was found."""
        return self.person_found[self.part_person]

    def best_of_proposals(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The largest value (P,) among each part's proposals, (N,); 0 where there is none."""
        best = np.zeros(len(self.part_state))
        np.maximum.at(best, self.owner, values.astype(np.float64))
        return best

    def right_states(self) -> NDArray[np.bool_]:
        """(P,) whether a proposal names the true state."""
        return np.asarray(self.proposed_state == self.part_state[self.owner], np.bool_)

    def right_boxes(self) -> NDArray[np.bool_]:
        """(P,) whether a proposal's box overlaps enough."""
        return self.overlap >= np.float32(self.part_iou)

    def credit(self) -> NDArray[np.float64]:
        """What each part counts, (N,) in 0..1: a right proposal is worth one by the number of proposals."""
        right = self.right_states() & self.right_boxes() & self.part_of_found[self.owner]
        return self.best_of_proposals(right / self.num_proposals[self.owner])

    def frame_correctness(self, credit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean credit of each frame's parts, (F,); 0 where the frame has none."""
        counts = np.bincount(self.part_frame, minlength=len(self.frame_video))  # (F,)
        means, filled = np.zeros(len(counts)), counts > 0
        starts = (np.cumsum(counts) - counts)[filled]
        if len(starts):
            means[filled] = np.add.reduceat(credit, starts) / counts[filled]
        return means

    def correctness(self, credit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Part state correctness of each video, (V,): 1 where nothing was annotated, as the official program has it."""
        frames = self.frame_correctness(credit)
        has_parts = np.bincount(self.part_frame, minlength=len(frames)) > 0
        counted = has_parts | ~self.frame_predicted  # (F,) a frame without parts counts where it was not predicted
        result = np.ones(len(self.videos))
        for video in range(len(self.videos)):
            first, end = np.searchsorted(self.frame_video, (video, video + 1))
            total = int(counted[first:end].sum())
            if total:
                scores = frames[first:end][has_parts[first:end] & self.frame_predicted[first:end]]
                result[video] = float(scores.sum()) / total
        return result


def build_part_table(truth: Any, predictions: Any, *, human_iou: float = 0.5, part_iou: float = 0.3) -> PartTable:
    """Match the persons of every annotated frame and note what is proposed for each part.

    Args:
        truth: with `videos` {video: action} and `parts` {video: {frame: {"humans": [...]}}}.
        predictions: the same; a part holds lists of boxes and verbs that pair up.
        human_iou: a found person's overlap must be above it.
        part_iou: a part's overlap must be at least that.

    Raises:
        DataError: a video of the truth is missing from the predictions.
    """
    rows = _Rows()
    for number, video in enumerate(truth.videos):
        if video not in predictions.videos or video not in predictions.parts:
            raise DataError(f"predictions: video {video!r} of the truth is missing")
        for frame, annotation in truth.parts.get(video, {}).items():
            if annotation["humans"]:
                rows.add_frame(number, frame, annotation["humans"], predictions.parts[video].get(frame))
    right = [predictions.videos[video] == action for video, action in truth.videos.items()]
    return rows.table(tuple(truth.videos), np.array(right, bool), human_iou, part_iou)


@dataclass
class _Rows:
    """The columns while they grow."""

    names: dict[str, int] = field(default_factory=lambda: {name: code for code, name in enumerate(PARTS)})
    states: dict[str, int] = field(default_factory=dict)
    frame_names: list[str] = field(default_factory=list)
    frame_video: list[int] = field(default_factory=list)
    frame_predicted: list[bool] = field(default_factory=list)
    person_frame: list[int] = field(default_factory=list)
    person_box: list[Any] = field(default_factory=list)
    found_box: list[Any] = field(default_factory=list)  # by person; None where none is assigned
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
        found = predicted["humans"] if predicted is not None else []
        boxes, found_boxes = [human["box"] for human in true], [human["box"] for human in found]
        partners = match_persons(boxes, found_boxes, NO_OVERLAP)
        for index, human in enumerate(true):
            at = partners.get(index)
            self._add_person(human, found[at] if at is not None else None)
            self.person_frame.append(len(self.frame_names))
        self.frame_names.append(name)
        self.frame_video.append(video)
        self.frame_predicted.append(predicted is not None)

    def _add_person(self, true: Any, found: Any) -> None:
        proposals = (found.get("parts") or {}) if found is not None else {}
        for name, part in true.get("parts", {}).items():
            self._add_part(name, part, proposals.get(name) or {})
        self.person_box.append(true["box"])
        self.found_box.append(found["box"] if found is not None else None)

    def _add_part(self, name: str, true: Any, proposed: Mapping[str, Any]) -> None:
        boxes, states = proposed.get("box", []), proposed.get("verb", [])
        if isinstance(states, str):  # the truth's own form: one box, one state
            boxes, states = [boxes], [states]
        for box, state in zip(boxes, states, strict=False):
            self.owner.append(len(self.part_person))
            self.proposed_state.append(self._state(state))
            self.true_box.append(true["box"])
            self.proposed_box.append(box)
        self.part_person.append(len(self.person_box))
        self.part_name.append(self.names.setdefault(name, len(self.names)))
        self.part_state.append(self._state(true["verb"]))
        self.part_box.append(true["box"])
        self.num_proposals.append(len(states))

    def _state(self, name: str) -> int:
        return self.states.setdefault(name, len(self.states))

    def table(
        self, videos: tuple[str, ...], right_action: NDArray[np.bool_], human_iou: float, part_iou: float
    ) -> PartTable:
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
            person_overlap=self._person_overlaps(),
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

    def _person_overlaps(self) -> NDArray[np.float64]:
        assigned = [index for index, box in enumerate(self.found_box) if box is not None]
        overlaps = np.full(len(self.found_box), NO_OVERLAP)
        overlaps[assigned] = paired_iou(
            [self.person_box[index] for index in assigned], [self.found_box[index] for index in assigned]
        )
        return overlaps


def _column(values: list[int]) -> Column:
    return np.array(values, np.int64)


def _boxes(rows: list[Any]) -> NDArray[np.float64]:
    return np.asarray(rows, np.float64).reshape(-1, 4)
